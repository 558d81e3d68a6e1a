/* SPDX-License-Identifier: MIT */
/*
 * The memory of the slots in which bins keep their blocks: it goes when a thread has ended and nobody took over what it left, by the
 * clock; and when a thread sleeps, however many of its blocks it still has.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <pthread.h>
#include <sys/mman.h>

#include <strata/strata.h>

#include "heap.h"
#include "region.h"
#include "support.h"

enum { THREADS = 4, MOST_HELD = 8 };

static pthread_barrier_t used, leave;

/* One block of each size, and some of them kept. */
static void *use(void *held_count)
{
	static const size_t step = 8;
	void *blocks[64 * KIB / 512];
	void *held[MOST_HELD];
	size_t count = 0;

	for (size_t size = step; size <= OBJECT_MAX; size += step)
		blocks[count++] = strata_malloc(size);
	for (size_t size = 1024; size <= 64 * KIB; size *= 2)
		blocks[count++] = strata_malloc(size);
	while (count > 0)
		strata_free(blocks[--count]);
	for (size_t i = 0; i < (size_t)held_count; i++)
		pattern_write(held[i] = strata_malloc(40 + 16 * i), 40, i);
	pthread_barrier_wait(&used);
	pthread_barrier_wait(&leave);
	for (size_t i = 0; i < (size_t)held_count; i++) {
		if (!pattern_holds(held[i], 40, i))
			fatal("the contents of a block changed");
		strata_free(held[i]);
	}
	return NULL;
}

static size_t resident_pages(const struct heap *heap)
{
	unsigned char pages[SLOT_PAGES];
	size_t count = 0;

	if (mincore((char *)(uintptr_t)heap + HEAP_PAGES * PAGE_SIZE, sizeof pages * PAGE_SIZE, pages) != 0)
		fatal("mincore");
	for (size_t i = 0; i < sizeof pages; i++)
		count += pages[i] & 1;
	return count;
}

/* Of heaps in that state; but not of the caller's, which is the first. */
static size_t slots_of(uint32_t state)
{
	size_t pages = 0;

	for (uint32_t number = 2; number <= heap_count(); number++)
		if (atomic_load(&heap_at(number)->state) == state)
			pages += resident_pages(heap_at(number));
	return pages;
}

static void begin(pthread_t *threads, size_t held)
{
	strata_free(strata_malloc(1));
	assert_int_equal(pthread_barrier_init(&used, NULL, THREADS + 1), 0);
	assert_int_equal(pthread_barrier_init(&leave, NULL, THREADS + 1), 0);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, use, (void *)held), 0);
	pthread_barrier_wait(&used);
}

static void end(pthread_t *threads)
{
	pthread_barrier_wait(&leave);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
}

static bool dead_have_at_most(size_t pages)
{
	strata_maintain();
	return slots_of(HEAP_DEAD) <= pages;
}

static void of_threads_that_ended_they_go_by_the_clock(void **state)
{
	pthread_t threads[THREADS];

	(void)state;
	set_decay(STOPPED);
	begin(threads, 0);
	end(threads);
	assert_true(slots_of(HEAP_DEAD) >= THREADS);
	set_decay(20);
	assert_true(comes(dead_have_at_most, 0, "the slots of threads that ended, given back"));
}

static void sleep_with(size_t held)
{
	pthread_t threads[THREADS];

	begin(threads, held);
	size_t awake = slots_of(HEAP_LIVE);
	strata_trim();
	size_t asleep = slots_of(HEAP_LIVE);
	end(threads);
	assert_true(awake >= THREADS);
	assert_int_equal(asleep, 0);
}

static void of_threads_that_sleep_they_go_by_a_trim(void **state)
{
	(void)state;
	set_decay(STOPPED);
	sleep_with(0);
	sleep_with(MOST_HELD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_threads_that_sleep_they_go_by_a_trim),
		cmocka_unit_test(of_threads_that_ended_they_go_by_the_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
