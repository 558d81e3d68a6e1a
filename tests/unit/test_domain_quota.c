/* SPDX-License-Identifier: MIT */
/*
 * Quotas of domains: limits hold within threads * STRATA_DOMAIN_BATCH, and exactly for a thread that is alone; calling back.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "domain_support.h"

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
		assert_null(strata_domain_realloc(BUF, held[0], opaque((size_t)PTRDIFF_MAX)));
		assert_int_equal(read_stats(BUF).refused, refused + 5);
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

/* Where a block grows by a little, realloc takes a quarter more if it may. */
static void a_block_grows_to_the_hard_limit_and_no_further(void **state)
{
	const size_t before = 192 * 1024, after = 200 * 1024, good = strata_good_size(after);
	uint64_t live = read_stats(BUF).live_bytes;

	(void)state;
	for (int fits = 0; fits < 2; fits++) {
		struct strata_domain_quota quota = {.hard_bytes = live + good - !fits};
		char *block = strata_domain_malloc(BUF, before), *grown;

		assert_non_null(block);
		memset(block, 7, before);
		assert_int_equal(strata_domain_set_quota(BUF, &quota), 0);
		grown = strata_domain_realloc(BUF, block, after);
		assert_true(read_stats(BUF).live_bytes <= quota.hard_bytes);
		assert_int_equal(grown != NULL, fits);
		block = grown ? grown : block;
		assert_true(block[0] == 7 && block[before - 1] == 7);
		assert_int_equal(strata_domain_set_quota(BUF, NULL), 0);
		strata_domain_free(BUF, block);
	}
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

/* Large blocks pass it not at all, though all come at the same time. */
enum { AT_MOST = 3 };
static atomic_uint at_once;

/* One at a time, kept for a while: most of them wait for one to be given back, and two cannot have it. */
static void *takes_and_gives(void *grows)
{
	void *block = NULL, *small = NULL;

	for (unsigned i = 0; i < 1000000; i++) {
		if (block != NULL && i % 8 == 0) {
			atomic_fetch_sub(&at_once, 1);
			strata_domain_free(STRATA_DOMAIN_MEM, block);
			block = NULL;
		} else if (block == NULL) {
			if (grows && small == NULL)
				small = strata_domain_malloc(STRATA_DOMAIN_MEM, 1000);
			block = grows ? strata_domain_realloc(STRATA_DOMAIN_MEM, small, MIB) : strata_domain_malloc(STRATA_DOMAIN_MEM, MIB);
			small = block != NULL ? NULL : small;
			if (block != NULL && atomic_fetch_add(&at_once, 1) >= AT_MOST)
				fatal("more than the limit");
		}
	}
	if (block != NULL)
		atomic_fetch_sub(&at_once, 1);
	strata_domain_free(STRATA_DOMAIN_MEM, block);
	strata_domain_free(STRATA_DOMAIN_MEM, small);
	return NULL;
}

static void the_hard_limit_holds_for_large_blocks(void **state)
{
	pthread_t threads[THREADS];
	static char grows;
	uint64_t live = read_stats(STRATA_DOMAIN_MEM).live_bytes;
	struct strata_domain_quota quota = {.hard_bytes = live + AT_MOST * strata_good_size(MIB) + MIB / 4};

	(void)state;
	assert_int_equal(strata_domain_set_quota(STRATA_DOMAIN_MEM, &quota), 0);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, takes_and_gives, i % 2 ? &grows : NULL), 0);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(read_stats(STRATA_DOMAIN_MEM).live_bytes, live);
	assert_int_equal(strata_domain_set_quota(STRATA_DOMAIN_MEM, NULL), 0);
}

/* In the middle of it: the program's handler is asked for memory, and takes some of the domain. */
static void *ballast;
static void *taken;

static void frees_and_takes(struct strata_pressure_handler *self, enum strata_pressure what, uint64_t bytes)
{
	(void)self, (void)what, (void)bytes;
	free(ballast);
	ballast = NULL;
	taken = strata_domain_malloc(BUF, 12 * MIB);
}

static void the_hard_limit_holds_while_a_block_grows(void **state)
{
	struct strata_pressure_handler handler = {.call = frees_and_takes};
	uint64_t live = read_stats(BUF).live_bytes;
	struct strata_domain_quota quota = {.hard_bytes = live + 24 * MIB};
	char *block = strata_domain_malloc(BUF, 4 * MIB), *grown;

	(void)state;
	ballast = malloc(40 * MIB);
	assert_true(block && ballast);
	assert_int_equal(strata_domain_set_quota(BUF, &quota), 0);
	strata_trim();
	assert_int_equal(set_number("limit", totals().heap_bytes + MIB), 0);
	assert_null(strata_on_pressure(&handler));
	grown = strata_domain_realloc(BUF, block, 16 * MIB);
	assert_ptr_equal(strata_on_pressure(NULL), &handler);
	assert_int_equal(set_number("limit", 0), 0);
	assert_null(ballast);
	assert_non_null(grown);
	assert_true(read_stats(BUF).live_bytes <= quota.hard_bytes);
	assert_null(taken);
	strata_domain_free(BUF, grown);
	assert_int_equal(strata_domain_set_quota(BUF, NULL), 0);
	assert_int_equal(read_stats(BUF).live_bytes, live);
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

/* A limit below what is live, which has been there for long: whoever frees is not called, whoever allocates is. */
enum { PIECES = 200, PIECE = 65536 };

static void shrink(size_t at, size_t size)
{
	held[at] = strata_domain_realloc(BUF, held[at], size);
	assert_non_null(held[at]);
}

/* Bounded: what is allocated is known to all after a batch of each thread. */
static void allocate_until_called(struct call *call, int times, size_t *count)
{
	while (call->count < times && *count < 2 * PIECES) {
		held[*count] = strata_domain_malloc(BUF, PIECE);
		assert_non_null(held[(*count)++]);
	}
	assert_int_equal(call->count, times);
}

static void a_limit_below_what_is_live_is_told_by_allocations(void **state)
{
	uint64_t live = read_stats(BUF).live_bytes;
	struct call call = {0};
	struct strata_domain_quota quota = {.soft_bytes = live + MIB, .over = over, .ctx = &call};
	size_t count = 0;

	(void)state;
	for (; count < PIECES; count++)
		assert_non_null(held[count] = strata_domain_malloc(BUF, PIECE));
	assert_int_equal(strata_domain_set_quota(BUF, &quota), 0);
	while (count > PIECES / 2)
		strata_domain_free(BUF, held[--count]);
	for (size_t i = 0; i < PIECES / 4; i++)
		shrink(i, PIECE / 2);
	assert_int_equal(call.count, 0);
	assert_true(read_stats(BUF).live_bytes > quota.soft_bytes + PIECE);
	allocate_until_called(&call, 1, &count);
	assert_true(call.live_bytes > quota.soft_bytes);
	empty(BUF, count);
	assert_int_equal(call.count, 1);
	count = 0;
	allocate_until_called(&call, 2, &count);
	assert_in_range(call.live_bytes, quota.soft_bytes + 1, quota.soft_bytes + PIECE);
	empty(BUF, count);
	assert_int_equal(strata_domain_set_quota(BUF, NULL), 0);
	assert_int_equal(call.count, 2);
}

/* Down to below the limit and further, and up again, by realloc alone. */
static void blocks_that_shrink_call_nobody(void **state)
{
	struct call call = {0};
	struct strata_domain_quota quota = {.soft_bytes = read_stats(BUF).live_bytes + MIB, .over = over, .ctx = &call};

	(void)state;
	held[0] = strata_domain_malloc(BUF, 8 * MIB);
	assert_non_null(held[0]);
	assert_int_equal(strata_domain_set_quota(BUF, &quota), 0);
	for (int turn = 0; turn < 3; turn++) {
		shrink(0, 4 * MIB);
		assert_int_equal(call.count, turn);
		shrink(0, MIB / 2);
		assert_int_equal(call.count, turn);
		held[0] = strata_domain_realloc(BUF, held[0], 8 * MIB);
		assert_non_null(held[0]);
		assert_int_equal(call.count, turn + 1);
	}
	empty(BUF, 1);
	assert_int_equal(strata_domain_set_quota(BUF, NULL), 0);
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

/* Who waits for it leaves the processor to whoever is in it, of whatever rank the two are. */
static uint64_t clock_of(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void sleeps(void *ctx, enum strata_domain domain, uint64_t live_bytes)
{
	const struct timespec while_long = {.tv_nsec = 300000000};

	(void)ctx, (void)domain, (void)live_bytes;
	pthread_barrier_wait(&inside);
	nanosleep(&while_long, NULL);
}

static void the_setter_sleeps_meanwhile(void **state)
{
	struct strata_domain_quota quota = {.soft_bytes = read_stats(BUF).live_bytes + 1000, .over = sleeps};
	pthread_t thread;
	uint64_t begun, worked;

	(void)state;
	pthread_barrier_init(&inside, NULL, 2);
	assert_int_equal(strata_domain_set_quota(BUF, &quota), 0);
	assert_int_equal(pthread_create(&thread, NULL, passes_the_limit, NULL), 0);
	pthread_barrier_wait(&inside);
	begun = clock_of(CLOCK_MONOTONIC);
	worked = clock_of(CLOCK_THREAD_CPUTIME_ID);
	assert_int_equal(strata_domain_set_quota(BUF, NULL), 0);
	worked = clock_of(CLOCK_THREAD_CPUTIME_ID) - worked;
	assert_true(worked < (clock_of(CLOCK_MONOTONIC) - begun) / 3);
	pthread_join(thread, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_hard_limit_holds),
		cmocka_unit_test(a_block_grows_to_the_hard_limit_and_no_further),
		cmocka_unit_test(other_domains_have_their_own_limits),
		cmocka_unit_test(the_hard_limit_holds_for_threads_together),
		cmocka_unit_test(the_hard_limit_holds_for_large_blocks),
		cmocka_unit_test(the_hard_limit_holds_while_a_block_grows),
		cmocka_unit_test(the_soft_limit_calls_back_once),
		cmocka_unit_test(a_limit_below_what_is_live_is_told_by_allocations),
		cmocka_unit_test(blocks_that_shrink_call_nobody),
		cmocka_unit_test(the_setter_waits_for_the_callback),
		cmocka_unit_test(the_setter_sleeps_meanwhile),
	};

	return cmocka_run_group_tests_name("domain quotas", tests, NULL, NULL);
}
