/* SPDX-License-Identifier: MIT */
/*
 * A pool's life: made of pages of an arena, its blocks handed out by the pool's worth, taken home one by one, its pages
 * returned when all are home. Every function is called by whoever holds heap->busy, and changes only that heap's pools.
 */
#ifndef STRATA_POOL_H
#define STRATA_POOL_H

#include "layout.h"

/* Takes free blocks of the pool in front of the class's list, at most so many: pointers to them, from slots on. Of blocks that were never
 * handed out it takes a page's worth, or least, if that is more. Returns how many; 0 when no pool has any, or the limit
 * does not allow the pages that it gave back meanwhile. */
unsigned pool_take(struct heap *heap, unsigned class, void **slots, unsigned least, unsigned most);

/* One free block of the last pool in the list, which has been partly free for longest; of the last but one, where none has come home to
 * the last, whose blocks were never handed out. NULL: there is no such, or the limit does not allow it. */
void *pool_take_back(struct heap *heap, unsigned class);

/* The pool, which has blocks to give, is the next that pool_take takes from. */
void pool_to_front(struct heap *heap, struct pool *pool);

/* All blocks of the pool are home: its pages are the heap's to use otherwise, or go back. */
void pool_release(struct heap *heap, struct pool *pool);

/* Makes a pool for the class and takes the first blocks of it, likewise; 0: no memory. */
unsigned pool_make(struct heap *heap, unsigned class, void **slots, unsigned least, unsigned most);

/* What becomes of a block that is brought home: it is let in; it was home already; it is no block, but lies inside one. */
enum homecoming { HOME_ACCEPTED, HOME_TWICE, HOME_INSIDE };

/* Takes the block home into its pool, which must be one of heap's. */
enum homecoming pool_home(struct heap *heap, void *block);

/* Takes home blocks that came from a bin of this class. Stops at the first that is not a block of one of heap's pools of the
 * class, or is at home already, and returns its place; count when there is none. */
unsigned pool_home_many(struct heap *heap, unsigned class, void *const *blocks, unsigned count);

/* What would become of p, of a pool of any heap, if it came home (HOME_ACCEPTED: a block that was handed out, and is not home): a look
 * without the right to one, so only good for diagnosis. */
enum homecoming pool_look(const void *p);

/* Moves up to count pools of the class from one heap to another; both busy. Returns how many. */
unsigned pool_adopt(struct heap *from, struct heap *to, unsigned class, unsigned count);

/* Returns the pages that were collected on the way back, when they are many; with everything, all of them, and those held in reserve.
 * Flushes the account, when that is as much. */
void pool_return_surplus(struct heap *heap, bool everything);

/* Walks every list of the heap and checks the invariants of layout.h; does nothing unless built for debugging. */
void pool_check_heap(const struct heap *heap);

static inline page_index page_of_pool(const struct pool *pool)
{
	return (page_index)(pool - region.pools);
}

/* The bitmap of the blocks at home. Kept beside the pool rather than in its free blocks, so that no write after free can reach it, and
 * a block that comes home twice is seen at once. Only the 8-byte class has more blocks than the record has bits. */
static inline uint64_t *pool_bits(struct pool *pool)
{
	return likely(pool->class != 1) ? pool->home : (uint64_t *)page_start(page_of_pool(pool));
}

static inline char *pool_first_block(const struct pool *pool, const struct size_class *geometry)
{
	return page_start(page_of_pool(pool)) + geometry->start;
}

static inline struct pool *pool_of_block(const void *block)
{
	page_index page = page_of(block);
	return &region.pools[page - region.backs[page]];
}

/* Whether a block of the class begins there. For blocks that are out, of any heap's pools: what is read does not change then. */
static inline bool pool_is_start(const void *p, const struct size_class *geometry)
{
	page_index page = page_of(p);
	const char *first = page_start(page - region.backs[page]) + geometry->start;
	unsigned index;
	return block_begins(geometry, (size_t)((const char *)p - first), geometry->capacity, &index);
}

#endif
