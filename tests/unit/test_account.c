/* SPDX-License-Identifier: MIT */
/*
 * Pages that a heap has claimed and returned, and that the totals do not know of yet: there are few of them at any time, statistics
 * and limits know them, they go back by the clock, and the child of a fork does not lose them.
 * Whoever allocates under a soft limit does not ask the heaps of others for them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <pthread.h>

#include <strata/strata.h>

#include "arena.h"
#include "arena_count.h"
#include "heap.h"
#include "limit_support.h"
#include "thread.h"

enum { THREADS = 16, BLOCKS = 128, BLOCK = 32768, SETS = 40 };

static pthread_barrier_t done;
static _Atomic bool leave;

static struct heap *lock_own(void)
{
	strata_free(strata_malloc(1));
	if (!heap_try_lock_own(thread_self.own))
		fatal("the own heap is busy");
	return thread_self.own;
}

static bool is_bounded(const struct page_account *account)
{
	return abs(account->used) <= (int)ARENA_PAGES && abs(account->dirty) <= (int)ARENA_PAGES;
}

/* However long the heap stays locked. */
static void an_account_is_bounded(void **state)
{
	(void)state;
	struct heap *heap = lock_own();
	struct page_set sets[SETS];
	uint64_t claimed = 0;
	uint64_t used;

	arena_flush_account(&heap->account, 0);
	used = arena_count().used_pages;
	for (size_t i = 0; i < SETS; i++) {
		sets[i].pages = arena_claim_pages(20, 1, &heap->account, &sets[i].arena);
		claimed += bit_count(sets[i].pages);
		assert_true(is_bounded(&heap->account));
	}
	assert_true(claimed > 2 * ARENA_PAGES && arena_count().used_pages >= used + claimed - ARENA_PAGES);
	for (size_t i = 0; i < SETS; i++) {
		arena_return_on(&heap->account, sets[i].arena, sets[i].pages);
		assert_true(is_bounded(&heap->account));
	}
	heap_unlock_flushed(heap);
	assert_int_equal(arena_count().used_pages, used);
	assert_true(heap->account.used == 0 && heap->account.dirty == 0);
}

static struct page_set owed;

static void *owe_until_leave(void *unused)
{
	struct heap *heap = lock_own();

	owed.pages = arena_claim_pages(30, 1, &heap->account, &owed.arena);
	pthread_barrier_wait(&done);
	while (!leave)
		usleep(1000);
	arena_return_on(&heap->account, owed.arena, owed.pages);
	heap_unlock(heap);
	return unused;
}

static pthread_t begin_owing(void)
{
	pthread_t thread;

	leave = false;
	pthread_barrier_init(&done, NULL, 2);
	assert_int_equal(pthread_create(&thread, NULL, owe_until_leave, NULL), 0);
	pthread_barrier_wait(&done);
	return thread;
}

static void end_owing(pthread_t thread)
{
	leave = true;
	pthread_join(thread, NULL);
	pthread_barrier_destroy(&done);
}

static uint64_t bytes_in_use(void)
{
	struct strata_stats stats = totals();

	return stats.heap_bytes - stats.free_bytes;
}

static void statistics_know_what_is_owed(void **state)
{
	(void)state;
	uint64_t in_use = bytes_in_use();
	uint64_t known = arena_count().used_pages;
	pthread_t thread = begin_owing();
	uint64_t still_known = arena_count().used_pages;
	uint64_t with_owed = bytes_in_use();

	end_owing(thread);
	/* The thread's first block took pages, too. */
	assert_true(with_owed >= in_use + bit_count(owed.pages) * PAGE_SIZE);
	assert_true(still_known < known + bit_count(owed.pages));
}

/* Nobody is in that heap there. */
static void the_child_of_a_fork_tells_them(void **state)
{
	(void)state;
	pthread_t thread = begin_owing();
	uint64_t known = arena_count().used_pages;
	pid_t child = fork();
	int status;

	if (child == 0)
		_exit(arena_count().used_pages >= known + bit_count(owed.pages) ? 0 : 1);
	end_owing(thread);
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* Claims fresh pages, and then does nothing. */
static void *claim_and_wait(void *unused)
{
	void *blocks[BLOCKS];

	for (size_t i = 0; i < BLOCKS; i++)
		blocks[i] = strata_malloc(BLOCK);
	pthread_barrier_wait(&done);
	while (!leave)
		usleep(1000);
	for (size_t i = 0; i < BLOCKS; i++)
		strata_free(blocks[i]);
	return unused;
}

static void a_limit_that_is_set_later_counts_them(void **state)
{
	(void)state;
	static void *blocks[4 * BLOCKS];
	pthread_t threads[THREADS];
	uint64_t limit;
	size_t count = 0;
	bool passed = false;

	leave = false;
	pthread_barrier_init(&done, NULL, THREADS + 1);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, claim_and_wait, NULL), 0);
	pthread_barrier_wait(&done);
	limit = totals().heap_bytes + MIB;
	set("limit", limit);
	while (count < 4 * BLOCKS && (blocks[count] = strata_malloc(BLOCK)) != NULL) {
		count++;
		passed |= totals().heap_bytes > limit;
	}
	set("limit", 0);
	for (size_t i = 0; i < count; i++)
		strata_free(blocks[i]);
	leave = true;
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&done);
	assert_false(passed);
}

/* Frees half of what it has, and goes on with blocks that are at hand: it does not come to its heap's lock any more. */
static void *free_and_work(void *unused)
{
	void *blocks[BLOCKS];

	void *held = NULL;
	size_t round = 0;

	for (size_t i = 0; i < BLOCKS; i++)
		memset(blocks[i] = strata_malloc(BLOCK), 1, BLOCK);
	for (size_t i = 0; i < BLOCKS; i += 2)
		strata_free(blocks[i]);
	pthread_barrier_wait(&done);
	for (; !leave; round++) {
		/* What its bin holds is not the same at every look: it does not pass for asleep. */
		if (round % 2 == 0)
			held = strata_malloc(64);
		else
			strata_free(held);
		for (size_t i = 0; i < 100; i++) {
			void *block = strata_malloc(64);

			*(volatile char *)block = 1;
			strata_free(block);
		}
		usleep(1000);
	}
	if (round % 2 == 1)
		strata_free(held);
	for (size_t i = 1; i < BLOCKS; i += 2)
		strata_free(blocks[i]);
	return unused;
}

static bool nothing_is_free(size_t bound)
{
	strata_maintain();
	return totals().free_bytes <= bound;
}

static void what_threads_at_work_owe_goes_back(void **state)
{
	(void)state;
	pthread_t threads[THREADS];
	bool gone;

	if (checked_mode())
		skip();
	leave = false;
	pthread_barrier_init(&done, NULL, THREADS + 1);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, free_and_work, NULL), 0);
	pthread_barrier_wait(&done);
	gone = comes(nothing_is_free, 0, "pages of threads at work go back");
	leave = true;
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&done);
	assert_true(gone);
}

/* ---- A thread that waits, with a debt made up -------------------------------------------------------------------- */

enum { DEBT = 7 };
static struct heap *debtor;

static void *have_a_heap(void *unused)
{
	strata_free(strata_malloc(1));
	debtor = thread_self.own;
	pthread_barrier_wait(&done);
	pthread_barrier_wait(&done);
	return unused;
}

static pthread_t begin_debt(void)
{
	pthread_t thread;

	pthread_barrier_init(&done, NULL, 2);
	assert_int_equal(pthread_create(&thread, NULL, have_a_heap, NULL), 0);
	pthread_barrier_wait(&done);
	heap_flush_accounts(); /* nothing else is owed */
	debtor->account.used += DEBT;
	return thread;
}

static void end_debt(pthread_t thread)
{
	/* What the totals were told of it is put right when the thread ends. */
	debtor->account.used -= DEBT;
	pthread_barrier_wait(&done);
	pthread_join(thread, NULL);
	pthread_barrier_destroy(&done);
}

static void allocate_and_free(size_t size)
{
	void *blocks[BLOCKS];

	for (size_t i = 0; i < BLOCKS; i++)
		assert_non_null(blocks[i] = strata_malloc(size));
	for (size_t i = 0; i < BLOCKS; i++)
		strata_free(blocks[i]);
}

#define FAR ((uint64_t)1 << 40)

static void whoever_allocates_below_a_limit_leaves_others_alone(void **state)
{
	static const size_t sizes[] = {64, 5000, BLOCK, 300 * KIB};
	pthread_t thread;
	int32_t debt;

	(void)state;
	set_decay(STOPPED);
	set("limit_soft", FAR);
	thread = begin_debt();
	debt = debtor->account.used;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		allocate_and_free(sizes[i]);
	debt -= debtor->account.used;
	end_debt(thread);
	set_decay(1000);
	assert_int_equal(debt, 0);
}

static void a_limit_that_is_set_asks_each_heap(void **state)
{
	static const char *const limits[] = {"limit", "limit_soft", "emergency"};

	(void)state;
	set_decay(STOPPED);
	for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
		pthread_t thread = begin_debt();
		uint64_t told = arena_count().used_pages;
		int32_t debt;

		set(limits[i], i < 2 ? FAR : MIB);
		debt = debtor->account.used;
		set(limits[i], 0);
		told = arena_count().used_pages - told;
		end_debt(thread);
		assert_int_equal(debt, 0);
		assert_true(told >= DEBT);
	}
	set_decay(1000);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_account_is_bounded),
		cmocka_unit_test(statistics_know_what_is_owed),
		cmocka_unit_test(the_child_of_a_fork_tells_them),
		cmocka_unit_test(a_limit_that_is_set_later_counts_them),
		cmocka_unit_test(what_threads_at_work_owe_goes_back),
		cmocka_unit_test_teardown(whoever_allocates_below_a_limit_leaves_others_alone, no_limits),
		cmocka_unit_test_teardown(a_limit_that_is_set_asks_each_heap, no_limits),
	};
	(void)argc;
	leave_out_the_container(argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
