/* SPDX-License-Identifier: MIT */
/* The emergency reserve serves once, only whom it can serve, and is taken back when use has fallen. */
#include <pthread.h>
#include <string.h>
#include <sys/resource.h>

#include "limit_support.h"

#define MOST 2000

static struct piece pieces[MOST];

static unsigned told[STRATA_PRESSURE_REFUSED + 1];
static void *to_free; /* when a call is refused */

static void tell(struct strata_pressure_handler *self, enum strata_pressure what, uint64_t bytes)
{
	(void)self;
	(void)bytes;
	told[what]++;
	if (what == STRATA_PRESSURE_REFUSED) {
		free(to_free);
		to_free = NULL;
	}
}

static void listen(void)
{
	static struct strata_pressure_handler handler = {.call = tell};

	memset(told, 0, sizeof told);
	assert_null(strata_on_pressure(&handler));
}

static void the_emergency_reserve_serves_once_and_is_taken_back(void **state)
{
	const size_t reserve = 4 * MIB;

	(void)state;
	limit_with_room(ROOM);
	listen();
	set("emergency", reserve);
	assert_int_equal(totals().emergency_bytes, reserve);
	for (unsigned round = 1; round < 4; round++) {
		size_t count = 0, before = 0;

		while ((pieces[count].block = malloc(64 * KIB)) != NULL) {
			pieces[count].size = 64 * KIB;
			pattern_write(pieces[count].block, 64 * KIB, count);
			count++;
			if (told[STRATA_PRESSURE_EMERGENCY] < round)
				before = count;
		}
		assert_int_equal(told[STRATA_PRESSURE_EMERGENCY], round);
		assert_int_equal(told[STRATA_PRESSURE_REFUSED], round);
		assert_int_equal(totals().emergency_bytes, 0);
		/* What it was for: so much more was had. */
		assert_true((count - before) * 64 * KIB >= reserve - reserve / 8);
		verify_and_free(pieces, count);
		strata_trim();
		free(opaque_pointer(malloc(MIB + round)));
		assert_int_equal(totals().emergency_bytes, reserve);
	}
	set("emergency", 0);
	assert_int_equal(totals().emergency_bytes, 0);
}

static void a_reserve_that_cannot_be_is_not_told_of(void **state)
{
	size_t beyond = beyond_the_machine();

	(void)state;
	if (beyond == 0)
		skip();
	set("emergency", beyond);
	free(opaque_pointer(malloc(2 * MIB)));
	assert_int_equal(totals().emergency_bytes, 0);
	set("emergency", 4 * MIB);
	assert_int_equal(totals().emergency_bytes, 4 * MIB);
}

static void limit_data(rlim_t bytes)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_DATA, &limit) != 0)
		fatal("getrlimit");
	limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
	if (setrlimit(RLIMIT_DATA, &limit) != 0)
		fatal("setrlimit");
}

static bool data_is_limited(void)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_DATA, &limit) == 0 && limit.rlim_cur <= 4096;
}

static bool reserve_is(size_t bytes)
{
	free(opaque_pointer(malloc(MIB)));
	return totals().emergency_bytes == bytes;
}

/* More than the process ever had, so that it cannot be found in what is there. An emulated system may take such a limit and do
 * nothing. */
static void a_reserve_that_was_refused_is_asked_for_again(void **state)
{
	const size_t reserve = 1024 * MIB, beyond = beyond_the_machine();
	struct rlimit before;
	uint64_t in_use;
	void *block;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_DATA, &before), 0);
	if (beyond != 0 && beyond <= 2 * reserve)
		skip();
	limit_data(4096);
	if (!data_is_limited())
		skip();
	limit_data(before.rlim_cur);
	strata_trim();
	block = memset(malloc(32 * MIB), 1, 32 * MIB);
	limit_data(4096);
	set("emergency", reserve);
	in_use = totals().live_bytes;
	limit_data(before.rlim_cur);
	assert_int_equal(totals().emergency_bytes, 0);
	assert_true(comes(reserve_is, reserve, "the reserve, which the system no longer refuses"));
	assert_true(totals().live_bytes >= in_use);
	free(opaque_pointer(block));
}

/* Else it would go again and again, for a program that does not hear the warning. */
static void a_reserve_that_was_let_go_waits_until_use_has_fallen(void **state)
{
	const size_t reserve = 4 * MIB;
	uint64_t limit = limit_with_room(ROOM);
	size_t count = 0;

	(void)state;
	listen();
	set("emergency", reserve);
	for (; told[STRATA_PRESSURE_EMERGENCY] == 0 && count < MOST; count++) {
		pieces[count] = (struct piece){malloc(64 * KIB), 64 * KIB};
		assert_non_null(pieces[count].block);
		pattern_write(pieces[count].block, 64 * KIB, count);
	}
	/* There is room. */
	set("limit", limit + ROOM);
	for (unsigned i = 0; i < 100; i++)
		assert_true(reserve_is(0));
	verify_and_free(pieces, count);
	strata_trim();
	assert_true(reserve_is(reserve));
}

/* As large as it may be, and a limit that leaves room for others. */
static void whom_it_cannot_serve_does_not_get_it(void **state)
{
	const size_t reserve = 8 * MIB;
	void *half, *block;

	(void)state;
	limit_with_room(ROOM);
	listen();
	half = malloc(ROOM / 2);
	assert_non_null(half);
	set("emergency", reserve);
	assert_null(malloc(opaque(ROOM / 2 + MIB)));
	assert_int_equal(told[STRATA_PRESSURE_EMERGENCY], 0);
	assert_int_equal(told[STRATA_PRESSURE_REFUSED], 1);
	assert_int_equal(totals().emergency_bytes, reserve);
	/* But where the handler frees enough, with it. */
	to_free = malloc(2 * MIB);
	assert_non_null(to_free);
	block = malloc(opaque(ROOM / 2 - MIB));
	assert_non_null(block);
	assert_int_equal(told[STRATA_PRESSURE_EMERGENCY], 1);
	free(block);
	free(half);
}

/* Whatever was in use before that, and however much more was used by then. */
static void it_comes_back_when_that_much_was_freed(void **state)
{
	const size_t reserve = 4 * MIB;
	void *large;

	(void)state;
	limit_with_room(ROOM);
	listen();
	set("emergency", reserve);
	for (unsigned round = 1; round < 4; round++) {
		large = malloc(opaque(ROOM - MIB));
		assert_non_null(large);
		assert_int_equal(told[STRATA_PRESSURE_EMERGENCY], round);
		assert_true(reserve_is(0));
		free(large);
		assert_true(reserve_is(reserve));
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(the_emergency_reserve_serves_once_and_is_taken_back, no_limits),
		cmocka_unit_test_teardown(a_reserve_that_cannot_be_is_not_told_of, no_limits),
		cmocka_unit_test_teardown(a_reserve_that_was_refused_is_asked_for_again, no_limits),
		cmocka_unit_test_teardown(a_reserve_that_was_let_go_waits_until_use_has_fallen, no_limits),
		cmocka_unit_test_teardown(whom_it_cannot_serve_does_not_get_it, no_limits),
		cmocka_unit_test_teardown(it_comes_back_when_that_much_was_freed, no_limits),
	};

	(void)argc;
	leave_out_the_container(argv);
	require_strata_serves_malloc();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
