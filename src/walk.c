/* SPDX-License-Identifier: MIT */
#include "walk.h"

#ifdef STRATA_DEBUG

#include "bin_slots.h"
#include "check.h"
#include "region.h"

#include <stddef.h>

static page_tag tag_of(page_index page)
{
	return atomic_load_explicit(&region_tags[page], memory_order_relaxed);
}

void walk_untagged(page_index first, size_t count)
{
	for (size_t i = 0; i < count; i++)
		ensure(tag_of(first + (page_index)i) == 0);
}

void walk_untagged_in(arena_index arena, uint64_t pages)
{
	for (; pages != 0; pages &= pages - 1)
		ensure(tag_of(arena * ARENA_PAGES + bit_lowest(pages)) == 0);
}

/* ---- Pages ---------------------------------------------------------------------------------------------------------- */

/* Claimed: not free to anyone, in an arena that is taken. */
static void walk_claimed(arena_index arena, uint64_t pages)
{
	ensure((atomic_load(&region.arenas[arena].free) & pages) == 0);
	ensure(atomic_load(&chunk_of(arena)->used) & arena_bit(arena));
}

/* What may be written to without asking the arena is known not to be zero, and to cost memory. */
static void walk_dirty(arena_index arena, uint64_t pages)
{
	const struct arena *record = &region.arenas[arena];
	uint64_t dirty = atomic_load_explicit(&record->dirty, memory_order_relaxed);
	ensure((dirty & ~atomic_load_explicit(&record->given, memory_order_relaxed) & pages) == pages);
}

static void walk_set(const struct page_set *set)
{
	if (set->pages == 0)
		return;
	walk_untagged_in(set->arena, set->pages);
	walk_claimed(set->arena, set->pages);
	walk_dirty(set->arena, set->pages);
}

struct sums {
	uint32_t pools;
	int64_t out[CLASS_COUNT];
};

/* A page with this heap's tag: returns how many pages its pool has. */
static unsigned walk_pool(const struct heap *heap, page_index page, struct sums *sums)
{
	unsigned class = (tag_of(page) & TAG_CODE_MASK) / 2;
	ensure(class > 0 && class < CLASS_COUNT);
	const struct pool *pool = &region.pools[page];
	unsigned pages = size_classes[class].pages;
	ensure(pool->class == class && pool->home_count <= pool->carved && pool->carved <= size_classes[class].capacity);
	ensure(pool->listed == (pool->home_count > 0 || pool->carved < size_classes[class].capacity));
	for (unsigned i = 0; i < pages; i++)
		ensure(region.backs[page + i] == i && tag_of(page + i) == (heap_tag(heap) | class * 2));
	walk_claimed(page / ARENA_PAGES, bits_below(pages) << (page % ARENA_PAGES));
	if (pool->purged == 0)
		walk_dirty(page / ARENA_PAGES, bits_below(pages) << (page % ARENA_PAGES));
	sums->pools++;
	sums->out[class] += pool->carved - pool->home_count;
	return pages;
}

static void walk_tags(const struct heap *heap)
{
	struct sums sums = { 0 };
	page_index end = region_arenas() * ARENA_PAGES;
	for (page_index page = 0; page < end;)
		page += tag_of(page) >> TAG_OWNER_SHIFT == heap->number ? walk_pool(heap, page, &sums) : 1;
	ensure(sums.pools == heap->pool_count);
	for (unsigned class = 1; class < CLASS_COUNT; class++)
		ensure(sums.out[class] == heap->out_blocks[class]);
}

/* The walk over all tags is long. */
#define TAGS_EVERY 128

void walk_pages(const struct heap *heap)
{
	static __thread unsigned calls;
	walk_set(&heap->reserve);
	walk_set(&heap->returning);
	if (calls++ % TAGS_EVERY == 0)
		walk_tags(heap);
}

/* ---- Bins ----------------------------------------------------------------------------------------------------------- */

/* So many of a bin are looked at. A block that was freed twice is there twice: that is told when it comes home. */
#define BIN_WALK 64

void walk_bin(const struct heap *heap, unsigned class)
{
	const struct bin *bin = &heap->bins[class];
	ensure(bin->credit >= 0 && bin->credit <= bin->limit && bin->limit <= slots_capacity(heap, class));
	void *const *bottom = slots_bottom(heap, class);
	ensure(*bottom == NULL && (size_t)(bin->top - bottom) == bin_count(bin));
	for (unsigned i = 0; i < BIN_WALK && bin->top - i > bottom; i++) {
		const void *block = bin->top[-(ptrdiff_t)i];
		ensure((uintptr_t)block - region_base < others_read(region_span));
		page_tag tag = tag_of(page_of(block));
		ensure((tag & TAG_CODE_MASK) == class * 2 && tag >> TAG_OWNER_SHIFT != 0);
	}
}

#endif
