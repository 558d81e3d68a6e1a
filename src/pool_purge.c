/* SPDX-License-Identifier: MIT */
/*
 * A pool of a medium class has 2 to 64 pages, and one block that is out keeps them all from their arena. But which
 * blocks are at home is known from the pool's record, and nothing need be known of the blocks themselves: a page of which no
 * block is out can go back to the system, and come again as zeros when its blocks are written to. Pools of one page are left
 * out: theirs goes with the last block.
 *
 * Such a page stays the pool's. It no longer counts as used (pool->purged says how many do not); pool_take charges them
 * again before it gives out a block, and a pool that is released before it returns its pages.
 */
#include "pool_purge.h"

#include "arena_purge.h"
#include "bit_word.h"
#include "os.h"
#include "pool.h"

#define STEP_POOLS 256u

static uint64_t pages_without_blocks(const struct pool *pool, const struct size_class *geometry)
{
	uint64_t out = 0;
	for (size_t block = 0; block < pool->carved; block++) {
		if (pool->home[block / 64] >> (block % 64) & 1)
			continue;
		size_t first = block * geometry->size / PAGE_SIZE;
		size_t last = ((block + 1) * geometry->size - 1) / PAGE_SIZE;
		out |= bits_below((unsigned)(last - first + 1)) << first;
	}
	return bits_below(geometry->pages) & ~out;
}

static size_t purge(struct pool *pool)
{
	page_index page = page_of_pool(pool);
	uint64_t pages = pages_without_blocks(pool, &size_classes[pool->class]);
	size_t bytes = arena_purge_used(page / ARENA_PAGES, pages << (page % ARENA_PAGES));
	pool->purged += (uint8_t)(bytes / PAGE_SIZE);
	return bytes;
}

/* Pools come and go between two calls: the one that was next may be another's now, or not listed. */
static bool is_listed(const struct heap *heap, page_index page, unsigned class)
{
	page_tag tag = atomic_load_explicit(&region_tags[page], memory_order_relaxed);
	return tag == (heap_tag(heap) | class * 2) && region.backs[page] == 0 && region.pools[page].listed;
}

/* The next pool of this round, the emptiest of each class first. NULL: the round is over. */
static struct pool *next_pool(struct heap *heap)
{
	page_index page = heap->purge_next;
	if (page == NO_PAGE || !is_listed(heap, page, heap->purge_class))
		page = NO_PAGE;
	while (page == NO_PAGE && !pool_purge_is_over(heap)) {
		owner_add(heap->purge_class, 1);
		page = pool_purge_is_over(heap) ? NO_PAGE : heap->pools[heap->purge_class].last;
	}
	if (page == NO_PAGE)
		return NULL;
	heap->purge_next = region.pools[page].previous;
	return &region.pools[page];
}

void pool_purge_begin(struct heap *heap)
{
	owner_set(heap->purge_class, OBJECT_CLASSES);
	heap->purge_next = NO_PAGE;
}

bool pool_purge_is_over(const struct heap *heap)
{
	return others_read(heap->purge_class) >= CLASS_COUNT;
}

static size_t step(struct heap *heap, size_t limit, bool idle_only)
{
	size_t bytes = 0;
	for (unsigned looked = 0; looked < STEP_POOLS && bytes < limit; looked++) {
		struct pool *pool = next_pool(heap);
		if (pool == NULL)
			break;
		if (pool->idle || !idle_only)
			bytes += purge(pool);
		pool->idle = true;
	}
	return bytes;
}

size_t pool_purge_idle(struct heap *heap, uint32_t idle_ms, size_t limit)
{
	if (pool_purge_is_over(heap)) {
		uint32_t now = (uint32_t)os_clock_ms();
		if (!is_older(now, heap->purge_since, idle_ms))
			return 0;
		heap->purge_since = now;
		pool_purge_begin(heap);
	}
	return step(heap, limit, true);
}

size_t pool_purge_rest(struct heap *heap, size_t limit)
{
	return step(heap, limit, false);
}

size_t pool_purge_all(struct heap *heap)
{
	size_t bytes = 0;
	for (pool_purge_begin(heap); !pool_purge_is_over(heap);)
		bytes += step(heap, SIZE_MAX, false);
	return bytes;
}
