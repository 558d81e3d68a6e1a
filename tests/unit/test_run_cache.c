/* SPDX-License-Identifier: MIT */
/*
 * The cache of freed runs, by itself: what is put into it here is no memory. So nothing may be allocated or freed between a put and
 * its take, or the clock might find them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <strata/strata.h>

#include "run_cache.h"
#include "support.h"

#define PAGES (MIB / PAGE_SIZE)
#define MOST (4 * MIB)   /* a quarter of retain, as little is in use */
#define THREADS 32u
#define RUNS_MOST 64u

static cached_run run_number(unsigned number, size_t pages)
{
	return cached_run_of((page_index)(number * 4096), pages);
}

static unsigned take_all(size_t pages)
{
	unsigned count = 0;

	while (run_cache_take(pages, 1, 0) != 0)
		count++;
	return count;
}

/* Back to no room anywhere. */
static int begin_anew(void **state)
{
	(void)state;
	while (run_cache_expire(0) != 0)
		;
	return 0;
}

static void what_one_puts_it_finds_first(void **state)
{
	cached_run first = run_number(1, PAGES);
	cached_run second = run_number(2, PAGES);

	(void)state;
	assert_true(run_cache_put(first, 3) == 0);
	assert_true(run_cache_put(second, 5) == 0);
	assert_true(run_cache_take(PAGES, 1, 5) == second);
	assert_true(run_cache_take(PAGES, 1, 3) == first);
	assert_true(run_cache_put(second, 5) == 0);
	assert_true(run_cache_put(first, 3) == 0);
	assert_true(run_cache_take(PAGES, 1, 3) == first);
	assert_true(run_cache_take(PAGES, 1, 3) == second);
	assert_true(run_cache_take(PAGES, 1, 3) == 0);
}

static void all_that_was_taken_comes_back(void **state)
{
	unsigned kept = MOST / MIB;

	(void)state;
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < kept; i++)
			assert_true(run_cache_put(run_number(i + 1, PAGES), 7) == 0);
		assert_int_equal(run_cache_bytes(), MOST);
		assert_int_equal(take_all(PAGES), kept);
	}
}

static size_t put_at_random(unsigned *seed, unsigned number)
{
	size_t pages = 65 + (size_t)rand_r(seed) % 960;

	(void)run_cache_put(run_number(number, pages), (unsigned)rand_r(seed) % THREADS);
	return run_cache_bytes();
}

static void no_more_is_kept_than_the_bound(void **state)
{
	unsigned seed = 1;

	(void)state;
	for (unsigned i = 0; i < 100000; i++) {
		if (rand_r(&seed) % 2 == 0)
			(void)run_cache_take(65 + (size_t)rand_r(&seed) % 960, 1, (unsigned)rand_r(&seed) % THREADS);
		assert_true(put_at_random(&seed, i % RUNS_MOST) <= MOST);
	}
	for (size_t pages = 65; pages < 65 + 960; pages++)
		take_all(pages);
	assert_int_equal(run_cache_bytes(), 0);
}

/* Four entries have room for a run of 1 MiB each, and are empty: a fifth run has none beside them, and none in them if it is larger. */
static void room_is_kept_for_who_comes_back(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++)
		assert_true(run_cache_put(run_number(i + 1, PAGES), i) == 0);
	assert_int_equal(take_all(PAGES), 4);
	cached_run larger = run_number(9, PAGES + 1);
	assert_true(run_cache_put(larger, 9) == larger);
	for (unsigned i = 0; i < 4; i++)
		assert_true(run_cache_put(run_number(i + 1, PAGES), i) == 0);
	assert_int_equal(take_all(PAGES), 4);
}

static void room_does_not_outlast_a_lower_bound(void **state)
{
	cached_run run = run_number(1, PAGES);

	(void)state;
	assert_true(run_cache_put(run, 1) == 0);
	assert_int_equal(take_all(PAGES), 1);
	assert_int_equal(set_number("retain", MIB / 2), 0);
	assert_true(run_cache_expire(3600000) == 0);
	assert_true(run_cache_put(run, 1) == run);
	assert_int_equal(set_number("retain", 16 * MIB), 0);
}

static void nothing_is_kept_without_decay(void **state)
{
	cached_run run = run_number(1, PAGES);

	(void)state;
	assert_true(run_cache_put(run, 1) == 0);
	assert_int_equal(take_all(PAGES), 1);
	assert_int_equal(set_number("decay_ms", 0), 0);
	assert_true(run_cache_put(run, 1) == run);
	assert_int_equal(set_number("decay_ms", 1000), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_one_puts_it_finds_first, begin_anew),
		cmocka_unit_test_setup(all_that_was_taken_comes_back, begin_anew),
		cmocka_unit_test_setup(no_more_is_kept_than_the_bound, begin_anew),
		cmocka_unit_test_setup(room_is_kept_for_who_comes_back, begin_anew),
		cmocka_unit_test_setup(room_does_not_outlast_a_lower_bound, begin_anew),
		cmocka_unit_test_setup(nothing_is_kept_without_decay, begin_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
