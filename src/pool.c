/* SPDX-License-Identifier: MIT */
#include "pool.h"

#include "arena.h"
#include "arena_count.h"
#include "bit_word.h"
#include "check.h"
#include "walk.h"

#include <string.h>

/* Pages at hand for new pools, and on the way back, are claimed and returned together, as many as go with those of the pools
 * that the heap has: from a few to a whole arena. */
#define BATCH_LEAST 4u
#define BATCH_MOST ARENA_PAGES

static unsigned batch_of(const struct heap *heap)
{
	return (unsigned)size_min(size_max(heap->pool_pages / 8, BATCH_LEAST), BATCH_MOST);
}

/* ---- Lists by class ------------------------------------------------------------------------------------------------- */

static void list_insert(struct heap *heap, struct pool *pool, bool at_front)
{
	struct pool_list *list = &heap->pools[pool->class];
	page_index page = page_of_pool(pool);
	bool was_empty = list->first == NO_PAGE;
	pool->next = at_front ? list->first : NO_PAGE;
	pool->previous = at_front ? NO_PAGE : list->last;
	if (at_front && !was_empty)
		region.pools[list->first].previous = page;
	else if (!was_empty)
		region.pools[list->last].next = page;
	if (at_front || was_empty)
		owner_set(list->first, page);
	if (!at_front || was_empty)
		list->last = page;
	pool->listed = true;
	pool->target = false;
}

static void list_remove(struct heap *heap, struct pool *pool)
{
	struct pool_list *list = &heap->pools[pool->class];
	if (pool->previous == NO_PAGE)
		owner_set(list->first, pool->next);
	else
		region.pools[pool->previous].next = pool->next;
	if (pool->next == NO_PAGE)
		list->last = pool->previous;
	else
		region.pools[pool->next].previous = pool->previous;
	pool->listed = false;
}

/* ---- Pages ---------------------------------------------------------------------------------------------------------- */

static void return_set(struct heap *heap, struct page_set *set)
{
	if (set->pages == 0)
		return;
	arena_return_on(&heap->account, set->arena, set->pages);
	set->pages = 0;
	owner_set(heap->returned, true);
}

static void return_pages(struct heap *heap, arena_index arena, uint64_t pages)
{
	struct page_set *set = &heap->returning;
	if (set->arena != arena)
		return_set(heap, set);
	set->arena = arena;
	set->pages |= pages;
}

void pool_return_surplus(struct heap *heap, bool everything)
{
	unsigned batch = batch_of(heap);
	if (everything || bit_count(heap->returning.pages) >= batch)
		return_set(heap, &heap->returning);
	if (everything || bit_count(heap->reserve.pages) > 2 * batch)
		return_set(heap, &heap->reserve);
	if (everything)
		heap->reserve_step = 1;
	heap->account.now = 0;
	arena_flush_account(&heap->account, everything ? 0 : batch);
}

/* Neighbouring pages out of the set, the lowest. NO_PAGE if it has none. */
static page_index take_from(struct page_set *set, unsigned count)
{
	uint64_t firsts = first_of_runs(set->pages, count);
	if (firsts == 0)
		return NO_PAGE;
	unsigned first = bit_lowest(firsts);
	set->pages &= ~(bits_below(count) << first);
	return set->arena * ARENA_PAGES + first;
}

/* A few pages at a time for one atomic operation, more each time. What is left of the last batch and does not serve goes
 * back. */
static page_index claim_batch(struct heap *heap, unsigned count)
{
	struct page_set *reserve = &heap->reserve;
	unsigned want = (unsigned)size_max(size_min(heap->reserve_step, batch_of(heap)), count);
	if (heap->reserve_step < BATCH_MOST)
		heap->reserve_step *= 2;
	return_set(heap, reserve);
	reserve->pages = arena_claim_pages(want, count, &heap->account, &reserve->arena);
	return reserve->pages != 0 ? take_from(reserve, count) : NO_PAGE;
}

static page_index claim_page_range(struct heap *heap, unsigned count)
{
	page_index page = take_from(&heap->reserve, count);
	if (page == NO_PAGE)
		page = take_from(&heap->returning, count);
	return page != NO_PAGE ? page : claim_batch(heap, count);
}

static void release_pages(struct heap *heap, page_index page, unsigned count)
{
	arena_index arena = page / ARENA_PAGES;
	uint64_t pages = bits_below(count) << (page % ARENA_PAGES);
	struct page_set *reserve = &heap->reserve;
	if (reserve->pages == 0 || (reserve->arena == arena && bit_count(reserve->pages) < batch_of(heap))) {
		reserve->arena = arena;
		reserve->pages |= pages;
	} else {
		return_pages(heap, arena, pages);
	}
}

static void note_backs(page_index page, unsigned count)
{
	static const uint8_t distances[ARENA_PAGES] = {
		0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
		22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43,
		44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63,
	};
	if (count == 1)
		region.backs[page] = 0;
	else
		memcpy(&region.backs[page], distances, count);
}

typedef uint64_t two_tags __attribute__((may_alias));

/* Two in a store: tags that go together are seen together or one after the other, which is the same to whoever reads one. */
static void tag_pages(page_index page, unsigned count, page_tag tag)
{
	_Atomic page_tag *at = &region_tags[page];
	_Atomic page_tag *end = at + count;
	if (page % 2 != 0)
		atomic_store_explicit(at++, tag, memory_order_relaxed);
	for (; end - at >= 2; at += 2)
		__atomic_store_n((two_tags *)(void *)at, tag * UINT64_C(0x100000001), __ATOMIC_RELAXED);
	if (at < end)
		atomic_store_explicit(at, tag, memory_order_relaxed);
}

/* ---- A pool's life -------------------------------------------------------------------------------------------------- */

/* Of pages at hand it is taken for granted that they are marked dirty: those that were purged are not, and go back to their
 * arena, which marks them when they are claimed. */
static void return_purged(struct heap *heap, struct pool *pool, page_index page, unsigned count)
{
	arena_recharge(pool->purged);
	owner_set(heap->returned, true);
	arena_return_on(&heap->account, page / ARENA_PAGES, bits_below(count) << (page % ARENA_PAGES));
}

void pool_release(struct heap *heap, struct pool *pool)
{
	unsigned count = size_classes[pool->class].pages;
	page_index page = page_of_pool(pool);
	if (pool->listed)
		list_remove(heap, pool);
	tag_pages(page, count, 0);
	owner_add(heap->pool_count, -1);
	owner_add(heap->pool_pages, -count);
	if (unlikely(pool->purged != 0))
		return_purged(heap, pool, page, count);
	else
		release_pages(heap, page, count);
}

/* Up to most blocks that are home, from the lowest on; the lowest comes last, which is the first to be handed out. Their lines are far
 * away, and are fetched together: the program writes to one after the other. */
static unsigned take_home_blocks(struct pool *pool, const struct size_class *geometry, void **slots, unsigned most)
{
	uint64_t *word = pool_bits(pool);
	char *start = pool_first_block(pool, geometry);
	unsigned count = (unsigned)size_min(pool->home_count, most);
	unsigned left = count;
	for (; left > 0; word++, start += (size_t)64 * geometry->size) {
		uint64_t bits = *word;
		for (; bits != 0 && left > 0; bits &= bits - 1) {
			slots[--left] = start + (size_t)bit_lowest(bits) * geometry->size;
			__builtin_prefetch(slots[left], 1);
		}
		*word = bits;
	}
	pool->home_count -= (uint16_t)count;
	return count;
}

/* Blocks that were never handed out, a page's worth, or least if that is more. No page is touched for it. */
static unsigned take_fresh(struct pool *pool, const struct size_class *geometry, void **slots, unsigned least, unsigned most)
{
	unsigned page_worth = geometry->size < PAGE_SIZE ? PAGE_SIZE / geometry->size : 1;
	unsigned carve = (unsigned)size_min(size_max(page_worth, least), most);
	carve = (unsigned)size_min(carve, geometry->capacity - pool->carved);
	char *block = pool_first_block(pool, geometry) + (size_t)pool->carved * geometry->size;
	for (unsigned left = carve; left > 0; block += geometry->size)
		slots[--left] = block;
	pool->carved += (uint16_t)carve;
	return carve;
}

/* Its record is that of a pool whose blocks are all still to be handed out. */
static struct pool *begin_pool(struct heap *heap, unsigned class, page_index page, unsigned pages)
{
	struct pool *pool = &region.pools[page];
	memset(pool->home, 0, sizeof pool->home);
	pool->home_count = 0;
	pool->carved = 0;
	pool->class = (uint8_t)class;
	pool->listed = false;
	pool->target = false;
	pool->idle = false;
	pool->purged = 0;
	if (class == 1)
		memset(page_start(page), 0, size_classes[1].start);
	note_backs(page, pages);
	tag_pages(page, pages, heap_tag(heap) | class * 2);
	owner_add(heap->pool_count, 1);
	owner_add(heap->pool_pages, pages);
	return pool;
}

unsigned pool_make(struct heap *heap, unsigned class, void **slots, unsigned least, unsigned most)
{
	const struct size_class *geometry = &size_classes[class];
	page_index page = claim_page_range(heap, geometry->pages);
	if (page == NO_PAGE)
		return 0;
	struct pool *pool = begin_pool(heap, class, page, geometry->pages);
	unsigned count = take_fresh(pool, geometry, slots, least, most);
	if (pool->carved < geometry->capacity)
		list_insert(heap, pool, false);
	owner_add(heap->out_blocks[class], count);
	return count;
}

/* Before blocks are given out of pages that went back to the system. False: the limit does not allow them. */
static bool want_purged(struct pool *pool, const struct size_class *geometry)
{
	page_index page = page_of_pool(pool);
	if (!arena_charge(pool->purged))
		return false;
	arena_mark_dirty(page / ARENA_PAGES, bits_below(geometry->pages) << (page % ARENA_PAGES));
	pool->purged = 0;
	return true;
}

static unsigned take_from_pool(struct heap *heap, struct pool *pool, void **slots, unsigned least, unsigned most)
{
	unsigned class = pool->class;
	const struct size_class *geometry = &size_classes[class];
	pool->idle = false;
	if (unlikely(pool->purged != 0) && !want_purged(pool, geometry)) {
		list_remove(heap, pool);
		list_insert(heap, pool, false);
		return 0;
	}
	unsigned count = pool->home_count > 0 ? take_home_blocks(pool, geometry, slots, most) :
						take_fresh(pool, geometry, slots, least, most);
	if (pool->home_count == 0 && pool->carved == geometry->capacity)
		list_remove(heap, pool);
	owner_add(heap->out_blocks[class], count);
	return count;
}

unsigned pool_take(struct heap *heap, unsigned class, void **slots, unsigned least, unsigned most)
{
	page_index first = heap->pools[class].first;
	return first != NO_PAGE ? take_from_pool(heap, &region.pools[first], slots, least, most) : 0;
}

void *pool_take_back(struct heap *heap, unsigned class)
{
	const struct pool_list *list = &heap->pools[class];
	page_index page = list->first != NO_PAGE ? list->last : NO_PAGE;
	void *block;
	if (page != NO_PAGE && region.pools[page].home_count == 0)
		page = region.pools[page].previous;
	if (page == NO_PAGE || region.pools[page].home_count == 0)
		return NULL;
	return take_from_pool(heap, &region.pools[page], &block, 1, 1) > 0 ? block : NULL;
}

void pool_to_front(struct heap *heap, struct pool *pool)
{
	if (pool->listed)
		list_remove(heap, pool);
	list_insert(heap, pool, true);
}

unsigned pool_adopt(struct heap *from, struct heap *to, unsigned class, unsigned count)
{
	unsigned pages = size_classes[class].pages;
	unsigned adopted = 0;
	for (; adopted < count && from->pools[class].first != NO_PAGE; adopted++) {
		struct pool *pool = &region.pools[from->pools[class].first];
		uint32_t out = (uint32_t)(pool->carved - pool->home_count);
		list_remove(from, pool);
		tag_pages(page_of_pool(pool), pages, heap_tag(to) | class * 2);
		list_insert(to, pool, pool->home_count > 0);
		owner_add(from->out_blocks[class], -out);
		owner_add(to->out_blocks[class], out);
		owner_add(from->pool_count, -1);
		owner_add(to->pool_count, 1);
		owner_add(from->pool_pages, -pages);
		owner_add(to->pool_pages, pages);
	}
	return adopted;
}

/* ---- Checks --------------------------------------------------------------------------------------------------------- */

#ifdef STRATA_DEBUG
static void check_pool(const struct heap *heap, struct pool *pool, unsigned class)
{
	unsigned home = 0;
	for (unsigned at = 0; at * 64 < pool->carved; at++)
		home += bit_count(pool_bits(pool)[at]);
	expect(pool->class == class && pool->listed);
	expect(home == pool->home_count && pool->home_count <= pool->carved);
	expect(pool->carved <= size_classes[class].capacity);
	expect(pool->home_count > 0 || pool->carved < size_classes[class].capacity);
	for (unsigned i = 0; i < size_classes[class].pages; i++)
		expect(atomic_load(&region_tags[page_of_pool(pool) + i]) == (heap_tag(heap) | class * 2));
}

void pool_check_heap(const struct heap *heap)
{
	for (unsigned class = 1; class < CLASS_COUNT; class++) {
		page_index previous = NO_PAGE;
		page_index page = heap->pools[class].first;
		for (unsigned walked = 0; page != NO_PAGE && walked < 64; walked++) {
			expect(region.pools[page].previous == previous);
			check_pool(heap, &region.pools[page], class);
			previous = page;
			page = region.pools[page].next;
		}
		expect(page != NO_PAGE || heap->pools[class].last == previous);
		expect((int32_t)heap->out_blocks[class] >= 0);
	}
	walk_pages(heap);
}
#else
void pool_check_heap(const struct heap *heap)
{
	(void)heap;
}
#endif
