/* SPDX-License-Identifier: MIT */
/*
 * Proves: blocks handed from thread to thread through queues keep their contents, are verified by whoever gets them,
 * resized or handed on a few times, and at last freed by a thread that did not allocate them; nothing is lost on the
 * way (the totals say that nothing lives at the end). 16 threads. Runs for STRATA_STRESS_SECONDS (2).
 */
#include "stress.h"

#include <sched.h>

#define THREADS 16
/* In flight for each thread: bounds the memory when receivers do not get a turn. */
#define IN_FLIGHT 2000

/* The link and the description travel in the block, in front of the pattern. */
struct parcel {
	struct parcel *next;
	size_t size;
	uint64_t seed;
	size_t hops;
	unsigned char contents[];
};

/* Any thread pushes, the owner takes all: no ABA. The exchange pairs with the push's release. */
static struct {
	_Alignas(64) _Atomic(struct parcel *) top;
	atomic_size_t waiting;
} queues[THREADS];

static atomic_size_t received;

static void push(size_t to, struct parcel *parcel)
{
	struct parcel *top = atomic_load_explicit(&queues[to].top, memory_order_relaxed);

	atomic_fetch_add_explicit(&queues[to].waiting, 1, memory_order_relaxed);
	do
		parcel->next = top;
	while (!atomic_compare_exchange_weak_explicit(&queues[to].top, &top, parcel, memory_order_release,
						      memory_order_relaxed));
}

static void send_new(uint64_t *random)
{
	size_t size = random_size(random, 256 * KIB), to = random_below(random, THREADS);
	struct parcel *parcel;

	if (atomic_load_explicit(&queues[to].waiting, memory_order_relaxed) >= IN_FLIGHT) {
		sched_yield();
		return;
	}
	parcel = x_malloc(sizeof *parcel + size);
	if (parcel == NULL)
		fatal("stress_handround: no memory");
	*parcel = (struct parcel){NULL, size, random_next(random), random_below(random, 4)};
	pattern_write(parcel->contents, size, parcel->seed);
	push(to, parcel);
}

static void receive(struct parcel *parcel, uint64_t *random, bool last)
{
	if (!pattern_holds(parcel->contents, parcel->size, parcel->seed))
		fatal("stress_handround: contents of %p (%zu bytes) changed", (void *)parcel, parcel->size);
	if (last || parcel->hops == 0) {
		x_free(parcel);
		return;
	}
	parcel->hops--;
	if (random_next(random) % 4 == 0) {
		size_t size = random_size(random, 256 * KIB);

		parcel = x_realloc(parcel, sizeof *parcel + size);
		if (parcel == NULL)
			fatal("stress_handround: no memory");
		parcel->size = size;
	}
	parcel->seed = random_next(random);
	pattern_write(parcel->contents, parcel->size, parcel->seed);
	push(random_below(random, THREADS), parcel);
}

static size_t receive_all(size_t self, uint64_t *random, bool last)
{
	struct parcel *parcel = atomic_exchange_explicit(&queues[self].top, NULL, memory_order_acquire);
	size_t count = 0;

	for (; parcel != NULL; count++) {
		struct parcel *next = parcel->next;

		receive(parcel, random, last);
		parcel = next;
	}
	atomic_fetch_sub_explicit(&queues[self].waiting, count, memory_order_relaxed);
	return count;
}

static void *body(void *argument)
{
	size_t self = (size_t)argument, count = 0;
	uint64_t random = self + 1;

	while (!stress_over()) {
		for (int i = 0; i < 50; i++)
			send_new(&random);
		count += receive_all(self, &random, false);
	}
	atomic_fetch_add(&received, count);
	return NULL;
}

int main(void)
{
	pthread_t threads[THREADS];
	struct strata_stats before, after;
	uint64_t random = 99;

	stress_begin("stress_handround");
	strata_stats_read(&before, sizeof before);
	for (size_t i = 0; i < THREADS; i++)
		threads[i] = stress_thread(body, (void *)i);
	stress_run_for(1);
	for (size_t i = 0; i < THREADS; i++)
		stress_join(threads[i]);
	for (size_t i = 0; i < THREADS; i++)
		receive_all(i, &random, true);
	strata_stats_read(&after, sizeof after);
	/* libc keeps a few blocks for its cached thread stacks. */
	if (after.live_blocks > before.live_blocks + 4 * THREADS)
		fatal("stress_handround: %zu blocks live at the end, %zu at the beginning", (size_t)after.live_blocks,
		      (size_t)before.live_blocks);
	return stress_end("%zu blocks handed round", (size_t)received);
}
