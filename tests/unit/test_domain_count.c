/* SPDX-License-Identifier: MIT */
/*
 * Accounting of domains: totals exact when no call is in progress, whichever thread freed; peaks within
 * threads * STRATA_DOMAIN_BATCH, and exact for a thread that is alone.
 */
#include <pthread.h>

#include <strata/typed.h>

#include "domain_support.h"

#define BLOCKS 5000

/* The debug hooks count what was requested; check:1 as well, but for objects their class. */
static bool hooked, checked;

static size_t counted(size_t size)
{
	if (hooked || (checked && size > OBJECT_MAX))
		return size;
	return strata_good_size(size <= OBJECT_MAX ? (size + 15) / 16 * 16 : size);
}

static void what_is_counted(void **state)
{
	struct strata_domain_stats before = read_stats(OBJ), after;
	void *blocks[3];

	(void)state;
	blocks[0] = strata_domain_malloc(OBJ, 24);
	blocks[1] = strata_domain_calloc(OBJ, 3, 8);
	blocks[2] = strata_domain_realloc(OBJ, NULL, 40);
	after = read_stats(OBJ);
	assert_int_equal(after.live_bytes - before.live_bytes, 88);
	assert_int_equal(after.live_blocks - before.live_blocks, 3);
	assert_int_equal(after.allocations - before.allocations, 3);
	assert_int_equal(after.frees, before.frees);
	blocks[2] = strata_domain_realloc(OBJ, blocks[2], 400);
	assert_int_equal(read_stats(OBJ).live_bytes - before.live_bytes, 448);
	blocks[2] = strata_domain_realloc(OBJ, blocks[2], 80);
	assert_int_equal(read_stats(OBJ).live_bytes - before.live_bytes, 128);
	assert_int_equal(read_stats(OBJ).live_blocks - before.live_blocks, 3);
	assert_int_equal(read_stats(OBJ).allocations, after.allocations);
	for (int i = 0; i < 3; i++)
		strata_domain_free(OBJ, blocks[i]);
	strata_domain_free(OBJ, NULL);
	after = read_stats(OBJ);
	assert_int_equal(after.live_bytes, before.live_bytes);
	assert_int_equal(after.live_blocks, before.live_blocks);
	assert_int_equal(after.frees - before.frees, 3);
	assert_int_equal(after.refused, before.refused);
}

static void a_shorter_structure_gets_its_part(void **state)
{
	struct strata_domain_stats stats, longer[2];
	void *block = strata_domain_malloc(OBJ, 8);

	(void)state;
	memset(&stats, 0xff, sizeof stats);
	assert_int_equal(strata_domain_stats_read(OBJ, &stats, sizeof stats.live_bytes), 0);
	assert_true(stats.live_bytes != UINT64_MAX);
	assert_true(stats.live_blocks == UINT64_MAX);
	memset(longer, 0xff, sizeof longer);
	assert_int_equal(strata_domain_stats_read(OBJ, longer, sizeof longer), 0);
	assert_true(all_zero(&longer[1], sizeof longer[1]));
	strata_domain_free(OBJ, block);
}

/* ---- Threads: each allocates, all free each other's; the sums agree with what the test itself has added up ---------- */

static void *shared[THREADS][BLOCKS];
static size_t sizes[THREADS][BLOCKS];
static pthread_barrier_t step;

static void *works(void *argument)
{
	size_t self = (size_t)argument;
	uint64_t random = self + 1;

	for (size_t i = 0; i < BLOCKS; i++) {
		sizes[self][i] = 1 + random_below(&random, i % 50 == 0 ? 100000 : 500);
		shared[self][i] = strata_domain_malloc(BUF, sizes[self][i]);
	}
	pthread_barrier_wait(&step); /* all allocated; read */
	pthread_barrier_wait(&step);
	for (size_t i = 0; i < BLOCKS; i += 2)
		strata_domain_free(BUF, shared[(self + i) % THREADS][i]);
	pthread_barrier_wait(&step); /* half freed; read */
	pthread_barrier_wait(&step);
	return NULL;
}

static uint64_t expected_bytes(size_t from, size_t by)
{
	uint64_t bytes = 0;

	for (size_t thread = 0; thread < THREADS; thread++)
		for (size_t i = from; i < BLOCKS; i += by)
			bytes += counted(sizes[thread][i]);
	return bytes;
}

static void totals_are_exact_across_threads(void **state)
{
	struct strata_domain_stats before = read_stats(BUF), after;
	pthread_t threads[THREADS];

	(void)state;
	pthread_barrier_init(&step, NULL, THREADS + 1);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, works, (void *)i), 0);
	pthread_barrier_wait(&step);
	after = read_stats(BUF);
	assert_int_equal(after.live_bytes - before.live_bytes, expected_bytes(0, 1));
	assert_int_equal(after.live_blocks - before.live_blocks, THREADS * BLOCKS);
	assert_true(after.peak_bytes >= after.live_bytes);
	pthread_barrier_wait(&step);
	pthread_barrier_wait(&step);
	after = read_stats(BUF);
	assert_int_equal(after.live_bytes - before.live_bytes, expected_bytes(1, 2));
	assert_int_equal(after.live_blocks - before.live_blocks, THREADS * BLOCKS / 2);
	pthread_barrier_wait(&step);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	/* The threads are gone; what they counted is not. */
	after = read_stats(BUF);
	assert_int_equal(after.live_bytes - before.live_bytes, expected_bytes(1, 2));
	for (size_t thread = 0; thread < THREADS; thread++)
		for (size_t i = 1; i < BLOCKS; i += 2)
			strata_domain_free(BUF, shared[thread][i]);
	after = read_stats(BUF);
	assert_int_equal(after.live_bytes, before.live_bytes);
	assert_int_equal(after.live_blocks, before.live_blocks);
	assert_int_equal(after.allocations - before.allocations, THREADS * BLOCKS);
	assert_int_equal(after.frees - before.frees, THREADS * BLOCKS);
}

static void *comes_and_goes(void *block)
{
	strata_domain_free(OBJ, block);
	return strata_domain_malloc(OBJ, 48);
}

static void threads_come_and_go(void **state)
{
	struct strata_domain_stats before = read_stats(OBJ);
	void *block = NULL;

	(void)state;
	for (int i = 0; i < 500; i++) {
		pthread_t thread;

		assert_int_equal(pthread_create(&thread, NULL, comes_and_goes, block), 0);
		pthread_join(thread, &block);
	}
	assert_int_equal(read_stats(OBJ).live_bytes - before.live_bytes, 48);
	strata_domain_free(OBJ, block);
	assert_int_equal(read_stats(OBJ).live_bytes, before.live_bytes);
	assert_int_equal(read_stats(OBJ).allocations - before.allocations, 500);
}

/* A destructor that runs after strata's own calls as well. */
static pthread_key_t late;

static void at_end(void *rounds)
{
	strata_domain_free(OBJ, strata_domain_malloc(OBJ, 100));
	if ((size_t)rounds < 4)
		pthread_setspecific(late, (char *)rounds + 1);
}

static void *ends_late(void *argument)
{
	pthread_setspecific(late, (void *)1);
	return argument;
}

static void calls_at_a_threads_end_are_counted(void **state)
{
	struct strata_domain_stats before = read_stats(OBJ), after;
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_key_create(&late, at_end), 0);
	assert_int_equal(pthread_create(&thread, NULL, ends_late, NULL), 0);
	pthread_join(thread, NULL);
	after = read_stats(OBJ);
	assert_int_equal(after.allocations - before.allocations, 4);
	assert_int_equal(after.frees - before.frees, 4);
	assert_int_equal(after.live_bytes, before.live_bytes);
	pthread_key_delete(late);
}

static void objects_of_types_are_counted(void **state)
{
	struct strata_type_info info = {.name = "counted", .shape = STRATA_FIXED, .size = 64};
	strata_type *type = strata_type_register(&info, sizeof info);
	struct strata_domain_stats before = read_stats(STRATA_DOMAIN_TYPED), after;
	void *objects[100];

	(void)state;
	assert_non_null(type);
	for (int i = 0; i < 100; i++)
		assert_non_null(objects[i] = strata_type_alloc(type));
	after = read_stats(STRATA_DOMAIN_TYPED);
	assert_int_equal(after.live_blocks - before.live_blocks, 100);
	assert_true(after.live_bytes - before.live_bytes >= 6400);
	assert_int_equal(after.allocations - before.allocations, 100);
	for (int i = 0; i < 100; i++)
		strata_type_free(type, objects[i]);
	after = read_stats(STRATA_DOMAIN_TYPED);
	assert_int_equal(after.live_bytes, before.live_bytes);
	assert_int_equal(after.frees - before.frees, 100);
	assert_int_equal(strata_type_unregister(type, NULL), 0);
}

/* What was not had after all is no part of either, with a limit that would have allowed it, and without one. */
static void what_was_refused_is_not_counted(void **state)
{
	const struct strata_domain_quota quotas[] = {{.hard_bytes = 0}, {.hard_bytes = (uint64_t)1 << 50}, {.hard_bytes = UINT64_MAX}};
	const size_t sizes[] = {(size_t)1 << 46, PTRDIFF_MAX};
	void *block = strata_domain_malloc(BUF, 1000);
	uint64_t live = read_stats(BUF).live_bytes;

	(void)state;
	assert_int_equal(strata_domain_reset_peak(BUF), 0);
	for (size_t i = 0; i < sizeof quotas / sizeof *quotas; i++) {
		assert_int_equal(strata_domain_set_quota(BUF, &quotas[i]), 0);
		for (size_t j = 0; j < sizeof sizes / sizeof *sizes; j++)
			assert_null(strata_domain_realloc(BUF, block, opaque(sizes[j])));
		assert_int_equal(read_stats(BUF).live_bytes, live);
		assert_int_equal(read_stats(BUF).peak_bytes, live);
	}
	assert_int_equal(strata_domain_set_quota(BUF, NULL), 0);
	strata_domain_free(BUF, block);
}

/* ---- Peaks ---------------------------------------------------------------------------------------------------------- */

static void the_peak_stays(void **state)
{
	uint64_t live = read_stats(BUF).live_bytes;
	void *block;

	(void)state;
	assert_int_equal(strata_domain_reset_peak(BUF), 0);
	assert_int_equal(read_stats(BUF).peak_bytes, live);
	block = strata_domain_malloc(BUF, MIB);
	strata_domain_free(BUF, block);
	assert_in_range(read_stats(BUF).peak_bytes, live + MIB - STRATA_DOMAIN_BATCH, live + MIB);
	for (int i = 0; i < 1000; i++)
		strata_domain_free(BUF, strata_domain_malloc(BUF, 1000));
	assert_in_range(read_stats(BUF).peak_bytes, live + MIB - STRATA_DOMAIN_BATCH, live + MIB);
	assert_int_equal(strata_domain_reset_peak(BUF), 0);
	assert_int_equal(read_stats(BUF).peak_bytes, live);
}

static void *has_a_large_block(void *grows)
{
	void *block = strata_domain_malloc(BUF, grows ? 1000 : MIB);

	if (grows)
		block = strata_domain_realloc(BUF, block, MIB);
	strata_domain_free(BUF, block);
	return NULL;
}

/* At once, whatever was reported before: by a thread that has nothing else pending. What the main thread has may be missing. */
static void a_large_block_is_in_the_peak(void **state)
{
	(void)state;
	for (int grows = 0; grows < 2; grows++) {
		pthread_t thread;
		uint64_t live = read_stats(BUF).live_bytes;

		assert_int_equal(strata_domain_reset_peak(BUF), 0);
		assert_int_equal(pthread_create(&thread, NULL, has_a_large_block, grows ? &thread : NULL), 0);
		assert_int_equal(pthread_join(thread, NULL), 0);
		assert_int_equal(read_stats(BUF).live_bytes, live);
		assert_in_range(read_stats(BUF).peak_bytes, live + MIB - STRATA_DOMAIN_BATCH, live + MIB + STRATA_DOMAIN_BATCH);
	}
}

/* The hooks keep what is freed for a while: it is not the program's. */
static void what_the_hooks_keep_is_not_live(void **state)
{
	struct strata_stats before;
	void *blocks[100];

	(void)state;
	/* The first call loads what walks stacks. */
	strata_domain_free(BUF, strata_domain_malloc(BUF, 500));
	before = totals();
	for (size_t i = 0; i < 100; i++)
		blocks[i] = strata_domain_malloc(BUF, 500);
	assert_true(totals().live_blocks >= before.live_blocks + 100);
	for (size_t i = 0; i < 100; i++)
		strata_domain_free(BUF, blocks[i]);
	assert_int_equal(totals().live_blocks, before.live_blocks);
	assert_int_equal(totals().live_bytes, before.live_bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_hooks_keep_is_not_live), /* the first: they keep nothing yet */
		cmocka_unit_test(what_is_counted),
		cmocka_unit_test(a_shorter_structure_gets_its_part),
		cmocka_unit_test(totals_are_exact_across_threads),
		cmocka_unit_test(threads_come_and_go),
		cmocka_unit_test(calls_at_a_threads_end_are_counted),
		cmocka_unit_test(objects_of_types_are_counted),
		cmocka_unit_test(what_was_refused_is_not_counted),
		cmocka_unit_test(the_peak_stays),
		cmocka_unit_test(a_large_block_is_in_the_peak),
	};

	struct strata_option hooks;

	checked = checked_mode();
	if (strata_option_get("domain_debug", &hooks) != 0)
		return 1;
	hooked = hooks.number != 0;
	return cmocka_run_group_tests_name("domain accounting", tests, NULL, NULL);
}
