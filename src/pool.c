/* SPDX-License-Identifier: MIT */
#include "pool.h"

#include "arena.h"
#include "arena_count.h"
#include "bit_word.h"
#include "check.h"
#include "walk.h"

#include <errno.h>
#include <string.h>

/* Pages at hand for new pools, and on the way back, are claimed and returned together, as many as go with those of the pools
 * that the heap has: from a few to a whole arena. */
#define BATCH_LEAST 4u
#define BATCH_MOST ARENA_PAGES

static unsigned batch_of(const struct heap *heap)
{
	return (unsigned)size_min(size_max(heap->pool_pages / 8, BATCH_LEAST), BATCH_MOST);
}

/* ---- The bitmap of the blocks at home ------------------------------------------------------------------------------- */

/* Kept beside the pool rather than in its free blocks, so that no write after free can reach it, and a block that comes
 * home twice is seen at once. Only the 8-byte class has more blocks than the record has bits. */
static uint64_t *home_bits(struct pool *pool)
{
	return likely(pool->class != 1) ? pool->home : (uint64_t *)page_start(page_of_pool(pool));
}

static char *first_block(const struct pool *pool, const struct size_class *class)
{
	return page_start(page_of_pool(pool)) + class->start;
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
	arena_return(set->arena, set->pages);
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

void pool_settle(struct heap *heap, bool everything)
{
	unsigned batch = batch_of(heap);
	if (everything || bit_count(heap->returning.pages) >= batch)
		return_set(heap, &heap->returning);
	if (everything || bit_count(heap->reserve.pages) > 2 * batch)
		return_set(heap, &heap->reserve);
	if (everything)
		heap->reserve_step = 1;
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
	reserve->pages = arena_claim_pages(want, count, &reserve->arena);
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
	region.backs[page] = 0;
	for (unsigned i = 1; i < count; i++)
		region.backs[page + i] = (uint8_t)i;
}

static void tag_pages(page_index page, unsigned count, page_tag tag)
{
	for (unsigned i = 0; i < count; i++)
		atomic_store_explicit(&region_tags[page + i], tag, memory_order_relaxed);
}

/* ---- A pool's life -------------------------------------------------------------------------------------------------- */

int pool_make(struct heap *heap, unsigned class)
{
	unsigned count = size_classes[class].pages;
	page_index page = claim_page_range(heap, count);
	if (page == NO_PAGE)
		return -ENOMEM;
	struct pool *pool = &region.pools[page];
	memset(pool->home, 0, sizeof pool->home);
	pool->class = (uint8_t)class;
	pool->home_count = 0;
	pool->carved = 0;
	pool->target = false;
	pool->idle = false;
	pool->purged = 0;
	if (class == 1)
		memset(page_start(page), 0, size_classes[1].start);
	note_backs(page, count);
	tag_pages(page, count, heap_tag(heap) | class * 2);
	list_insert(heap, pool, false);
	owner_add(heap->pool_count, 1);
	owner_add(heap->pool_pages, count);
	return 0;
}

/* Of pages at hand it is taken for granted that they are marked dirty: those that were purged are not, and go back to their
 * arena, which marks them when they are claimed. */
static void return_purged(struct heap *heap, struct pool *pool, page_index page, unsigned count)
{
	arena_recharge(pool->purged);
	owner_set(heap->returned, true);
	arena_return(page / ARENA_PAGES, bits_below(count) << (page % ARENA_PAGES));
}

static void release_pool(struct heap *heap, struct pool *pool)
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

/* The blocks of one word of the bitmap, linked in the order of their addresses behind *tail. */
static void **link_word(void **tail, char *start, uint64_t bits, unsigned size)
{
	for (; bits != 0; bits &= bits - 1) {
		void **block = (void **)(start + (size_t)bit_lowest(bits) * size);
		*tail = block;
		tail = block;
	}
	return tail;
}

static void **link_home(struct pool *pool, const struct size_class *class, void **tail)
{
	uint64_t *home = home_bits(pool);
	char *start = first_block(pool, class);
	for (unsigned at = 0; at * 64 < pool->carved; at++, start += (size_t)64 * class->size) {
		tail = link_word(tail, start, home[at], class->size);
		home[at] = 0;
	}
	return tail;
}

/* Blocks that were never handed out, a page's worth: no page is touched before it is needed. */
static void **link_fresh(struct pool *pool, const struct size_class *class, void **tail, unsigned *count)
{
	unsigned carve = (unsigned)size_max(PAGE_SIZE / class->size, 1);
	carve = (unsigned)size_min(carve, class->capacity - pool->carved);
	char *block = first_block(pool, class) + (size_t)pool->carved * class->size;
	for (unsigned i = 0; i < carve; i++, block += class->size) {
		*tail = block;
		tail = (void **)block;
	}
	pool->carved += carve;
	*count += carve;
	return tail;
}

/* Before blocks are given out of pages that went back to the system. False: the limit does not allow them. */
static bool want_purged(struct pool *pool, const struct size_class *class)
{
	page_index page = page_of_pool(pool);
	if (!arena_charge(pool->purged))
		return false;
	arena_mark_dirty(page / ARENA_PAGES, bits_below(class->pages) << (page % ARENA_PAGES));
	pool->purged = 0;
	return true;
}

unsigned pool_take(struct heap *heap, unsigned class_index, struct bin *bin)
{
	const struct size_class *class = &size_classes[class_index];
	page_index page = heap->pools[class_index].first;
	if (page == NO_PAGE)
		return 0;
	struct pool *pool = &region.pools[page];
	pool->idle = false;
	if (unlikely(pool->purged != 0) && !want_purged(pool, class)) {
		list_remove(heap, pool);
		list_insert(heap, pool, false);
		return 0;
	}
	unsigned count = pool->home_count;
	void *first = NULL;
	void **tail = &first;
	if (count > 0) {
		tail = link_home(pool, class, tail);
		pool->home_count = 0;
	} else {
		tail = link_fresh(pool, class, tail, &count);
	}
	if (pool->carved == class->capacity)
		list_remove(heap, pool);
	*tail = bin->head;
	owner_set(bin->head, first);
	owner_add(heap->out_blocks[class_index], count);
	return count;
}

void pool_to_front(struct heap *heap, struct pool *pool)
{
	list_remove(heap, pool);
	list_insert(heap, pool, true);
}

STRATA_FAST enum homecoming locate(struct pool *pool, const struct size_class *class, const void *block, unsigned *index)
{
	size_t offset = (size_t)((const char *)block - first_block(pool, class));
	if (unlikely(!block_begins(class, offset, pool->carved, index)))
		return HOME_INSIDE;
	return HOME;
}

/* So many blocks are home now whose bits were just set. */
STRATA_FAST void came_home(struct heap *heap, struct pool *pool, unsigned count)
{
	pool->home_count += (uint16_t)count;
	pool->idle = false;
	if (pool->home_count == pool->carved)
		release_pool(heap, pool);
	else if (!pool->listed)
		list_insert(heap, pool, true);
}

enum homecoming pool_home(struct heap *heap, void *block)
{
	struct pool *pool = pool_of_block(block);
	unsigned class = pool->class;
	unsigned index;
	if (unlikely(locate(pool, &size_classes[class], block, &index) != HOME))
		return HOME_INSIDE;
	uint64_t *word = &home_bits(pool)[index / 64];
	uint64_t bit = UINT64_C(1) << (index % 64);
	if (unlikely(*word & bit))
		return HOME_TWICE;
	*word |= bit;
	owner_add(heap->out_blocks[class], -1);
	came_home(heap, pool, 1);
	return HOME;
}

/* The pool is all home now, or was not listed. */
static __attribute__((noinline)) void list_or_release(struct heap *heap, struct pool *pool)
{
	if (pool->home_count == pool->carved)
		release_pool(heap, pool);
	else
		list_insert(heap, pool, true);
}

/* Blocks of one page, freed one after the other, enter a word of its bitmap together. The first, whose bit in *word is index's, lies at
 * offset in the page. Returns how many. */
STRATA_FAST unsigned home_neighbours(uint64_t *word, void *const *blocks, unsigned count, size_t offset, uint32_t index, uint32_t carved,
				     const struct size_class *class, unsigned shift)
{
	const uintptr_t page = (uintptr_t)blocks[0] - offset;
	uint64_t bits = *word;
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
		at = block_index((uint32_t)offset, class->odd_inverse, shift);
	} while (offset < PAGE_SIZE && (at ^ index) < 64 && at < carved);
	*word = bits;
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
STRATA_FAST unsigned home_many(struct heap *heap, unsigned class_index, void *const *blocks, unsigned count, const bool plain,
			       const bool together)
{
	const struct size_class *class = &size_classes[class_index];
	const uint32_t inverse = class->odd_inverse;
	const unsigned shift = (unsigned)__builtin_ctz(class->size);
	const uintptr_t base = region_base;
	const _Atomic page_tag *const tags = region_tags;
	struct pool *const pools = region.pools;
	const page_tag mine = heap_tag(heap) | class_index * 2;
	unsigned done = 0;
	while (done < count) {
		size_t offset = (uintptr_t)blocks[done] - base;
		size_t page = offset >> PAGE_SHIFT;
		if (unlikely(atomic_load_explicit(&tags[page], memory_order_relaxed) != mine))
			break;
		if (!plain)
			page -= region.backs[page];
		struct pool *pool = &pools[page];
		offset = plain ? offset % PAGE_SIZE : offset - (page << PAGE_SHIFT) - class->start;
		uint32_t index = block_index((uint32_t)offset, inverse, shift);
		if (unlikely(index >= pool->carved))
			break;
		uint64_t *word = &(plain ? pool->home : home_bits(pool))[index / 64];
		unsigned here = together ? home_neighbours(word, blocks + done, count - done, offset, index, pool->carved, class, shift)
					 : home_one(word, index);
		if (unlikely(here == 0))
			break;
		done += here;
		if (!plain)
			pool->idle = false;
		pool->home_count += (uint16_t)here;
		if (pool->home_count == pool->carved || unlikely(!pool->listed))
			list_or_release(heap, pool);
	}
	owner_add(heap->out_blocks[class_index], -done);
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
	if (locate(pool, &size_classes[pool->class], p, &index) != HOME)
		return HOME_INSIDE;
	uint64_t word = __atomic_load_n(&home_bits(pool)[index / 64], __ATOMIC_RELAXED);
	return word >> (index % 64) & 1 ? HOME_TWICE : HOME;
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
		home += bit_count(home_bits(pool)[at]);
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
