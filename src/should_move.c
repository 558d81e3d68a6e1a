/* SPDX-License-Identifier: MIT */
/*
 * Which blocks to move so that pools become empty.
 *
 * The pool that the calling thread's next block of the class comes from is the target; a block of a pool that is less full
 * than it (of two equally full ones, of that at the higher address) is worth moving. A target is filled to the last block
 * before there is another, so that moving ends: when at most one pool of the class is not full. For the next block to come
 * from the target, the bin holds blocks of that pool alone: what else is there goes home first, such as the block that was
 * just moved away.
 */
#include <strata/strata.h>

#include "bin.h"
#include "core.h"
#include "heap.h"
#include "pool.h"
#include "remote.h"
#include "thread.h"

/* Other heaps' records are read while they change: a wrong answer costs one move. */
static unsigned blocks_out(const struct pool *pool)
{
	return (unsigned)racy_read(pool->carved) - racy_read(pool->home_count);
}

static bool is_fuller(const struct pool *pool, const struct pool *other)
{
	unsigned out = blocks_out(pool);
	unsigned other_out = blocks_out(other);
	return out != other_out ? out > other_out : pool < other;
}

/* The pool of the newest block, if it is the target. All blocks above one of the target's go home. */
static struct pool *target_at_hand(struct heap *heap, unsigned class)
{
	struct bin *bin = &heap->bins[class];
	void *block;
	while (bin_count(bin) > 0 && (block = bin_newest(bin)) != NULL) {
		/* A larger one may be of another heap's pool. */
		struct pool *pool = core_tag(block) >> TAG_OWNER_SHIFT == heap->number ? pool_of_block(block) : NULL;
		if (pool != NULL && pool->target)
			return pool;
		bin_drop_newest(bin, 1);
		if (!heap_take_home(heap, block))
			break;
	}
	return NULL;
}

static struct pool *first_listed(const struct heap *heap, unsigned class)
{
	page_index page = heap->pools[class].first;
	return page != NO_PAGE ? &region.pools[page] : NULL;
}

/* Of two heaps that are in use only the fuller pool attracts, else they would exchange blocks for ever. A dead heap's pool
 * gives to any. */
static bool attracts(const struct pool *target, const struct pool *pool, uint32_t owner)
{
	return is_fuller(target, pool) ||
	       atomic_load_explicit(&heap_at(owner)->state, memory_order_relaxed) == HEAP_DEAD;
}

/* Whether pool is to be emptied into another, whose blocks are now the next to be handed out. */
static bool aim(struct heap *heap, unsigned class, struct pool *pool, uint32_t owner)
{
	struct pool *target = target_at_hand(heap, class);
	if (target != NULL) {
		/* Blocks came home to it since it was filled: of an earlier time, and no longer among the fullest. */
		if (owner == heap->number && target->listed && is_fuller(pool, target))
			target->target = false;
		return attracts(target, pool, owner);
	}
	struct pool *first = first_listed(heap, class);
	if (first == NULL && heap_adopt(heap, class) > 0)
		first = first_listed(heap, class);
	if (first == NULL || first == pool)
		return false;
	if (!attracts(first, pool, owner)) {
		if (owner == heap->number && pool->listed)
			pool_to_front(heap, pool);
		return false;
	}
	first->target = true;
	return heap_take_pool(heap, class) > 0;
}

STRATA_PUBLIC int strata_should_move(const void *block)
{
	page_tag tag = core_tag(block);
	struct heap *heap = thread_self.own;
	if (tag == TAG_FOREIGN || tag >> TAG_OWNER_SHIFT == 0 || heap == NULL)
		return 0;
	unsigned class = (tag & TAG_CODE_MASK) / 2;
	struct pool *pool = pool_of_block(block);
	if (blocks_out(pool) >= size_classes[class].capacity || !heap_try_lock_own(heap))
		return 0;
	/* Again, now that nobody can take it from the heap. */
	uint32_t owner = core_tag(block) >> TAG_OWNER_SHIFT;
	bool worth_it = owner != 0 && owner != TAG_FOREIGN >> TAG_OWNER_SHIFT && aim(heap, class, pool, owner);
	heap_unlock(heap);
	return worth_it;
}
