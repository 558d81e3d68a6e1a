/* SPDX-License-Identifier: MIT */
/*
 * A bin's top, and the order in which its owner touches it: credit first, head last. That order is what lets another thread
 * claim the bin of a sleeping owner (claim.c): whoever is between the two has a credit that does not fit the list.
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

/* Takes the top block; NULL when there is none. */
STRATA_FAST void *bin_pop(struct bin *bin)
{
	owner_add(bin->credit, 1);
	compiler_fence();
	void *block = racy_read(bin->head);
	if (unlikely(block == NULL)) {
		owner_add(bin->credit, -1);
		return NULL;
	}
	owner_publish(bin->head, *(void **)block);
	return block;
}

/* With the heap locked: order is nothing then. */
static inline void bin_put_locked(struct bin *bin, void *block)
{
	*(void **)block = bin->head;
	owner_publish(bin->head, block);
	owner_add(bin->credit, -1);
}

#endif
