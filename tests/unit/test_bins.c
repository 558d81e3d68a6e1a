/* SPDX-License-Identifier: MIT */
/*
 * How much a thread keeps at hand of one size: little of what it only ever frees, much of what it takes again, and nothing for
 * long of what it has no more use for.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include <strata/strata.h>

#include "support.h"

#define BYTES (2 * MIB)
#define LEAST_SIZE 32
#define FEW (512 * KIB)

static void *blocks[BYTES / LEAST_SIZE];
static void *others[64];
static uint64_t seed = 1;

static size_t cached(void)
{
	return totals().cached_bytes;
}

static void burst(size_t size)
{
	for (size_t i = 0; i < BYTES / size; i++) {
		blocks[i] = strata_malloc(size);
		if (blocks[i] == NULL)
			fatal("no memory");
		pattern_write(blocks[i], size, i);
	}
	for (size_t i = 0; i < BYTES / size; i++) {
		if (!pattern_holds(blocks[i], size, i))
			fatal("block %zu has changed", i);
		strata_free(blocks[i]);
	}
}

static size_t burst_size;

/* Not after a number of bursts: the clock may just have come round. */
static bool bursts_keep(size_t bytes)
{
	burst(burst_size);
	return cached() >= bytes;
}

static void burst_until_kept(size_t size, size_t bytes)
{
	burst_size = size;
	assert_true(comes(bursts_keep, bytes, "a cache of so many bytes"));
}

static const size_t sizes[] = { 64, 200, 512, 2048, 16384 };

static int begin(void **state)
{
	(void)state;
	set_decay(STOPPED);
	set_number("cache", 8 * MIB);
	set_number("cache_all", 16 * MIB);
	set_number("cache_cpu", 0);
	strata_trim();
	return 0;
}

/* 64 blocks at most, and what a call leaves. */
static void what_is_freed_once_goes_home(void **state)
{
	(void)state;
	if (checked_mode())
		skip();
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		size_t before = cached();
		size_t most = 128 * sizes[i] < FEW ? 128 * sizes[i] : FEW;

		burst(sizes[i]);
		assert_true(cached() <= before + (most > 8 * KIB ? most : 8 * KIB));
	}
}

static void what_is_taken_again_is_kept(void **state)
{
	(void)state;
	if (checked_mode())
		skip();
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		strata_trim();
		burst_until_kept(sizes[i], cached() + BYTES / 2);
	}
}

/* Slow calls of another size, until the clock has come round. No bin may grow meanwhile, so they stay slow. */
static bool cache_is_below_after_work(size_t bytes)
{
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		others[i] = strata_malloc(100 * KIB);
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		strata_free(others[i]);
	return cached() <= bytes;
}

static void what_has_no_more_use_goes_home(void **state)
{
	(void)state;
	if (checked_mode())
		skip();
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		size_t before = cached();

		set_number("cache", 32 * MIB);
		burst_until_kept(sizes[i], before + BYTES / 2);
		set_number("cache", 0);
		set_decay(20);
		assert_true(comes(cache_is_below_after_work, before + FEW, "a cache of so many bytes"));
		set_decay(STOPPED);
	}
}

/* Few blocks of all sizes: where every bin has what they ask for, they come to no slow call, and what has no more use never goes. So
 * few, and such a pause, that the clock is looked at in spite of that: thread_divert_next grants 256 calls for each ms. */
static bool cache_is_below_after_few(size_t bytes)
{
	void *few[128];
	size_t count = 1 + random_below(&seed, sizeof few / sizeof *few);

	for (size_t i = 0; i < count; i++) {
		size_t size = (size_t)16 << random_below(&seed, 9);

		few[i] = strata_malloc(size + random_below(&seed, size));
	}
	for (size_t i = 0; i < count; i++)
		strata_free(few[i]);
	usleep(5000);
	return cached() <= bytes;
}

/* The few blocks by themselves make bins keep 1.5 to 2 MB. */
static void what_a_spike_filled_goes_home(void **state)
{
	static void *spike[50000];
	size_t count = 0;

	(void)state;
	if (checked_mode())
		skip();
	for (size_t bytes = 0; bytes < 128 * MIB && count < sizeof spike / sizeof *spike; count++) {
		size_t size = (size_t)64 << random_below(&seed, 10);

		size += random_below(&seed, size);
		spike[count] = strata_malloc(size);
		assert_non_null(spike[count]);
		bytes += size;
	}
	while (count > 0)
		strata_free(spike[--count]);
	assert_true(cached() > 6 * MIB);
	set_decay(20);
	assert_true(comes(cache_is_below_after_few, 4 * MIB, "a cache of so many bytes"));
	set_decay(STOPPED);
}

static void *large[4096];
static size_t large_count;

static void *some_large(void)
{
	void *block = strata_malloc(8 * KIB + random_below(&seed, 56 * KIB));

	if (block == NULL)
		fatal("no memory");
	return block;
}

static bool replacing_keeps(size_t bytes)
{
	for (size_t i = 0; i < 4096; i++) {
		void **at = &large[random_below(&seed, large_count)];

		strata_free(*at);
		*at = some_large();
	}
	return cached() >= bytes;
}

/* They may have an eighth of it, whatever the setting; when it has fallen what the setting says, and what waits of each size. */
static void a_large_heaps_bins_fall_with_it(void **state)
{
	(void)state;
	if (checked_mode())
		skip();
	set_number("cache", MIB);
	for (large_count = 0; large_count < 4096; large_count++)
		large[large_count] = some_large();
	assert_true(comes(replacing_keeps, 6 * MIB, "a cache of so many bytes"));
	while (large_count > 0)
		strata_free(large[--large_count]);
	assert_true(cached() <= 2 * MIB);
}

/* So much is in a bin of 1 MiB or more that is full, but for what a call brings home; in one of half of it never. A burst doubles it
 * once at most, so that it is found full before it grows further. */
#define FULL (MIB - 256 * KIB)

static void fill_small_bins(void)
{
	burst_until_kept(40, cached() + FULL);
	burst_until_kept(32, cached() + FULL);
	burst_until_kept(48, cached() + FULL);
}

/* What all threads may keep is 3 MiB here, with small blocks 6, and beside those 1.5 of others. */
static void small_and_large_leave_each_other_room(void **state)
{
	(void)state;
	if (checked_mode())
		skip();
	set_number("cache", 32 * MIB);
	set_number("cache_all", 3 * MIB);
	burst_until_kept(2048, cached() + FULL);
	fill_small_bins();
	strata_trim();
	fill_small_bins();
	burst_until_kept(2048, cached() + FULL);
}

/* And what a call brings home, and some sizes' first blocks. */
static void objects_have_a_quarter(void **state)
{
	(void)state;
	if (checked_mode())
		skip();
	set_number("cache", 2 * MIB);
	for (size_t i = 0; i < 50; i++)
		burst(i % 2 == 0 ? 512 : 64);
	assert_true(cached() <= 512 * KIB + 128 * KIB);
	burst_until_kept(64, 384 * KIB);
	burst_until_kept(520, MIB);
}

/* At least one, whatever the machine. */
static void each_processor_adds_room(void **state)
{
	(void)state;
	if (checked_mode())
		skip();
	set_number("cache_all", 64 * KIB);
	for (size_t i = 0; i < 50; i++)
		burst(2048);
	assert_true(cached() <= FEW);
	set_number("cache_cpu", 2 * MIB);
	burst_until_kept(2048, MIB);
}

#define THREADS 8
#define TURNS 20
#define SIZE 2048

static pthread_barrier_t turn;

/* By turns, so that no two ask at once whether there is room. */
static void *take_turns(void *number)
{
	void **mine = malloc(BYTES / SIZE * sizeof *mine);

	for (size_t i = 0; i < TURNS * THREADS; i++) {
		if (i % THREADS == (uintptr_t)number) {
			for (size_t j = 0; j < BYTES / SIZE; j++)
				mine[j] = strata_malloc(SIZE);
			for (size_t j = 0; j < BYTES / SIZE; j++)
				strata_free(mine[j]);
		}
		pthread_barrier_wait(&turn);
	}
	pthread_barrier_wait(&turn); /* looked at */
	free(mine);
	return NULL;
}

/* Each could keep 2 MiB, and all together 2: an eighth more for what they have not told, and what a refill brings. */
static void all_keep_no_more_than_they_may(void **state)
{
	pthread_t threads[THREADS];
	size_t before;

	(void)state;
	if (checked_mode())
		skip();
	set_number("cache_all", 2 * MIB);
	pthread_barrier_init(&turn, NULL, THREADS + 1);
	before = cached();
	for (size_t i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, take_turns, (void *)i) != 0)
			fatal("no thread");
	for (size_t i = 0; i < TURNS * THREADS; i++)
		pthread_barrier_wait(&turn);
	assert_true(cached() - before <= 2 * MIB + 2 * MIB / 8 + THREADS * 64 * KIB);
	assert_true(cached() - before >= MIB / 2);
	pthread_barrier_wait(&turn);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&turn);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_is_freed_once_goes_home, begin),
		cmocka_unit_test_setup(what_is_taken_again_is_kept, begin),
		cmocka_unit_test_setup(what_has_no_more_use_goes_home, begin),
		cmocka_unit_test_setup(what_a_spike_filled_goes_home, begin),
		cmocka_unit_test_setup(a_large_heaps_bins_fall_with_it, begin),
		cmocka_unit_test_setup(small_and_large_leave_each_other_room, begin),
		cmocka_unit_test_setup(objects_have_a_quarter, begin),
		cmocka_unit_test_setup(each_processor_adds_room, begin),
		cmocka_unit_test_setup(all_keep_no_more_than_they_may, begin),
	};

	(void)argc;
	leave_out_the_container(argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
