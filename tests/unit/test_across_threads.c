/* SPDX-License-Identifier: MIT */
/*
 * Blocks that another thread frees come back to their owner, each once and whole, whatever their sizes, however many are freed
 * together and for however many owners; and until they are back they are counted as free.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <strata/strata.h>

#include "support.h"

#define MOST 600
#define OWNERS 60

static void *blocks[MOST];
static size_t sizes[MOST];
static size_t count;

static size_t any_size(size_t i)
{
	return i % 11 == 10 ? 513 + i * 97 % 20000 : 1 + i * 37 % 512;
}

static void allocate(size_t size)
{
	for (size_t i = 0; i < count; i++) {
		sizes[i] = size != 0 ? size : any_size(i);
		blocks[i] = strata_malloc(sizes[i]);
		if (blocks[i] == NULL)
			fatal("no memory");
		pattern_write(blocks[i], sizes[i], i);
	}
}

/* Two blocks in one place would not both hold. */
static void verify(void)
{
	for (size_t i = 0; i < count; i++)
		if (!pattern_holds(blocks[i], sizes[i], i))
			fatal("block %zu of %zu, %zu bytes, has changed", i, count, sizes[i]);
}

static void *free_all(void *unused)
{
	for (size_t i = 0; i < count; i++)
		strata_free(blocks[i]);
	return unused;
}

static void free_by_another(void)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, free_all, NULL), 0);
	pthread_join(thread, NULL);
}

static void hand_back_and_forth(size_t size)
{
	for (int round = 0; round < 3; round++) {
		allocate(size);
		verify();
		shuffle(blocks, count);
		free_by_another();
	}
}

/* What does not come home stays among what is cached. */
static void all_are_home(uint64_t cached)
{
	strata_trim();
	if (!checked_mode())
		assert_true(totals().cached_bytes <= cached);
}

static uint64_t cached_at_first(void)
{
	strata_trim();
	return totals().cached_bytes;
}

static const size_t counts[] = {1, 2, 63, 64, 65, 200, MOST};

static void of_one_size(void **state)
{
	(void)state;
	for (size_t size = 1; size <= 16384; size += size < 80 ? 8 : size / 3) {
		uint64_t live = totals().live_blocks, cached = cached_at_first();

		for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
			count = counts[i];
			hand_back_and_forth(size);
		}
		/* libc keeps a block or two for the threads that it made. */
		assert_true(totals().live_blocks <= live + 8);
		all_are_home(cached);
	}
}

static void of_all_sizes(void **state)
{
	uint64_t live = totals().live_blocks, cached = cached_at_first();

	(void)state;
	for (count = 1; count <= MOST; count += 1 + count / 3)
		hand_back_and_forth(0);
	assert_true(totals().live_blocks <= live + 8);
	all_are_home(cached);
}

static pthread_barrier_t filled;
static pthread_barrier_t freed;

static void *allocate_share(void *argument)
{
	size_t first = (size_t)argument;
	uint64_t own;

	for (size_t i = first; i < MOST; i += OWNERS) {
		blocks[i] = strata_malloc(sizes[i]);
		if (blocks[i] == NULL)
			fatal("no memory");
		pattern_write(blocks[i], sizes[i], i);
	}
	pthread_barrier_wait(&filled);
	pthread_barrier_wait(&freed);
	/* What came back serves again. */
	own = first + 1;
	for (size_t i = first; i < MOST; i += OWNERS) {
		blocks[i] = strata_malloc(sizes[i]);
		if (blocks[i] == NULL)
			fatal("no memory");
		pattern_write(blocks[i], sizes[i], own + i);
	}
	for (size_t i = first; i < MOST; i += OWNERS)
		if (!pattern_holds(blocks[i], sizes[i], own + i))
			fatal("block %zu has changed", i);
	for (size_t i = first; i < MOST; i += OWNERS)
		strata_free(blocks[i]);
	return NULL;
}

/* More owners than a thread collects for at a time. */
static void of_many_owners(void **state)
{
	pthread_t threads[OWNERS];
	uint64_t live, cached = cached_at_first();

	(void)state;
	for (size_t i = 0; i < MOST; i++)
		sizes[i] = any_size(i);
	live = totals().live_blocks;
	for (int round = 0; round < 10; round++) {
		pthread_barrier_init(&filled, NULL, OWNERS + 1);
		pthread_barrier_init(&freed, NULL, OWNERS + 1);
		for (size_t i = 0; i < OWNERS; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, allocate_share, (void *)i), 0);
		pthread_barrier_wait(&filled);
		for (size_t i = 0; i < MOST; i++) {
			if (!pattern_holds(blocks[i], sizes[i], i))
				fatal("block %zu has changed", i);
			strata_free(blocks[i]);
		}
		pthread_barrier_wait(&freed);
		for (size_t i = 0; i < OWNERS; i++)
			pthread_join(threads[i], NULL);
		pthread_barrier_destroy(&filled);
		pthread_barrier_destroy(&freed);
	}
	assert_true(totals().live_blocks <= live + OWNERS);
	all_are_home(cached);
}

static uint64_t freed_bytes;

static void *free_all_and_count(void *unused)
{
	uint64_t live = totals().live_bytes;

	free_all(NULL);
	freed_bytes = live - totals().live_bytes;
	return unused;
}

/* In the batches of a thread that goes on, and in the owner's inbox: neither live nor counted twice. */
static void they_are_free_on_their_way(void **state)
{
	(void)state;
	/* Under check:1 they are in quarantine, and what each takes with its trailer is counted. */
	if (checked_mode())
		skip();
	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
		pthread_t thread;

		count = counts[i];
		allocate(100);
		assert_int_equal(pthread_create(&thread, NULL, free_all_and_count, NULL), 0);
		pthread_join(thread, NULL);
		assert_int_equal(freed_bytes, count * strata_good_size(100));
	}
}

static void *own_blocks[MOST];

static void *free_each_and_allocate(void *serves)
{
	/* Its own are kept: a thread whose bin is half full already has no use for more. */
	for (size_t i = 0; i < count; i++) {
		void *own = strata_malloc(sizes[i]), *freed = blocks[i];

		strata_free(freed);
		blocks[i] = strata_malloc(sizes[i]);
		*(bool *)serves |= blocks[i] == freed;
		pattern_write(blocks[i], sizes[i], i);
		own_blocks[i] = own;
	}
	for (size_t i = 0; i < count; i++)
		strata_free(own_blocks[i]);
	return NULL;
}

/* Some of a few lines would have two threads write to one of them. */
static void those_of_many_lines_serve_who_freed_them(void **state)
{
	(void)state;
	if (checked_mode())
		skip();
	for (size_t size = 64; size <= 16000; size *= 5) {
		uint64_t live = totals().live_blocks, cached = cached_at_first();
		bool serves = false;
		pthread_t thread;

		count = 20;
		allocate(size);
		assert_int_equal(pthread_create(&thread, NULL, free_each_and_allocate, &serves), 0);
		pthread_join(thread, NULL);
		verify();
		assert_int_equal(serves, size > 512);
		free_all(NULL);
		assert_true(totals().live_blocks <= live + 2);
		all_are_home(cached);
	}
}

#define LARGE (64 * KIB)

static uint64_t cached_after_another_freed(size_t many)
{
	size_t rest = count - many;

	count = many;
	free_by_another();
	memmove(blocks, blocks + many, rest * sizeof *blocks);
	count = rest;
	return totals().cached_bytes;
}

/* Large blocks of the calling thread's, with the clock stopped. Returns what is cached then. */
static uint64_t begin_with_large(size_t blocks_wanted)
{
	set_decay(STOPPED);
	strata_trim();
	count = blocks_wanted;
	allocate(LARGE);
	return totals().cached_bytes;
}

static void end_with_large(void)
{
	free_all(NULL);
	strata_trim();
}

/* With 32 MiB of its own, an eighth of which it may have to wait for before others take it home. */
static void an_owner_at_work_is_left_alone(void **state)
{
	uint64_t before;

	(void)state;
	if (checked_mode())
		skip();
	before = begin_with_large(512);
	assert_true(cached_after_another_freed(24) >= before + 24 * LARGE);
	/* But not while ever more wait. */
	assert_true(cached_after_another_freed(300) <= before + 512 * LARGE / 8 + MIB);
	end_with_large();
}

/* As what it freed itself would be. */
static void what_comes_back_is_kept(void **state)
{
	uint64_t before;

	(void)state;
	if (checked_mode())
		skip();
	before = begin_with_large(16);
	cached_after_another_freed(15);
	strata_free(strata_malloc(LARGE));
	assert_true(totals().cached_bytes >= before + 4 * LARGE);
	end_with_large();
}

static void *allocate_and_sleep(void *unused)
{
	allocate(LARGE);
	pthread_barrier_wait(&filled);
	pthread_barrier_wait(&freed);
	return unused;
}

/* Though its bins may not be claimed. */
static void what_waits_for_a_sleeper_goes_by_trim(void **state)
{
	pthread_t thread;
	uint64_t before;

	(void)state;
	if (checked_mode())
		skip();
	set_decay(STOPPED);
	set_number("reclaim", 0);
	pthread_barrier_init(&filled, NULL, 2);
	pthread_barrier_init(&freed, NULL, 2);
	count = 512;
	assert_int_equal(pthread_create(&thread, NULL, allocate_and_sleep, NULL), 0);
	pthread_barrier_wait(&filled);
	strata_trim();
	before = totals().cached_bytes;
	assert_true(cached_after_another_freed(24) >= before + 24 * LARGE);
	strata_trim();
	assert_true(totals().cached_bytes < before + LARGE);
	free_all(NULL);
	pthread_barrier_wait(&freed);
	pthread_join(thread, NULL);
	pthread_barrier_destroy(&filled);
	pthread_barrier_destroy(&freed);
	set_number("reclaim", 1);
}

/* What one thread set up and another replaces, again and again, while the first sleeps: the first's pools go, and do not stay half empty
 * beside the other's. */
enum { SET_UP = 60000, ROUNDS = 12 };

static void *set_up[SET_UP];

static void *replace_all(void *unused)
{
	uint64_t random = 4711;

	for (size_t i = 0; i < (size_t)SET_UP * ROUNDS; i++) {
		void *block = strata_malloc(520 + random_below(&random, 520));

		if (block == NULL)
			fatal("no memory");
		strata_free(set_up[i % SET_UP]);
		set_up[i % SET_UP] = block;
	}
	return unused;
}

static void a_sleepers_pools_do_not_stay_half_empty(void **state)
{
	uint64_t random = 17;
	pthread_t thread;

	(void)state;
	if (checked_mode())
		skip();
	strata_trim();
	for (size_t i = 0; i < SET_UP; i++)
		assert_non_null(set_up[i] = strata_malloc(520 + random_below(&random, 520)));
	assert_int_equal(pthread_create(&thread, NULL, replace_all, NULL), 0);
	pthread_join(thread, NULL);
	assert_true(totals().pooled_bytes < totals().live_bytes * 2 / 5);
	for (size_t i = 0; i < SET_UP; i++)
		strata_free(set_up[i]);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_one_size),
		cmocka_unit_test(of_all_sizes),
		cmocka_unit_test(of_many_owners),
		cmocka_unit_test(they_are_free_on_their_way),
		cmocka_unit_test(those_of_many_lines_serve_who_freed_them),
		cmocka_unit_test(an_owner_at_work_is_left_alone),
		cmocka_unit_test(what_comes_back_is_kept),
		cmocka_unit_test(what_waits_for_a_sleeper_goes_by_trim),
		cmocka_unit_test(a_sleepers_pools_do_not_stay_half_empty),
	};

	(void)argc;
	leave_out_the_container(argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
