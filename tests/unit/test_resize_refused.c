/* SPDX-License-Identifier: MIT */
/*
 * realloc where memory is short: a block that may not move stays intact; one that can grow where it is does so once there is
 * relief; what realloc would only like to have is no reason to tell anybody; a block that shrinks is not refused.
 */
#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "limit_support.h"

static struct told {
	struct strata_pressure_handler handler;
	unsigned times[STRATA_PRESSURE_REFUSED + 1];
} told;

static void tell(struct strata_pressure_handler *self, enum strata_pressure what, uint64_t bytes)
{
	(void)bytes;
	((struct told *)self)->times[what]++;
}

static void listen(void)
{
	memset(&told, 0, sizeof told);
	told.handler.call = tell;
	strata_on_pressure(&told.handler);
}

enum { BLOCKS = 8 };

/* The address space of the heap alone is more. Raised again before anything is asserted. Returns how many blocks moved. */
static size_t blocks_moved_below(int resource)
{
	const size_t small = 3000000, large = 17 * MIB;
	struct rlimit before, lowered;
	void *blocks[BLOCKS], *had[BLOCKS];
	size_t moved = 0;

	for (size_t i = 0; i < BLOCKS; i++) {
		blocks[i] = malloc(small);
		assert_non_null(blocks[i]);
		pattern_write(blocks[i], small, i);
	}
	/* So that there is room to move to. */
	free(opaque_pointer(malloc(400 * MIB)));
	assert_int_equal(getrlimit(resource, &before), 0);
	lowered = before;
	lowered.rlim_cur = MIB;
	assert_int_equal(setrlimit(resource, &lowered), 0);
	for (size_t i = 0; i < BLOCKS; i++)
		had[i] = realloc(blocks[i], large);
	assert_int_equal(setrlimit(resource, &before), 0);
	for (size_t i = 0; i < BLOCKS; i++) {
		if (had[i])
			blocks[i] = had[i];
		assert_true(pattern_holds(blocks[i], small, i));
		if (had[i])
			pattern_write(blocks[i], large, i);
	}
	for (size_t i = 0; i < BLOCKS; i++) {
		assert_true(pattern_holds(blocks[i], had[i] ? large : small, i));
		free(blocks[i]);
		moved += had[i] != NULL;
	}
	return moved;
}

static void blocks_move_below_a_limit_that_was_lowered(void **state)
{
	(void)state;
	/* The heap goes on within what it has reserved, but not where it would make more of that writable. */
	assert_int_equal(blocks_moved_below(RLIMIT_AS), BLOCKS);
	blocks_moved_below(RLIMIT_DATA);
}

static void with_the_reserve_a_block_grows_where_it_is(void **state)
{
	char *block;

	(void)state;
	limit_with_room(60 * MIB);
	set("emergency", 20 * MIB);
	listen();
	block = malloc(35 * MIB);
	assert_non_null(block);
	assert_int_equal(totals().emergency_bytes, 20 * MIB);
	pattern_write(block, 35 * MIB, 1);
	errno = 17;
	block = realloc(block, 50 * MIB);
	assert_non_null(block);
	assert_int_equal(errno, 17);
	assert_int_equal(told.times[STRATA_PRESSURE_EMERGENCY], 1);
	assert_int_equal(told.times[STRATA_PRESSURE_REFUSED], 0);
	assert_true(pattern_holds(block, 35 * MIB, 1));
	free(block);
}

/* A quarter more, 240 KiB, is what it would like to have. */
static void room_for_no_more_than_was_asked_for_is_enough(void **state)
{
	unsigned succeeded = 0, refused = 0;

	(void)state;
	for (size_t room = 40; room < 80; room += 2) {
		void *block = malloc(192 * KIB), *grown;

		assert_non_null(block);
		pattern_write(block, 192 * KIB, room);
		free(opaque_pointer(malloc(300000)));
		limit_with_room(room * 4096);
		listen();
		errno = 17;
		grown = realloc(opaque_pointer(block), 200 * KIB);
		if (grown) {
			assert_int_equal(errno, 17);
			assert_int_equal(told.times[STRATA_PRESSURE_REFUSED], 0);
			block = grown;
			succeeded++;
		} else {
			assert_int_equal(errno, ENOMEM);
			assert_int_equal(told.times[STRATA_PRESSURE_REFUSED], 1);
			refused++;
		}
		set("limit", 0);
		assert_true(pattern_holds(block, 192 * KIB, room));
		free(block);
	}
	assert_true(refused > 0 && succeeded > 0);
}

#define MOST 100000

static void a_block_that_shrinks_is_not_refused(void **state)
{
	const size_t sizes[][2] = {{MIB, 60000}, {300000, 60000}, {200000, 50000}, {100000, 30000}, {8000, 1000}};
	static void *rest[MOST];

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		size_t count = 0;
		void *block = malloc(sizes[i][0]);

		assert_non_null(block);
		pattern_write(block, sizes[i][0], i);
		strata_on_pressure(NULL);
		limit_with_room(4 * MIB);
		for (size_t size = MIB; size >= 16; size /= 2)
			while (count < MOST && (rest[count] = malloc(size)) != NULL)
				count++;
		assert_true(count < MOST);
		listen();
		errno = 17;
		block = realloc(block, sizes[i][1]);
		assert_non_null(block);
		assert_int_equal(errno, 17);
		assert_int_equal(told.times[STRATA_PRESSURE_REFUSED], 0);
		assert_true(pattern_holds(block, sizes[i][1], i));
		while (count > 0)
			free(rest[--count]);
		free(block);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_move_below_a_limit_that_was_lowered),
		cmocka_unit_test_teardown(with_the_reserve_a_block_grows_where_it_is, no_limits),
		cmocka_unit_test_teardown(room_for_no_more_than_was_asked_for_is_enough, no_limits),
		cmocka_unit_test_teardown(a_block_that_shrinks_is_not_refused, no_limits),
	};

	(void)argc;
	leave_out_the_container(argv);
	require_strata_serves_malloc();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
