/* SPDX-License-Identifier: MIT */
/* Blocks that come home: each is found to be one, and not home already, and enters its pool's bitmap. */
#include "pool.h"

STRATA_FAST enum homecoming locate(struct pool *pool, const struct size_class *geometry, const void *block, unsigned *index)
{
	size_t offset = (size_t)((const char *)block - pool_first_block(pool, geometry));
	if (unlikely(!block_begins(geometry, offset, pool->carved, index)))
		return HOME_INSIDE;
	return HOME_ACCEPTED;
}

/* The pool is all home now, or was not listed. */
STRATA_NOINLINE static void list_or_release(struct heap *heap, struct pool *pool)
{
	if (pool->home_count == pool->carved)
		pool_release(heap, pool);
	else
		pool_to_front(heap, pool);
}

enum homecoming pool_home(struct heap *heap, void *block)
{
	struct pool *pool = pool_of_block(block);
	unsigned class = pool->class;
	unsigned index;
	if (unlikely(locate(pool, &size_classes[class], block, &index) != HOME_ACCEPTED))
		return HOME_INSIDE;
	uint64_t *word = &pool_bits(pool)[index / 64];
	uint64_t bit = UINT64_C(1) << (index % 64);
	if (unlikely(*word & bit))
		return HOME_TWICE;
	*word |= bit;
	owner_add(heap->out_blocks[class], -1);
	pool->idle = false;
	if (++pool->home_count == pool->carved || unlikely(!pool->listed))
		list_or_release(heap, pool);
	return HOME_ACCEPTED;
}

/* Blocks of one page, freed one after the other, enter a word of its bitmap together. The first lies at offset in the page. Returns
 * how many. */
STRATA_FAST unsigned home_neighbours(struct pool *pool, void *const *blocks, unsigned count, size_t offset,
				     const struct size_class *geometry, unsigned shift)
{
	const uintptr_t page = (uintptr_t)blocks[0] - offset;
	const uint32_t index = block_index((uint32_t)offset, geometry->odd_inverse, shift);
	uint64_t bits = pool->home[index / 64];
	uint32_t at = index;
	unsigned done = 0;
	do {
		uint64_t bit = UINT64_C(1) << (at % 64);
		if (unlikely(bits & bit))
			break;
		bits |= bit;
		if (++done == count)
			break;
		offset = (uintptr_t)blocks[done] - page;
		at = block_index((uint32_t)offset, geometry->odd_inverse, shift);
	} while (offset < PAGE_SIZE && (at ^ index) < 64 && at < pool->carved);
	pool->home[index / 64] = bits;
	return done;
}

static inline unsigned home_one(uint64_t *word, uint32_t index)
{
	uint64_t bit = UINT64_C(1) << (index % 64);
	if (unlikely(*word & bit))
		return 0;
	*word |= bit;
	return 1;
}

/* What does not change is held in locals, since the compiler must think that the writes to the bitmaps change it. plain: a pool of the
 * class is one page, and its first block begins where that does. together: to look for neighbours is worth while. */
STRATA_FAST unsigned home_many(struct heap *heap, unsigned class, void *const *blocks, unsigned count, const bool plain,
			       const bool together)
{
	const struct size_class *geometry = &size_classes[class];
	const uint32_t inverse = geometry->odd_inverse;
	const unsigned shift = (unsigned)__builtin_ctz(geometry->size);
	const uintptr_t base = region_base;
	const _Atomic page_tag *const tags = region_tags;
	struct pool *const pools = region.pools;
	const page_tag mine = heap_tag(heap) | class * 2;
	unsigned done = 0;
	while (done < count) {
		size_t offset = (uintptr_t)blocks[done] - base;
		size_t page = offset >> PAGE_SHIFT;
		if (unlikely(atomic_load_explicit(&tags[page], memory_order_relaxed) != mine))
			break;
		if (!plain)
			page -= region.backs[page];
		struct pool *pool = &pools[page];
		offset = plain ? offset % PAGE_SIZE : offset - (page << PAGE_SHIFT) - geometry->start;
		uint32_t index = block_index((uint32_t)offset, inverse, shift);
		if (unlikely(index >= pool->carved))
			break;
		unsigned here = together ? home_neighbours(pool, blocks + done, count - done, offset, geometry, shift)
					 : home_one(&(plain ? pool->home : pool_bits(pool))[index / 64], index);
		if (unlikely(here == 0))
			break;
		done += here;
		if (!plain)
			pool->idle = false;
		pool->home_count += (uint16_t)here;
		if (pool->home_count == pool->carved || unlikely(!pool->listed))
			list_or_release(heap, pool);
	}
	owner_add(heap->out_blocks[class], -done);
	return done;
}

static bool are_neighbours(const void *one, const void *other)
{
	return ((uintptr_t)one ^ (uintptr_t)other) < PAGE_SIZE;
}

/* As a sample tells: blocks freed at random are seldom neighbours, those freed in order nearly always. A second pair, since a page may
 * end between the first. */
static bool are_in_order(void *const *blocks, unsigned count)
{
	return count > 2 && (are_neighbours(blocks[0], blocks[1]) || are_neighbours(blocks[1], blocks[2]));
}

unsigned pool_home_many(struct heap *heap, unsigned class, void *const *blocks, unsigned count)
{
	if (class == 1 || class > OBJECT_CLASSES)
		return home_many(heap, class, blocks, count, false, false);
	if (are_in_order(blocks, count))
		return home_many(heap, class, blocks, count, true, true);
	return home_many(heap, class, blocks, count, true, false);
}

enum homecoming pool_look(const void *p)
{
	struct pool *pool = pool_of_block(p);
	unsigned index;
	if (locate(pool, &size_classes[pool->class], p, &index) != HOME_ACCEPTED)
		return HOME_INSIDE;
	uint64_t word = __atomic_load_n(&pool_bits(pool)[index / 64], __ATOMIC_RELAXED);
	return word >> (index % 64) & 1 ? HOME_TWICE : HOME_ACCEPTED;
}
