/* SPDX-License-Identifier: MIT */
/*
 * Accounting and quotas of domains: totals exact when no call is in progress, whichever thread freed; peaks and limits
 * within threads * STRATA_DOMAIN_BATCH, and exact for a thread that is alone.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <strata/domain.h>
#include <strata/typed.h>

#include "support.h"

#define OBJ STRATA_DOMAIN_OBJ
#define BUF STRATA_DOMAIN_BUF
#define THREADS 8
#define BLOCKS 5000

/* The debug hooks count what was requested; check:1 as well, but for objects their class. */
static bool hooked, checked;

static size_t counted(size_t size)
{
	if (hooked || (checked && size > OBJECT_MAX))
		return size;
	return strata_good_size(size <= OBJECT_MAX ? (size + 15) / 16 * 16 : size);
}

static struct strata_domain_stats read_stats(enum strata_domain domain)
{
	struct strata_domain_stats stats;

	assert_int_equal(strata_domain_stats_read(domain, &stats, sizeof stats), 0);
	return stats;
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

/* ---- Quotas --------------------------------------------------------------------------------------------------------- */

static void *held[20000];

static size_t fill_up(enum strata_domain domain, size_t size)
{
	size_t count = 0;

	while (count < sizeof held / sizeof *held && (held[count] = strata_domain_malloc(domain, size)) != NULL)
		count++;
	return count;
}

static void empty(enum strata_domain domain, size_t count)
{
	while (count > 0)
		strata_domain_free(domain, held[--count]);
}

static void the_hard_limit_holds(void **state)
{
	static const size_t each[] = {16, 100, 1000, 30000, 200000};
	uint64_t live = read_stats(BUF).live_bytes;
	struct strata_domain_quota quota = {.hard_bytes = live + MIB}, got;

	(void)state;
	assert_int_equal(strata_domain_set_quota(BUF, &quota), 0);
	assert_int_equal(strata_domain_get_quota(BUF, &got), 0);
	assert_int_equal(got.hard_bytes, quota.hard_bytes);
	for (size_t i = 0; i < sizeof each / sizeof *each; i++) {
		uint64_t refused = read_stats(BUF).refused, full;
		size_t count;
		void *block;

		errno = 0;
		if (each[i] == 16) {
			/* Too many to hold: larger ones first. */
			block = strata_domain_malloc(BUF, MIB - 20000);
			count = fill_up(BUF, 16);
		} else {
			block = NULL;
			count = fill_up(BUF, each[i]);
		}
		assert_int_equal(errno, ENOMEM);
		full = read_stats(BUF).live_bytes;
		assert_true(full <= quota.hard_bytes);
		assert_true(full + strata_good_size(each[i]) + 64 > quota.hard_bytes);
		assert_int_equal(read_stats(BUF).refused, refused + 1);
		assert_null(strata_domain_calloc(BUF, 1, MIB));
		assert_null(strata_domain_aligned_alloc(BUF, 64, MIB));
		assert_null(strata_domain_realloc(BUF, held[0], 2 * MIB));
		assert_int_equal(read_stats(BUF).refused, refused + 4);
		assert_int_equal(read_stats(BUF).live_bytes, full);
		empty(BUF, count);
		strata_domain_free(BUF, block);
		/* Service resumes. */
		held[0] = strata_domain_malloc(BUF, each[i]);
		assert_non_null(held[0]);
		empty(BUF, 1);
	}
	assert_int_equal(read_stats(BUF).live_bytes, live);
	assert_int_equal(strata_domain_set_quota(BUF, NULL), 0);
	assert_int_equal(strata_domain_get_quota(BUF, &got), 0);
	assert_int_equal(got.hard_bytes, 0);
	held[0] = strata_domain_malloc(BUF, 4 * MIB);
	assert_non_null(held[0]);
	empty(BUF, 1);
}

static void other_domains_have_their_own_limits(void **state)
{
	struct strata_domain_quota quota = {.hard_bytes = read_stats(BUF).live_bytes + 1000};
	void *block;

	(void)state;
	assert_int_equal(strata_domain_set_quota(BUF, &quota), 0);
	assert_null(strata_domain_malloc(BUF, 100000));
	block = strata_domain_malloc(OBJ, 100000);
	assert_non_null(block);
	strata_domain_free(OBJ, block);
	assert_int_equal(strata_domain_set_quota(BUF, NULL), 0);
	assert_int_equal(strata_domain_set_quota(STRATA_DOMAIN_TYPED, NULL), EINVAL);
	assert_int_equal(strata_domain_get_quota(BUF, NULL), EINVAL);
}

/* The limit is passed by no more than a batch for each thread. */
static void *fills(void *count)
{
	while (strata_domain_malloc(STRATA_DOMAIN_MEM, 200) != NULL)
		++*(size_t *)count;
	return NULL;
}

static void the_hard_limit_holds_for_threads_together(void **state)
{
	uint64_t live = read_stats(STRATA_DOMAIN_MEM).live_bytes, full;
	struct strata_domain_quota quota = {.hard_bytes = live + 4 * MIB};
	pthread_t threads[THREADS];
	size_t counts[THREADS] = {0}, blocks = 0;

	(void)state;
	assert_int_equal(strata_domain_set_quota(STRATA_DOMAIN_MEM, &quota), 0);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, fills, &counts[i]), 0);
	for (size_t i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		blocks += counts[i];
	}
	full = read_stats(STRATA_DOMAIN_MEM).live_bytes;
	assert_int_equal(full - live, blocks * 200);
	assert_in_range(full, quota.hard_bytes - 200, quota.hard_bytes + (uint64_t)THREADS * STRATA_DOMAIN_BATCH);
	assert_int_equal(strata_domain_set_quota(STRATA_DOMAIN_MEM, NULL), 0);
}

struct call {
	int count;
	enum strata_domain domain;
	uint64_t live_bytes;
};

static void over(void *ctx, enum strata_domain domain, uint64_t live_bytes)
{
	struct call *call = ctx;
	struct strata_domain_quota none = {0};

	call->count++;
	call->domain = domain;
	call->live_bytes = live_bytes;
	/* It may allocate, far above the limit, and is not called for that; but it may not set a quota. */
	strata_domain_free(domain, strata_domain_malloc(domain, 4 * MIB));
	if (strata_domain_set_quota(domain, &none) != EDEADLK)
		call->count = -1000;
	errno = EIO;
}

static void the_soft_limit_calls_back_once(void **state)
{
	uint64_t live = read_stats(BUF).live_bytes;
	struct call call = {0};
	struct strata_domain_quota quota = {.soft_bytes = live + MIB / 2, .over = over, .ctx = &call};

	(void)state;
	assert_int_equal(strata_domain_set_quota(BUF, &quota), 0);
	for (int turn = 1; turn <= 3; turn++) {
		size_t count = 0;

		errno = 5;
		for (; count < 9000; count++) {
			uint64_t now = read_stats(BUF).live_bytes;

			assert_int_equal(call.count, now > quota.soft_bytes ? turn : turn - 1);
			held[count] = strata_domain_malloc(BUF, 112);
			assert_non_null(held[count]);
		}
		assert_int_equal(errno, 5);
		assert_int_equal(call.count, turn);
		assert_int_equal(call.domain, BUF);
		assert_in_range(call.live_bytes, quota.soft_bytes + 1, quota.soft_bytes + 112);
		empty(BUF, count);
	}
	assert_int_equal(strata_domain_set_quota(BUF, NULL), 0);
	assert_int_equal(read_stats(BUF).live_bytes, live);
}

/* After the setter has returned, nobody is in the former callback. */
static pthread_barrier_t inside;
static atomic_bool left;

static void takes_its_time(void *ctx, enum strata_domain domain, uint64_t live_bytes)
{
	(void)ctx, (void)domain, (void)live_bytes;
	pthread_barrier_wait(&inside);
	for (int i = 0; i < 1000; i++)
		sched_yield();
	atomic_store(&left, true);
}

static void *passes_the_limit(void *argument)
{
	strata_domain_free(BUF, strata_domain_malloc(BUF, MIB));
	return argument;
}

static void the_setter_waits_for_the_callback(void **state)
{
	struct strata_domain_quota quota = {.soft_bytes = read_stats(BUF).live_bytes + 1000, .over = takes_its_time};
	pthread_t thread;

	(void)state;
	pthread_barrier_init(&inside, NULL, 2);
	assert_int_equal(strata_domain_set_quota(BUF, &quota), 0);
	assert_int_equal(pthread_create(&thread, NULL, passes_the_limit, NULL), 0);
	pthread_barrier_wait(&inside);
	assert_int_equal(strata_domain_set_quota(BUF, NULL), 0);
	assert_true(atomic_load(&left));
	pthread_join(thread, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_counted),
		cmocka_unit_test(a_shorter_structure_gets_its_part),
		cmocka_unit_test(totals_are_exact_across_threads),
		cmocka_unit_test(threads_come_and_go),
		cmocka_unit_test(calls_at_a_threads_end_are_counted),
		cmocka_unit_test(objects_of_types_are_counted),
		cmocka_unit_test(the_peak_stays),
		cmocka_unit_test(the_hard_limit_holds),
		cmocka_unit_test(other_domains_have_their_own_limits),
		cmocka_unit_test(the_hard_limit_holds_for_threads_together),
		cmocka_unit_test(the_soft_limit_calls_back_once),
		cmocka_unit_test(the_setter_waits_for_the_callback),
	};

	checked = checked_mode();
	hooked = strata_domain_debug(0) != 0;
	return cmocka_run_group_tests_name("domain accounting", tests, NULL, NULL);
}
