/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "thread.h"

#include "bin.h"
#include "claim.h"
#include "decay.h"
#include "domain_record.h"
#include "fork.h"
#include "heap.h"
#include "options.h"
#include "os.h"
#include "profile.h"

#include <errno.h>
#include <pthread.h>

STRATA_TLS struct thread_fast thread_fast = { &empty_heap, &empty_record };
STRATA_TLS struct thread thread_self;

/* ---- A thread's end ------------------------------------------------------------------------------------------------- */

/* Created by the constructor (process.c). Before that, and if the program has used up all keys, a thread's heap is not given
 * up at its end; the main thread's never is. */
static STRATA_READ_MOSTLY pthread_key_t end_key;
static _Atomic bool end_key_made;

/*
 * Other destructors run before and after ours, and allocate and free. pthread calls destructors in rounds as long as values
 * are set again, PTHREAD_DESTRUCTOR_ITERATIONS (4) at most: ours asks for another round twice, and lets the heap go in the
 * third. What comes after that (libc frees some of its own) takes a heap for one call at a time.
 */
#define LAST_ROUND 3

static void detach(void)
{
	struct heap *heap = thread_self.own;
	struct heap *home = thread_self.home;
	thread_fast.heap = &empty_heap;
	thread_self.diverted = false;
	thread_self.own = thread_self.home = NULL;
	if (heap != NULL)
		heap_release(heap);
	if (home != NULL)
		heap_release(home);
}

static void at_thread_end(void *value)
{
	thread_self.rounds++;
	if (thread_self.rounds < LAST_ROUND) {
		pthread_setspecific(end_key, value);
		return;
	}
	process_thread_ends();
	thread_self.leaving = true;
	record_give_up();
	detach();
}

/* ---- Attaching ------------------------------------------------------------------------------------------------------ */

/* pthread_setspecific may allocate (for keys above 31): the heap is in place before it is called. */
static void ask_for_end(void)
{
	int saved_errno = errno;
	if (!thread_self.leaving && atomic_load_explicit(&end_key_made, memory_order_acquire))
		pthread_setspecific(end_key, &thread_self);
	errno = saved_errno;
}

static struct heap *adopt_heap(struct heap *heap)
{
	thread_self.own = heap;
	thread_self.diverted = false;
	thread_self.diversions_since = (uint32_t)os_clock_ms() - 1;
	if (!options()->check)
		thread_fast.heap = heap;
	return heap;
}

struct heap *thread_attach(void)
{
	if (thread_self.own != NULL) {
		if (unlikely(thread_self.diverted))
			thread_take_diverted();
		return thread_self.own;
	}
	struct heap *heap = heap_acquire(fork_is_under_way());
	if (heap == NULL)
		return NULL;
	adopt_heap(heap);
	ask_for_end();
	return heap;
}

/* ---- Calls diverted to the slow path, past the clock ---------------------------------------------------------------- */

/* Each such call takes some 10 ns more, on a busy machine a line of the empty heap from another processor beside: for each ms so
 * many are granted, as they add up, but not without end. */
#define DIVERSIONS_PER_MS 256u
#define DIVERSIONS_MS_MOST 32u

static void grant(void)
{
	uint32_t now = (uint32_t)os_clock_ms();
	thread_self.diversions_left += DIVERSIONS_PER_MS * (uint32_t)size_min(now - thread_self.diversions_since, DIVERSIONS_MS_MOST);
	thread_self.diversions_left = (uint32_t)size_min(thread_self.diversions_left, DIVERSIONS_PER_MS * DIVERSIONS_MS_MOST);
	thread_self.diversions_since = now;
}

/* As empty as the empty heap, and the thread's alone: all calls of all threads would write to that one's lines. */
static struct heap *shadow_of(struct heap *heap)
{
	struct heap *shadow = heap_shadow(heap);
	if (unlikely(shadow->tag != TAG_CLOSED)) {
		for (unsigned class = 0; class < CLASS_COUNT; class++)
			shadow->bins[class].top = &empty_slots[EMPTY_SLOTS - 1];
		shadow->tag = TAG_CLOSED;
	}
	return shadow;
}

static void hide(void)
{
	bool profiled = profile_is_on();
	thread_self.diverted = (thread_self.diversions_left > 0 || profiled) && !options()->check;
	if (thread_self.diverted)
		thread_fast.heap = profiled ? shadow_of(thread_self.own) : &empty_heap;
}

void thread_divert_next(void)
{
	if (thread_self.own == NULL)
		return;
	if (thread_self.diversions_left == 0)
		grant();
	if (!thread_self.diverted)
		hide();
}

void thread_take_diverted(void)
{
	thread_self.diverted = false;
	thread_fast.heap = thread_self.own;
	if (thread_self.diversions_left > 0) {
		if (decay_is_due())
			heap_tick(thread_self.own);
		if (--thread_self.diversions_left == 0)
			grant();
	}
	hide();
}

/* Lets go of one heap for another. */
static struct heap *change_heap(struct heap *other)
{
	struct heap *left = thread_self.own;
	adopt_heap(other);
	heap_release(left);
	return other;
}

struct heap *thread_switch_heap(void)
{
	struct heap *own = thread_self.own;
	bool held = fork_holds(own);
	struct heap *other = held || own->spare ? heap_acquire_spare() : heap_acquire(fork_is_under_way());
	if (other == NULL)
		return NULL;
	if (!held || own->spare)
		return change_heap(other);
	thread_self.home = own;
	return adopt_heap(other);
}

struct heap *thread_go_home(void)
{
	struct heap *home = thread_self.home;
	if (home != NULL ? fork_holds(home) : fork_is_under_way())
		return thread_self.own;
	if (home == NULL)
		home = heap_acquire(fork_is_under_way());
	if (home == NULL)
		return thread_self.own;
	thread_self.home = NULL;
	return change_heap(home);
}

void thread_detach_if_leaving(void)
{
	if (unlikely(thread_self.leaving))
		detach();
}

/* ---- From process.c ------------------------------------------------------------------------------------------------- */

/* Release: the key; partner: the acquire in ask_for_end. */
void thread_begin(void)
{
	if (pthread_key_create(&end_key, at_thread_end) == 0)
		atomic_store_explicit(&end_key_made, true, memory_order_release);
	if (thread_self.own != NULL)
		ask_for_end();
}

/* A fork in a signal handler may have interrupted this thread anywhere in its heap: that is neither emptied nor left here. */
struct heap *thread_bar_heap(void)
{
	struct heap *own = thread_self.own;
	return own != NULL && !own->spare && claim_bar(own) == 0 ? own : NULL;
}

void thread_in_child(struct heap *barred)
{
	thread_self.home = NULL;
	if (thread_self.own == barred)
		return;
	thread_self.own = NULL;
	thread_self.diverted = false;
	thread_fast.heap = &empty_heap;
}
