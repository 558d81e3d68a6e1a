/* SPDX-License-Identifier: MIT */
/*
 * Pages between the blocks that are left of many go back, though each pool is still in use, and come again.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <strata/strata.h>

#include "support.h"

/* Eight in a pool of six pages, of which one stays: it lies on one page, or on two. */
#define SIZE 3072
#define BLOCKS ((size_t)16000)
#define KEEP 8

static void *blocks[BLOCKS];
static void *more[2 * BLOCKS];

static void build_up(void)
{
	for (size_t i = 0; i < BLOCKS; i++) {
		blocks[i] = strata_malloc(SIZE);
		if (blocks[i] == NULL)
			fatal("no memory");
		pattern_write(blocks[i], SIZE, i);
	}
}

static void thin_out(void)
{
	for (size_t i = 0; i < BLOCKS; i++)
		if (i % KEEP != 3) {
			strata_free(blocks[i]);
			blocks[i] = NULL;
		}
}

static void tear_down(void)
{
	for (size_t i = 0; i < BLOCKS; i++) {
		if (blocks[i] != NULL && !pattern_holds(blocks[i], SIZE, i))
			fatal("block %zu has changed", i);
		strata_free(blocks[i]);
		blocks[i] = NULL;
	}
}

static void refill(void)
{
	for (size_t i = 0; i < BLOCKS; i++)
		if (blocks[i] == NULL) {
			blocks[i] = strata_malloc(SIZE);
			if (blocks[i] == NULL)
				fatal("no memory");
			pattern_write(blocks[i], SIZE, i);
		}
}

/* The owner's slow path, now and then, until the memory is there. */
static bool heap_is_below_after_work(size_t bytes)
{
	for (size_t i = 0; i < 60; i++)
		more[i] = strata_malloc(100 * KIB);
	for (size_t i = 0; i < 60; i++)
		strata_free(more[i]);
	return totals().heap_bytes <= bytes;
}

static void work_until_heap_is_below(size_t bytes)
{
	assert_true(comes(heap_is_below_after_work, bytes, "a heap of so many bytes"));
}

static int standard_options(void **state)
{
	(void)state;
	set_decay(1000);
	return set_number("limit", 0);
}

static void idle_pages_go_and_come_again(void **state)
{
	size_t full, resident;

	(void)state;
	if (checked_mode())
		skip();
	set_decay(20);
	for (int round = 0; round < 3; round++) {
		build_up();
		full = totals().heap_bytes;
		resident = resident_bytes();
		thin_out();
		work_until_heap_is_below(full * 2 / 3);
		assert_true(resident_bytes() < resident - full / 4);
		refill();
		assert_true(totals().heap_bytes >= BLOCKS * SIZE);
		tear_down();
	}
}

static bool is_zero(const unsigned char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i] != 0)
			return false;
	return true;
}

/* A pool whose pages have gone back loses its last block; another takes its pages, and they are written to: from then on they
 * are not known to be zero. */
static void pages_that_were_written_to_again_are_not_taken_for_zero(void **state)
{
	size_t count = 0;

	(void)state;
	if (checked_mode())
		skip();
	set_decay(STOPPED);
	build_up();
	thin_out();
	strata_trim();
	for (size_t i = 0; i < BLOCKS; i++)
		if (blocks[i] != NULL) {
			strata_free(blocks[i]);
			blocks[i] = NULL;
			more[count] = strata_malloc(8000);
			assert_non_null(more[count]);
			memset(more[count++], 0xff, 8000);
		}
	for (size_t i = 0; i < count; i++)
		strata_free(more[i]);
	strata_trim();
	for (size_t i = 0; i < 200; i++) {
		more[i] = strata_calloc(1, 100 * KIB);
		assert_non_null(more[i]);
		assert_true(is_zero(more[i], 100 * KIB));
	}
	for (size_t i = 0; i < 200; i++)
		strata_free(more[i]);
}

static void trim_takes_them_at_once(void **state)
{
	size_t full, resident, said;

	(void)state;
	if (checked_mode())
		skip();
	set_decay(STOPPED);
	build_up();
	strata_trim();
	full = totals().heap_bytes;
	resident = resident_bytes();
	thin_out();
	said = strata_trim();
	/* At most two pages of six are left, and little else. */
	assert_true(said > full / 2);
	assert_true(totals().heap_bytes < full / 6 * 2 + 2 * MIB);
	assert_true(resident_bytes() < resident - full / 2);
	assert_true(totals().heap_bytes >= totals().live_bytes);
	tear_down();
	strata_trim();
	assert_true(totals().heap_bytes < 2 * MIB);
}

static pthread_barrier_t gate;

/* Leaves its pools thinned out, and goes on once they are purged. */
static void *sleep_on_thinned_pools(void *unused)
{
	build_up();
	thin_out();
	pthread_barrier_wait(&gate);
	pthread_barrier_wait(&gate);
	refill();
	tear_down();
	return unused;
}

static void purge_sleeper(uint64_t decay_ms, bool by_trim)
{
	pthread_t thread;
	size_t full;

	set_decay(decay_ms);
	pthread_barrier_init(&gate, NULL, 2);
	assert_int_equal(pthread_create(&thread, NULL, sleep_on_thinned_pools, NULL), 0);
	pthread_barrier_wait(&gate);
	full = BLOCKS * SIZE;
	if (by_trim)
		assert_true(strata_trim() > full / 2);
	else
		work_until_heap_is_below(full * 2 / 3);
	assert_true(totals().heap_bytes < full * 2 / 3);
	assert_true(totals().live_bytes >= BLOCKS / KEEP * SIZE);
	pthread_barrier_wait(&gate);
	pthread_join(thread, NULL);
	strata_trim();
}

static void pages_of_sleeping_threads_go_as_well(void **state)
{
	(void)state;
	if (checked_mode())
		skip();
	purge_sleeper(20, false);
	purge_sleeper(STOPPED, true);
}

/* What does not count as used is charged again before it is given out. */
static void the_limit_holds(void **state)
{
	uint64_t limit;
	size_t count = 0;

	(void)state;
	if (checked_mode())
		skip();
	build_up();
	thin_out();
	strata_trim();
	limit = totals().heap_bytes + 4 * MIB;
	assert_int_equal(set_number("limit", limit), 0);
	while ((more[count] = strata_malloc(SIZE)) != NULL) {
		pattern_write(more[count], SIZE, count);
		count++;
		assert_true(totals().live_bytes <= limit);
	}
	assert_true(count > MIB / SIZE);
	assert_int_equal(set_number("limit", 0), 0);
	refill();
	for (size_t i = 0; i < count; i++) {
		assert_true(pattern_holds(more[i], SIZE, i));
		strata_free(more[i]);
	}
	tear_down();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(idle_pages_go_and_come_again, standard_options),
		cmocka_unit_test_teardown(pages_that_were_written_to_again_are_not_taken_for_zero, standard_options),
		cmocka_unit_test_teardown(trim_takes_them_at_once, standard_options),
		cmocka_unit_test_teardown(pages_of_sleeping_threads_go_as_well, standard_options),
		cmocka_unit_test_teardown(the_limit_holds, standard_options),
	};
	(void)argc;
	leave_out_the_container(argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
