/* SPDX-License-Identifier: MIT */
/*
 * A batch travels in some of its own blocks, the carriers. A carrier's first word links to the next and says how many others it
 * carries: those are in its last words. So most blocks are touched neither by whoever frees them nor, until they are wanted, by the
 * owner. What he would wait for, line after line out of another processor's cache, is but one link in as many blocks as a
 * carrier holds.
 *
 *   first word = next | carried << CARRIED_SHIFT; of the newest carrier, until it is handed over, all that it can carry
 *
 * What a program writes into them after it freed them is found when they arrive: nothing that is read back out of them before
 * says where to write. Addresses end below 2^48: the kernels of both platforms give out higher ones only to whoever asks for them.
 */
#ifndef STRATA_CARRIER_H
#define STRATA_CARRIER_H

#include "layout.h"
#include "pool.h"

#define CARRIER_MOST 64u /* blocks, itself among them */
#define CARRIED_SHIFT 48
#define NEXT_MASK (((uintptr_t)1 << CARRIED_SHIFT) - 1)

/* 0 for what is no block of a pool: pool_home's callers then say so. */
STRATA_FAST unsigned class_of_block(const void *block)
{
	page_tag code = atomic_load_explicit(&region_tags[page_of(block)], memory_order_relaxed) & TAG_CODE_MASK;
	return code < 2 * CLASS_COUNT ? code / 2 : 0;
}

/* How many others a block can carry. A pointer into a block has less behind it; that it is none is said when it arrives. */
STRATA_FAST uint32_t room_of_carrier(const void *block)
{
	const struct size_class *geometry = &size_classes[class_of_block(block)];
	if (geometry->size <= sizeof(void *) || !pool_is_start(block, geometry))
		return 0;
	return (uint32_t)size_min(geometry->size / sizeof(void *), CARRIER_MOST) - 1;
}

#endif
