/* SPDX-License-Identifier: MIT */
/*
 * A bin's top, and the order in which its owner touches it. That order is what lets another thread claim the bin of a sleeping owner
 * (claim.c):
 *
 *   pop    top, then the slot, then credit      whoever has read a block has said before that it is no longer there
 *   push   credit, then the slot, then top      whoever is between has a credit that says so
 *
 * limit - credit is never less than the blocks in the bin.
 */
#ifndef STRATA_BIN_H
#define STRATA_BIN_H

#include "layout.h"

/* What a bin is found by, as a part of the distance between two: the code of its class, which is class * 2, or the bytes of an object
 * class's blocks, a multiple of 8, 0 for the class that is nobody's. */
#define BY_CODE (sizeof(struct bin) / 2)
#define BY_BYTES (sizeof(struct bin) / 8)

STRATA_FAST struct bin *bin_by(size_t unit, struct heap *heap, size_t index)
{
	return (struct bin *)((char *)heap->bins + index * unit);
}

STRATA_FAST struct bin *bin_at(struct heap *heap, size_t code)
{
	return bin_by(BY_CODE, heap, code);
}

STRATA_FAST struct bin *bin_of_object(struct heap *heap, size_t bytes)
{
	return bin_by(BY_BYTES, heap, bytes);
}

/* A slot holds NULL at the bottom and where a block was taken, a block, or a block with a mark (claim.c) that makes the word negative:
 * one test tells what may be handed out. */
#define SLOT_MARK (UINT64_C(1) << 63)

STRATA_FAST bool slot_is_block(const void *slot)
{
	return (intptr_t)slot > 0;
}

/* The slots of the heap that threads have before their first call, all NULL. Threads write its tops at the same time, each one down and
 * back to where they began: a top can be lower for a moment, by one for each pop that began within the few instructions of another. */
#define EMPTY_SLOTS 8192
extern STRATA_HIDDEN void *empty_slots[EMPTY_SLOTS];

/* Every thread's heap before its first call, always under check:1, and in a call that is sent to look at the clock (thread.h): no
 * block in it, no page of it, so that all calls take their slow paths. */
extern STRATA_HIDDEN struct heap empty_heap;

/* Nothing was there. */
STRATA_FAST void bin_undo_pop(const struct heap *heap, struct bin *bin, void **top)
{
	owner_publish(bin->top, likely(heap != &empty_heap) ? top : &empty_slots[EMPTY_SLOTS - 1]);
}

/* Takes the top block; NULL when there is none. */
STRATA_FAST void *bin_pop(const struct heap *heap, struct bin *bin)
{
	void **top = racy_read(bin->top);
	owner_publish(bin->top, top - 1);
	compiler_fence();
	void *block = racy_read(*top);
	if (likely(slot_is_block(block))) {
		compiler_fence();
		owner_add(bin->credit, 1);
		return block;
	}
	bin_undo_pop(heap, bin, top);
	return NULL;
}

/* With the heap locked, where order is nothing. So many blocks were stored above the top. */
static inline void bin_filled(struct bin *bin, unsigned count)
{
	owner_publish(bin->top, bin->top + count);
	owner_add(bin->credit, -(int32_t)count);
}

static inline void bin_put_locked(struct bin *bin, void *block)
{
	owner_set(bin->top[1], block);
	bin_filled(bin, 1);
}

/* Takes so many of the newest out: they are where the result points to, until something is stored there. */
static inline void *const *bin_drop_newest(struct bin *bin, unsigned count)
{
	owner_publish(bin->top, bin->top - count);
	owner_add(bin->credit, (int32_t)count);
	return bin->top + 1;
}

/* The newest block of the bin, by its owner or with the heap locked; NULL when there is none. */
static inline void *bin_newest(const struct bin *bin)
{
	void *block = racy_read(*bin->top);
	return slot_is_block(block) ? block : NULL;
}

#endif
