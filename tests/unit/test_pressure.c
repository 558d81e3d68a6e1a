/* SPDX-License-Identifier: MIT */
/*
 * Before the limit: the handler is told what the header says; less is kept free.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include <strata/typed.h>

#include "limit_support.h"

static struct piece pieces[ROOM / MIB];

static struct told {
	struct strata_pressure_handler handler; /* first: self is the whole */
	unsigned times[STRATA_PRESSURE_REFUSED + 1];
	uint64_t bytes;
	struct piece *to_free;
	size_t count;
} told;

static void tell(struct strata_pressure_handler *self, enum strata_pressure what, uint64_t bytes)
{
	struct told *mine = (struct told *)self;

	mine->times[what]++;
	mine->bytes = bytes;
	/* It may allocate: it is not called again for that. */
	free(opaque_pointer(malloc(100)));
	if (what == STRATA_PRESSURE_REFUSED) {
		verify_and_free(mine->to_free, mine->count);
		mine->count = 0;
	}
	errno = 4711;
}

static void listen(void)
{
	memset(&told, 0, sizeof told);
	told.handler.call = tell;
	assert_null(strata_on_pressure(&told.handler));
}

static void the_soft_limit_is_told_once_until_it_falls(void **state)
{
	uint64_t soft;

	(void)state;
	strata_trim();
	soft = totals().heap_bytes + 20 * MIB;
	set("limit_soft", soft);
	listen();
	for (unsigned round = 1; round < 4; round++) {
		void *small = malloc(10 * MIB), *large;

		assert_int_equal(told.times[STRATA_PRESSURE_SOFT], round - 1);
		large = malloc(30 * MIB);
		assert_non_null(large);
		assert_int_equal(told.times[STRATA_PRESSURE_SOFT], round);
		assert_true(told.bytes > soft);
		for (int i = 0; i < 100; i++)
			free(opaque_pointer(malloc(100 * KIB + (size_t)i)));
		assert_int_equal(told.times[STRATA_PRESSURE_SOFT], round);
		free(large);
		free(small);
		strata_trim();
		/* Its next slow call sees that it is below. */
		free(opaque_pointer(malloc(MIB + round)));
	}
	assert_ptr_equal(strata_on_pressure(NULL), &told.handler);
}

/* Seen by whoever frees. */
static void a_fall_between_two_allocations_counts(void **state)
{
	(void)state;
	strata_trim();
	set("limit_soft", totals().heap_bytes + 20 * MIB);
	listen();
	for (unsigned round = 1; round < 5; round++) {
		void *large = malloc(60 * MIB);

		assert_non_null(large);
		assert_int_equal(told.times[STRATA_PRESSURE_SOFT], round);
		free(large);
	}
	assert_ptr_equal(strata_on_pressure(NULL), &told.handler);
}

static void *small_blocks[60000];

static void *allocate_small_blocks(void *unused)
{
	for (size_t i = 0; i < 60000; i++)
		if ((small_blocks[i] = malloc(1000)) == NULL)
			fatal("no memory");
	return unused;
}

/* The thread's own, or another's that has ended. */
static void a_fall_by_small_blocks_counts(void **state)
{
	(void)state;
	strata_trim();
	set("limit_soft", totals().heap_bytes + 20 * MIB);
	listen();
	for (unsigned round = 1; round < 9; round += 2) {
		pthread_t thread;
		void *large;

		if (round % 4 == 1) {
			allocate_small_blocks(NULL);
		} else {
			assert_int_equal(pthread_create(&thread, NULL, allocate_small_blocks, NULL), 0);
			assert_int_equal(pthread_join(thread, NULL), 0);
		}
		assert_int_equal(told.times[STRATA_PRESSURE_SOFT], round);
		for (size_t i = 0; i < 60000; i++)
			free(small_blocks[i]);
		if (round > 4)
			strata_trim();
		large = malloc(60 * MIB);
		assert_non_null(large);
		assert_int_equal(told.times[STRATA_PRESSURE_SOFT], round + 1);
		free(large);
	}
	assert_ptr_equal(strata_on_pressure(NULL), &told.handler);
}

/* Whatever it was before, and whoever was told. */
static void a_soft_limit_that_is_set_is_told_anew(void **state)
{
	void *large = malloc(60 * MIB);
	uint64_t below = totals().heap_bytes - 20 * MIB, above = below + 100 * MIB;

	(void)state;
	assert_non_null(large);
	set("limit_soft", below);
	listen();
	set("limit_soft", 0);
	assert_int_equal(told.times[STRATA_PRESSURE_SOFT], 0);
	for (unsigned round = 1; round < 4; round++) {
		set("limit_soft", below);
		assert_int_equal(told.times[STRATA_PRESSURE_SOFT], round);
		set("limit_soft", round % 2 ? 0 : above);
	}
	set("limit_soft", below);
	assert_ptr_equal(strata_on_pressure(NULL), &told.handler);
	listen();
	free(opaque_pointer(malloc(2 * MIB)));
	assert_int_equal(told.times[STRATA_PRESSURE_SOFT], 1);
	free(large);
}

/* Nobody else suffers for it. */
static void what_cannot_be_is_refused_at_once(void **state)
{
	const size_t impossible[][2] = {{8192 * MIB, 64}, {(size_t)1 << 45, 64}, {(size_t)1 << 62, 64}, {64, PTRDIFF_MAX - 100}};

	(void)state;
	limit_with_room(ROOM);
	listen();
	set("emergency", 4 * MIB);
	for (size_t i = 0; i < sizeof impossible / sizeof *impossible; i++) {
		errno = 0;
		assert_null(strata_aligned_alloc(impossible[i][0], impossible[i][1]));
		assert_int_equal(errno, ENOMEM);
	}
	assert_int_equal(totals().emergency_bytes, 4 * MIB);
	assert_int_equal(told.times[STRATA_PRESSURE_EMERGENCY] + told.times[STRATA_PRESSURE_REFUSED], 0);
}

static size_t destroyed;

static void destroy(void *object, size_t size, void *context)
{
	(void)object;
	(void)size;
	(void)context;
	destroyed++;
}

enum { CACHED = 1000 };

static uint64_t cached_after(strata_type *type, int (*step)(void))
{
	static void *objects[CACHED];
	struct strata_type_stats stats;

	for (size_t i = 0; i < CACHED; i++)
		assert_non_null(objects[i] = strata_type_alloc(type));
	for (size_t i = 0; i < CACHED; i++)
		strata_type_free(type, objects[i]);
	assert_int_equal(strata_type_stats_read(type, &stats, sizeof stats), 0);
	assert_true(stats.cached_objects > 0);
	assert_int_equal(step(), 0);
	assert_int_equal(strata_type_stats_read(type, &stats, sizeof stats), 0);
	return stats.cached_objects;
}

static int ask_for_too_much(void)
{
	void *most = malloc(opaque(ROOM / 2)), *block = malloc(opaque(ROOM));
	bool refused = most != NULL && block == NULL;

	free(block);
	free(most);
	return !refused;
}

static int trim(void)
{
	strata_trim();
	return 0;
}

/* Whoever calls malloc may hold what destroy waits for. */
static void a_refused_call_destroys_no_object(void **state)
{
	struct strata_type_info info = {.name = "plain", .size = 1000};
	strata_type *plain = strata_type_register(&info, sizeof info), *watched;

	(void)state;
	info.name = "watched";
	info.destroy = destroy;
	watched = strata_type_register(&info, sizeof info);
	assert_true(plain && watched);
	set_decay(STOPPED);
	if (!checked_mode()) {
		limit_with_room(ROOM);
		assert_int_equal(cached_after(plain, ask_for_too_much), 0);
		destroyed = 0;
		assert_true(cached_after(watched, ask_for_too_much) > 0);
		assert_int_equal(destroyed, 0);
		assert_int_equal(cached_after(watched, trim), 0);
		assert_true(destroyed > 0);
	}
	assert_int_equal(strata_type_unregister(plain, NULL), 0);
	assert_int_equal(strata_type_unregister(watched, NULL), 0);
}

static void a_handler_that_frees_saves_the_call(void **state)
{
	void *block;

	(void)state;
	limit_with_room(ROOM);
	told.count = 0;
	listen();
	told.to_free = pieces;
	for (; told.count < ROOM / MIB - 2; told.count++) {
		pieces[told.count] = (struct piece){malloc(MIB), MIB};
		assert_non_null(pieces[told.count].block);
		pattern_write(pieces[told.count].block, MIB, told.count);
	}
	assert_int_equal(told.times[STRATA_PRESSURE_REFUSED], 0);
	errno = 17;
	block = malloc(20 * MIB);
	assert_non_null(block);
	assert_int_equal(errno, 17);
	assert_int_equal(told.times[STRATA_PRESSURE_REFUSED], 1);
	assert_int_equal(told.count, 0);
	free(block);
}

static int no_limits_and_the_clock_runs(void **state)
{
	set_decay(1000);
	return no_limits(state);
}

static void free_memory_is_kept_in_less_measure_near_the_limit(void **state)
{
	uint64_t kept[2];

	(void)state;
	/* No page goes for its age. */
	set_decay(STOPPED);
	for (int near = 0; near < 2; near++) {
		uint64_t limit = limit_with_room(400 * MIB);
		void *most = near ? malloc(350 * MIB) : NULL;
		uint64_t before = totals().free_bytes;

		for (size_t i = 0; i < 30; i++)
			pieces[i].block = memset(malloc(MIB), 1, MIB);
		for (size_t i = 0; i < 30; i++)
			free(pieces[i].block);
		kept[near] = totals().free_bytes - before;
		assert_true(totals().heap_bytes <= limit);
		free(most);
	}
	assert_true(kept[0] > 25 * MIB);
	assert_true(kept[1] < 16 * MIB);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(the_soft_limit_is_told_once_until_it_falls, no_limits),
		cmocka_unit_test_teardown(a_fall_between_two_allocations_counts, no_limits),
		cmocka_unit_test_teardown(a_fall_by_small_blocks_counts, no_limits),
		cmocka_unit_test_teardown(a_soft_limit_that_is_set_is_told_anew, no_limits),
		cmocka_unit_test_teardown(what_cannot_be_is_refused_at_once, no_limits),
		cmocka_unit_test_teardown(a_refused_call_destroys_no_object, no_limits_and_the_clock_runs),
		cmocka_unit_test_teardown(a_handler_that_frees_saves_the_call, no_limits),
		cmocka_unit_test_teardown(free_memory_is_kept_in_less_measure_near_the_limit, no_limits_and_the_clock_runs),
	};

	(void)argc;
	leave_out_the_container(argv);
	require_strata_serves_malloc();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
