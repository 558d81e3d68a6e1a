/* SPDX-License-Identifier: MIT */
/* What other threads freed arrives at its owner, or with whoever brings it home for him. */
#include "remote.h"

#include "bin.h"
#include "bin_limit.h"
#include "carrier.h"
#include "decay.h"
#include "heap.h"

/*
 * What was handed over and not yet taken, block by block: those in a carrier, then the carrier itself, whose words nobody else
 * writes to until then. It was counted before it was pushed, and is followed no further: a block that was freed twice can make it a
 * ring.
 */
struct arrival {
	uintptr_t *carrier, *next;
	uint32_t at, end; /* words of the carrier yet to come; at == end: the carrier itself */
	uint64_t most;    /* blocks */
	uint64_t blocks, bytes;
	unsigned class;   /* of the block that came last */
};

STRATA_FAST void enter_carrier(struct arrival *arrival, uintptr_t *carrier)
{
	arrival->carrier = carrier;
	if (carrier == NULL)
		return;
	uint32_t room = room_of_carrier(carrier);
	uint32_t carried = (uint32_t)(*carrier >> CARRIED_SHIFT);
	uintptr_t link = *carrier & NEXT_MASK;
	arrival->next = remote_link(carrier, (void *)link);
	if (unlikely(carried > room)) {
		if ((uintptr_t)arrival->next == link)
			remote_corrupt(carrier);
		carried = 0;
	}
	arrival->at = 1 + room - carried;
	arrival->end = 1 + room;
	__builtin_prefetch(arrival->next);
	for (uint32_t i = arrival->at; i < arrival->end; i++)
		__builtin_prefetch((void *)carrier[i], 1);
}

/* NULL, and a message, if it was overwritten. */
static void *carried_block(uintptr_t *carrier, uint32_t i)
{
	if (unlikely(carrier[i] == 0))
		remote_corrupt(carrier);
	return remote_link(carrier, (void *)carrier[i]);
}

/* NULL: that was all. */
STRATA_FAST void *next_arrived(struct arrival *arrival)
{
	void *block = NULL;
	while (block == NULL && arrival->carrier != NULL && arrival->blocks < arrival->most) {
		if (arrival->at > arrival->end) {
			enter_carrier(arrival, arrival->next);
			continue;
		}
		block = arrival->at < arrival->end ? carried_block(arrival->carrier, arrival->at) : arrival->carrier;
		arrival->at++;
	}
	if (block == NULL)
		return NULL;
	arrival->class = class_of_block(block);
	arrival->blocks++;
	arrival->bytes += size_classes[arrival->class].size;
	return block;
}

/* A bin grows for what comes back as for what its owner frees: otherwise each goes home block by block, to be taken again, and of
 * larger ones a pool is given up for each, and the next one is made from fresh pages. What was freed twice is then found when the bin
 * goes home, as of the owner's own. */
static bool has_room(struct heap *heap, unsigned class)
{
	return heap->bins[class].credit > 0 || bin_limit_overflow(heap, class);
}

static void take_in(struct heap *heap, unsigned class, void *block, bool into_bins)
{
	struct bin *bin = &heap->bins[class];
	if (!into_bins || !has_room(heap, class))
		heap_take_home(heap, block);
	else if (unlikely(bin_newest(bin) == block))
		misuse_twice(block);
	else
		bin_put_locked(bin, block);
}

void remote_drain(struct heap *heap, bool into_bins)
{
	if (atomic_load_explicit(&heap->inbox, memory_order_relaxed) == NULL)
		return;
	void *first = atomic_exchange(&heap->inbox, NULL);
	struct arrival arrival = { .most = atomic_load(&heap->inbox_blocks) };
	enter_carrier(&arrival, first);
	void *block;
	/* A fault is told, and what came beside it is none. */
	while ((block = next_arrived(&arrival)) != NULL)
		take_in(heap, arrival.class, block, into_bins);
	atomic_fetch_sub_explicit(&heap->inbox_bytes, arrival.bytes, memory_order_relaxed);
	atomic_fetch_sub_explicit(&heap->inbox_blocks, arrival.blocks, memory_order_relaxed);
}

void remote_recount(struct heap *heap)
{
	struct arrival arrival = { .most = atomic_load(&heap->inbox_blocks) };
	enter_carrier(&arrival, atomic_load(&heap->inbox));
	while (next_arrived(&arrival) != NULL)
		;
	atomic_store(&heap->inbox_bytes, arrival.bytes);
	atomic_store(&heap->inbox_blocks, arrival.blocks);
}

/* The fences: of whoever has handed over to the heap, or left it, before it looks at busy; and after busy was let go of, before
 * it looks at what waits. Partners: each other, and that in heap_look_after_dead. */
void remote_drain_for(struct heap *heap)
{
	do {
		atomic_thread_fence(memory_order_seq_cst);
		if (!heap_try_lock_other(heap))
			return;
		bool dead = atomic_load(&heap->state) == HEAP_DEAD;
		if (dead)
			heap_finish_release(heap);
		remote_drain(heap, false);
		if (dead)
			pool_return_surplus(heap, true);
		pool_check_heap(heap);
		heap_unlock_flushed(heap);
		atomic_thread_fence(memory_order_seq_cst);
	} while (heap_dead_waits(heap));
	heap_list_if_wanted(heap);
	decay_bound();
}
