/* SPDX-License-Identifier: MIT */
/*
 * Heaps without a thread: one that nobody is in serves the next thread, however many there are that somebody is in, and these serve
 * again when he is out of them. So there are no more heaps than threads that lived at once, and what others were in meanwhile.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <strata/strata.h>

#include "heap.h"
#include "support.h"
#include "thread.h"

enum { THREADS = 24 };

static pthread_barrier_t together;

static void *allocate(void *with_others)
{
	void *block = strata_malloc(100);

	if (block == NULL)
		fatal("no memory for a thread");
	if (with_others != NULL)
		pthread_barrier_wait(&together);
	strata_free(block);
	return NULL;
}

static void run_one(void)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, allocate, NULL), 0);
	pthread_join(thread, NULL);
}

static void run_together(void)
{
	pthread_t threads[THREADS];

	pthread_barrier_init(&together, NULL, THREADS);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, allocate, &together), 0);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&together);
}

static bool is_dead(uint32_t number)
{
	return atomic_load(&heap_at(number)->state) == HEAP_DEAD;
}

/* All that are dead, but one. */
static void enter_all_but(uint32_t left_out)
{
	for (uint32_t number = 1; number <= heap_count(); number++)
		if (number != left_out && is_dead(number))
			assert_true(heap_try_lock_other(heap_at(number)));
}

static void leave_all_but(uint32_t left_out)
{
	for (uint32_t number = 1; number <= heap_count(); number++)
		if (number != left_out && is_dead(number))
			heap_unlock_other(heap_at(number));
}

static void the_one_that_nobody_is_in_is_found(void **state)
{
	uint32_t count;

	(void)state;
	strata_free(strata_malloc(1));
	set_number("decay_ms", 100000);
	run_together();
	count = heap_count();
	assert_in_range(count, THREADS, THREADS + 2);
	for (uint32_t number = 1; number <= count; number++) {
		if (!is_dead(number))
			continue;
		enter_all_but(number);
		run_one();
		assert_int_equal(heap_count(), count);
		/* That one is dead again, or who looked for it has come to others as well. */
		assert_true(is_dead(number));
		leave_all_but(number);
	}
	run_together();
	assert_int_equal(heap_count(), count);
}

/* An owner whose heap somebody is in leaves it for another, and it serves again after that. */
static void what_an_owner_leaves_serves_again(void **state)
{
	uint32_t count = heap_count();

	(void)state;
	for (size_t i = 0; i < 4 * THREADS; i++) {
		struct heap *left;

		strata_free(strata_malloc(1));
		left = thread_self.own;
		assert_true(heap_try_lock_other(left));
		assert_non_null(thread_switch_heap());
		assert_ptr_not_equal(thread_self.own, left);
		heap_unlock_other(left);
	}
	assert_int_equal(heap_count(), count);
}

/* If there is none that is free, there is a new one. */
static void with_somebody_in_each_there_is_a_new_one(void **state)
{
	uint32_t count = heap_count();

	(void)state;
	enter_all_but(0);
	run_one();
	assert_int_equal(heap_count(), count + 1);
	leave_all_but(count + 1);
	run_together();
	assert_int_equal(heap_count(), count + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_one_that_nobody_is_in_is_found),
		cmocka_unit_test(what_an_owner_leaves_serves_again),
		cmocka_unit_test(with_somebody_in_each_there_is_a_new_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
