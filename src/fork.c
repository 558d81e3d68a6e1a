/* SPDX-License-Identifier: MIT */
#include "fork.h"

#include "arena_count.h"
#include "bin_limit.h"
#include "bin_slots.h"
#include "claim.h"
#include "heap.h"
#include "remote.h"

#include <string.h>

/* Forks under way in the low half; in the high half how often there have been any, which tells heaps held for them from heaps
 * held for those before, that are just being let go. Written by forking threads, sequentially consistent; read by all, relaxed,
 * as a hint of which heap to take. */
static STRATA_READ_MOSTLY _Atomic uint64_t forks;

/* What heap->busy says while the heap is held: neither 0 nor 1. */
static uint32_t hold_of(uint64_t word)
{
	return (uint32_t)(word >> 32) << 1 | 0x80000000u;
}

/* The hold of the fork that this thread is in; the child knows by it what was held. */
static __thread uint32_t my_hold;

bool fork_is_under_way(void)
{
	return (uint32_t)atomic_load_explicit(&forks, memory_order_relaxed) != 0;
}

bool fork_holds(const struct heap *heap)
{
	return atomic_load_explicit(&heap->busy, memory_order_relaxed) > 1;
}

static uint32_t enter(void)
{
	uint64_t word = atomic_load(&forks);
	uint64_t entered;
	do {
		entered = (uint32_t)word != 0 ? word + 1 : (word + (UINT64_C(1) << 32)) | 1;
	} while (!atomic_compare_exchange_weak(&forks, &word, entered));
	return hold_of(entered);
}

/* A heap that is held for earlier forks may be let go at any moment: it is taken over. */
static void hold(struct heap *heap, uint32_t value)
{
	uint32_t busy = atomic_load(&heap->busy);
	while (busy != 1 && busy != value && !atomic_compare_exchange_weak(&heap->busy, &busy, value))
		;
}

void fork_begin(const struct heap *mine)
{
	my_hold = enter();
	for (uint32_t number = heap_count(); number > 0; number--) {
		struct heap *heap = heap_at(number);
		uint32_t state = atomic_load(&heap->state);
		/* It is the last that is written when a heap is made: number, lists and spare are there. A ghost may lack them. */
		if (heap != mine && (state == HEAP_LIVE || state == HEAP_DEAD) && !heap->spare)
			hold(heap, my_hold);
	}
}

void fork_end_in_parent(void)
{
	if ((uint32_t)atomic_fetch_sub(&forks, 1) != 1)
		return;
	for (uint32_t number = heap_count(); number > 0; number--) {
		uint32_t held = my_hold;
		if (atomic_compare_exchange_strong(&heap_at(number)->busy, &held, 0))
			heap_look_after_dead(heap_at(number));
	}
}

/* What was in the bins and buffers of those threads is lost to the child: the copy may have caught them half-way. What was
 * handed over to them is not: a chain is pushed whole. Whoever hands over counts first, and those who were in between are not
 * here. */
static void orphan(struct heap *heap)
{
	arena_flush_account(&heap->account, 0);
	claim_drop(heap);
	heap->limits = (struct limit_sum){ 0 };
	heap->large_limits = (struct limit_sum){ 0 };
	slots_reset(heap, 0);
	bin_limits_reset(heap);
	memset(heap->outgoing, 0, sizeof heap->outgoing);
	heap->sending = 0;
	remote_recount(heap);
	atomic_store(&heap->busy, 0);
	heap_bury(heap);
}

/* What it owed nobody would tell any more. */
static void let_alone(struct heap *heap)
{
	arena_flush_account(&heap->account, 0);
	atomic_store(&heap->state, HEAP_GHOST);
}

static void resume_own(struct heap *heap)
{
	remote_recount(heap);
	atomic_store(&heap->busy, 0);
}

/* The stack of dead heaps may have been copied half-way as well: it is made anew, of all that were held. */
void fork_end_in_child(struct heap *mine)
{
	atomic_store(&forks, atomic_load(&forks) & ~UINT64_C(0xffffffff));
	heap_forget_dead();
	bin_limits_count_only(mine);
	for (uint32_t number = heap_count(); number > 0; number--) {
		struct heap *heap = heap_at(number);
		if (heap == mine)
			resume_own(heap);
		else if (atomic_load(&heap->busy) == my_hold)
			orphan(heap);
		else
			let_alone(heap);
	}
}
