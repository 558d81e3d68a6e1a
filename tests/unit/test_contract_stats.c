/* SPDX-License-Identifier: MIT */
/*
 * The truth of strata_stats_read, mallinfo2, malloc_info, malloc_stats and malloc_trim: what they say changes by
 * exactly what was allocated and freed, by whichever thread. The threads of these tests are quiescent whenever
 * totals are read, and no test allocates between two readings but what it states.
 */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <strata/strata.h>

#include "support.h"
#include "well_formed.h"

/* With what the fields' definitions imply. */
static struct strata_stats sound_totals(void)
{
	struct strata_stats stats = totals();

	assert_true(stats.run_bytes <= stats.live_bytes);
	assert_true(stats.live_bytes + stats.cached_bytes + stats.pooled_bytes + stats.free_bytes <= stats.heap_bytes);
	assert_true(stats.heap_bytes <= stats.reserved_bytes);
	assert_true(stats.threads <= stats.heaps);
	return stats;
}

static void live_totals_follow_every_size_exactly(void **state)
{
	const size_t *sizes;
	size_t count = interesting_sizes(&sizes);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		struct strata_stats before = sound_totals(), held, after;
		void *block = malloc(sizes[i]);
		size_t usable = malloc_usable_size(block);

		assert_non_null(block);
		held = sound_totals();
		free(block);
		after = sound_totals();
		assert_int_equal(held.live_blocks, before.live_blocks + 1);
		assert_int_equal(held.live_bytes, before.live_bytes + usable);
		assert_int_equal(held.run_bytes, before.run_bytes + (usable > MEDIUM_MAX ? usable : 0));
		assert_int_equal(after.live_blocks, before.live_blocks);
		assert_int_equal(after.live_bytes, before.live_bytes);
		assert_int_equal(after.run_bytes, before.run_bytes);
	}
}

enum { MANY = 6000 };
static void *blocks[MANY];

static size_t allocate_many(void)
{
	uint64_t random = 42;
	size_t bytes = 0;

	for (size_t i = 0; i < MANY; i++) {
		size_t size = random_size(&random, 300 * KIB);

		blocks[i] = i % 3 ? malloc(size) : strata_malloc(size);
		if (blocks[i] == NULL)
			fatal("no memory");
		bytes += strata_usable_size(blocks[i]);
	}
	return bytes;
}

static void free_many(void)
{
	for (size_t i = 0; i < MANY; i++)
		free(blocks[i * 7919 % MANY]);
}

static void live_totals_follow_many_blocks_exactly(void **state)
{
	(void)state;
	for (int round = 0; round < 5; round++) {
		struct strata_stats before = sound_totals(), held, after;
		size_t bytes = allocate_many();

		held = sound_totals();
		free_many();
		after = sound_totals();
		assert_int_equal(held.live_blocks, before.live_blocks + MANY);
		assert_int_equal(held.live_bytes, before.live_bytes + bytes);
		assert_int_equal(after.live_blocks, before.live_blocks);
		assert_int_equal(after.live_bytes, before.live_bytes);
	}
}

static void live_totals_follow_realloc_exactly(void **state)
{
	const size_t sizes[] = {1, 100, 600, 5000, 70000, MIB, 3 * MIB, 65536, 65537, 20, 513};
	struct strata_stats before = sound_totals(), now;
	void *block = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		block = realloc(block, sizes[i]);
		assert_non_null(block);
		now = sound_totals();
		assert_int_equal(now.live_blocks, before.live_blocks + 1);
		assert_int_equal(now.live_bytes, before.live_bytes + malloc_usable_size(block));
	}
	free(block);
	now = sound_totals();
	assert_int_equal(now.live_bytes, before.live_bytes);
}

static uint64_t used_bytes(void)
{
	struct strata_stats stats = totals();

	return stats.heap_bytes - stats.free_bytes;
}

/* A run of a bit more than an arena, into the second one that it has: fresh pages, each of which costs one. */
static void what_a_run_costs_follows_each_step(void **state)
{
	size_t size = 300000;
	uint64_t before;
	char *run;

	(void)state;
	if (checked_mode())
		skip();
	strata_trim();
	run = strata_malloc(size);
	assert_non_null(run);
	for (int round = 0; round < 3; round++) {
		before = used_bytes();
		for (size_t step = 1; step <= 40; step++) {
			assert_ptr_equal(strata_realloc(run, size + step * 4096), run);
			assert_int_equal(used_bytes(), before + step * 4096);
		}
		assert_ptr_equal(strata_realloc(run, size), run);
		assert_int_equal(used_bytes(), before);
	}
	strata_free(run);
}

#define RUNS 4

/* In steps of a page or few, halved, and far off; every byte that they cost is accounted for as long as they do. */
static void what_runs_cost_follows_realloc(void **state)
{
	char *runs[RUNS] = {NULL};
	size_t sizes[RUNS] = {0}, live = 0;
	uint64_t before;

	(void)state;
	if (checked_mode())
		skip();
	strata_trim();
	before = used_bytes();
	for (unsigned i = 0; i < 4000; i++) {
		uint64_t random = i * UINT64_C(0x9e3779b97f4a7c15) >> 20;
		size_t *size = &sizes[random % RUNS];
		size_t wanted = i % 16 == 15 ? 300000 + random / RUNS % 60 * 100000 :
				i % 16 == 7 ? *size / 2 + 1 : *size + (1 + random / RUNS % 3) * 4096;

		runs[random % RUNS] = strata_realloc(runs[random % RUNS], wanted);
		assert_non_null(runs[random % RUNS]);
		memset(runs[random % RUNS], 1, wanted);
		live += wanted - *size;
		*size = wanted;
		/* Pools that were in use before may go meanwhile. */
		assert_true(used_bytes() + MIB >= before + live);
	}
	for (size_t i = 0; i < RUNS; i++)
		strata_free(runs[i]);
	strata_trim();
	assert_true(used_bytes() <= before + 65536);
}

/* A second thread that does one thing whenever asked, and is otherwise asleep. It uses none of cmocka's assertions. */
static struct {
	sem_t go, done;
	enum { ALLOCATE, FREE, LEAVE } what;
	size_t bytes;
} helper;

static void *helper_main(void *unused)
{
	for (;;) {
		while (sem_wait(&helper.go) != 0)
			continue;
		if (helper.what == LEAVE)
			return unused;
		if (helper.what == ALLOCATE)
			helper.bytes = allocate_many();
		else
			free_many();
		sem_post(&helper.done);
	}
}

static void ask(int what)
{
	helper.what = what;
	sem_post(&helper.go);
	while (sem_wait(&helper.done) != 0)
		continue;
}

static pthread_t helper_start(void)
{
	pthread_t thread;

	sem_init(&helper.go, 0, 0);
	sem_init(&helper.done, 0, 0);
	assert_int_equal(pthread_create(&thread, NULL, helper_main, NULL), 0);
	/* Its first calls, after which its heap exists. */
	ask(ALLOCATE);
	ask(FREE);
	return thread;
}

static void helper_end(pthread_t thread)
{
	helper.what = LEAVE;
	sem_post(&helper.go);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

static void what_another_thread_frees_is_exact(void **state)
{
	pthread_t thread = helper_start();

	(void)state;
	for (int round = 0; round < 4; round++) {
		struct strata_stats before = sound_totals(), held, after;
		size_t bytes = allocate_many();

		held = sound_totals();
		assert_int_equal(held.live_bytes, before.live_bytes + bytes);
		ask(FREE);
		after = sound_totals();
		assert_int_equal(after.live_blocks, before.live_blocks);
		assert_int_equal(after.live_bytes, before.live_bytes);
		assert_int_equal(after.run_bytes, before.run_bytes);

		ask(ALLOCATE);
		held = sound_totals();
		assert_int_equal(held.live_blocks, before.live_blocks + MANY);
		assert_int_equal(held.live_bytes, before.live_bytes + helper.bytes);
		free_many();
		after = sound_totals();
		assert_int_equal(after.live_blocks, before.live_blocks);
		assert_int_equal(after.live_bytes, before.live_bytes);
	}
	helper_end(thread);
}

static void what_a_dead_thread_left_is_exact(void **state)
{
	pthread_t thread = helper_start();
	struct strata_stats before, held, after;

	(void)state;
	before = sound_totals();
	ask(ALLOCATE);
	held = sound_totals();
	assert_int_equal(held.live_bytes, before.live_bytes + helper.bytes);
	helper_end(thread);
	held = sound_totals();
	assert_int_equal(held.threads, before.threads - 1);
	/* libc may free or keep what it holds for a thread; that is a block or two, and small. */
	assert_true(held.live_blocks <= before.live_blocks + MANY && held.live_blocks + 8 >= before.live_blocks + MANY);
	free_many();
	after = sound_totals();
	assert_int_equal(after.live_blocks, held.live_blocks - MANY);
	assert_int_equal(after.live_bytes, held.live_bytes - helper.bytes);
}

static void a_thread_is_counted_while_it_lives(void **state)
{
	uint64_t before = sound_totals().threads;
	pthread_t thread;

	(void)state;
	assert_true(before >= 1);
	thread = helper_start();
	assert_int_equal(sound_totals().threads, before + 1);
	helper_end(thread);
	assert_int_equal(sound_totals().threads, before);
}

static void reading_takes_any_size_of_structure(void **state)
{
	struct strata_stats whole = sound_totals();
	unsigned char bytes[sizeof whole + 64];

	(void)state;
	assert_int_equal(strata_stats_read(NULL, sizeof whole), EINVAL);
	assert_int_equal(strata_stats_read(&whole, 0), EINVAL);
	for (size_t size = 1; size <= sizeof bytes; size++) {
		memset(bytes, 0x77, sizeof bytes);
		assert_int_equal(strata_stats_read((struct strata_stats *)(void *)bytes, size), 0);
		for (size_t at = size; at < sizeof bytes; at++)
			assert_int_equal(bytes[at], 0x77);
	}
}

static void mallinfo2_follows_what_is_held(void **state)
{
	struct mallinfo2 before = mallinfo2(), held, after;
	size_t bytes = allocate_many();

	(void)state;
	held = mallinfo2();
	free_many();
	after = mallinfo2();
	/* In use: uordblks, to which a reading may or may not add large blocks, and hblkhd then has them. */
	assert_true(held.uordblks > before.uordblks);
	assert_true(held.uordblks - before.uordblks <= bytes);
	assert_true(held.uordblks - before.uordblks + (held.hblkhd - before.hblkhd) >= bytes);
	assert_int_equal(after.uordblks, before.uordblks);
	assert_true(held.uordblks <= held.arena + held.hblkhd);
}

static void malloc_info_is_well_formed(void **state)
{
	char *text = NULL;
	size_t length = 0;
	FILE *stream = open_memstream(&text, &length);

	(void)state;
	assert_non_null(stream);
	assert_int_equal(malloc_info(0, stream), 0);
	assert_int_equal(fclose(stream), 0);
	assert_true(length > 0);
	if (!xml_well_formed(text))
		fail_msg("not well-formed: %s", text);
	free(text);
	assert_int_not_equal(malloc_info(1, stdout), 0);
}

static void malloc_stats_writes_to_stderr(void **state)
{
	FILE *file = tmpfile();
	int saved = dup(STDERR_FILENO);

	(void)state;
	assert_non_null(file);
	assert_true(saved >= 0);
	fflush(stderr);
	assert_true(dup2(fileno(file), STDERR_FILENO) >= 0);
	malloc_stats();
	fflush(stderr);
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	close(saved);
	assert_true(lseek(fileno(file), 0, SEEK_END) > 0);
	fclose(file);
}

/* 1 if memory was given back, 0 if not: by our own account of it. */
static void trim_tells_the_truth(void)
{
	uint64_t purged = sound_totals().purged_bytes;
	int released = malloc_trim(0);

	assert_int_equal(released, sound_totals().purged_bytes > purged);
}

static void malloc_trim_gives_back_and_says_so(void **state)
{
	enum { BLOCKS = 40000, SIZE = 2000 };
	static void *held[BLOCKS];
	size_t before = resident_bytes();

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < BLOCKS; i++) {
			held[i] = malloc(SIZE);
			assert_non_null(held[i]);
			memset(held[i], 1, SIZE);
		}
		assert_true(resident_bytes() >= (size_t)BLOCKS * SIZE);
		for (size_t i = 0; i < BLOCKS; i++)
			free(held[i]);
		trim_tells_the_truth();
		assert_true(sound_totals().purged_bytes > 0);
		/* What may stay resident: tables that grew, and a little that cannot be given back. */
		assert_true(resident_bytes() < before + 8 * MIB);
		assert_true(sound_totals().free_bytes < 2 * MIB);
	}
	trim_tells_the_truth();
}

/* A run for which there is no room goes back in the call that frees it. */
static void what_goes_back_at_once_is_counted(void **state)
{
	uint64_t before;
	char *run;

	(void)state;
	if (checked_mode())
		skip();
	set_decay(0);
	run = malloc(64 * MIB);
	assert_non_null(run);
	memset(run, 1, 64 * MIB);
	before = sound_totals().purged_bytes;
	free(run);
	assert_true(sound_totals().purged_bytes - before >= 64 * MIB);
	set_decay(1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(live_totals_follow_every_size_exactly),
	    cmocka_unit_test(live_totals_follow_many_blocks_exactly),
	    cmocka_unit_test(live_totals_follow_realloc_exactly),
	    cmocka_unit_test(what_a_run_costs_follows_each_step),
	    cmocka_unit_test(what_runs_cost_follows_realloc),
	    cmocka_unit_test(what_another_thread_frees_is_exact),
	    cmocka_unit_test(what_a_dead_thread_left_is_exact),
	    cmocka_unit_test(a_thread_is_counted_while_it_lives),
	    cmocka_unit_test(reading_takes_any_size_of_structure),
	    cmocka_unit_test(mallinfo2_follows_what_is_held),
	    cmocka_unit_test(malloc_info_is_well_formed),
	    cmocka_unit_test(malloc_stats_writes_to_stderr),
	    cmocka_unit_test(malloc_trim_gives_back_and_says_so),
	    cmocka_unit_test(what_goes_back_at_once_is_counted),
	};

	require_strata_serves_malloc();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
