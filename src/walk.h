/* SPDX-License-Identifier: MIT */
/*
 * Walkers that check the invariants of layout.h, in debug builds (configure --enable-debug, and the tests of the inside);
 * elsewhere they are nothing. Each stops the process with a line when something does not hold.
 */
#ifndef STRATA_WALK_H
#define STRATA_WALK_H

#include "layout.h"

#ifdef STRATA_DEBUG

/* With the heap locked: pages at hand and on the way back are nobody's; now and then all tags of the region: what the
 * heap's counts say is what its pools hold. */
void walk_pages(const struct heap *heap);

/* By the owning thread: the bin of the class has as many blocks as it counts, each of a pool of that class: mostly of this
 * heap's, but a block that others freed comes to the bin even if its pool has found another owner meanwhile. */
void walk_bin(const struct heap *heap, unsigned class);

/* Pages that go to or come from the arenas have no tag. */
void walk_untagged(page_index first, size_t count);
void walk_untagged_in(arena_index arena, uint64_t pages);

#else

static inline void walk_pages(const struct heap *heap)
{
	(void)heap;
}

static inline void walk_bin(const struct heap *heap, unsigned class)
{
	(void)heap;
	(void)class;
}

static inline void walk_untagged(page_index first, size_t count)
{
	(void)first;
	(void)count;
}

static inline void walk_untagged_in(arena_index arena, uint64_t pages)
{
	(void)arena;
	(void)pages;
}

#endif

#endif
