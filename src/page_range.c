/* SPDX-License-Identifier: MIT */
#include "page_range.h"

#include "arena_count.h"
#include "bit_word.h"
#include "huge.h"
#include "os.h"

#include <string.h>

uint64_t range_in_arena(arena_index index, size_t first_page, size_t pages)
{
	size_t from = size_max(first_page, (size_t)index * ARENA_PAGES);
	size_t to = size_min(first_page + pages, ((size_t)index + 1) * ARENA_PAGES);
	return to > from ? bits_below((unsigned)(to - from)) << (from % ARENA_PAGES) : 0;
}

void range_mark(page_index first, size_t pages, void (*mark)(arena_index, uint64_t))
{
	if (pages == 0)
		return;
	for (arena_index index = first / ARENA_PAGES; index <= (first + pages - 1) / ARENA_PAGES; index++)
		mark(index, range_in_arena(index, first, pages));
}

/* Neighbours in one call: a page at a time, its length known, the compiler puts an instruction in line that is slow to begin. */
void range_zero_bits(page_index first, uint64_t pages)
{
	while (pages != 0) {
		uint64_t run = lowest_run(pages);
		memset(page_start(first + bit_lowest(run)), 0, bit_count(run) * PAGE_SIZE);
		pages &= ~run;
	}
}

/* Pages that were handed out count as dirty, touched or not. To clear what the system does not have makes it memory for the first time: so
 * where it has less than half of an arena, all of that goes. It stays dirty, as what is handed out is. */
static bool purge_sparse(page_index first)
{
	return os_is_sparse(page_start(first), ARENA_SIZE) && huge_purge(page_start(first), ARENA_SIZE, false) == 0;
}

void range_zero_dirty(page_index first, size_t pages)
{
	for (arena_index index = first / ARENA_PAGES; index <= (first + pages - 1) / ARENA_PAGES; index++) {
		uint64_t dirty = arena_dirty_pages(index) & range_in_arena(index, first, pages);
		if (dirty != ALL_BITS || !purge_sparse(index * ARENA_PAGES))
			range_zero_bits(index * ARENA_PAGES, dirty);
	}
}

size_t range_count_costly(page_index first, size_t pages)
{
	size_t costly = 0;
	for (arena_index index = first / ARENA_PAGES; pages > 0 && index <= (first + pages - 1) / ARENA_PAGES; index++)
		costly += bit_count(arena_costly_pages(index) & range_in_arena(index, first, pages));
	return costly;
}

/* One word for most steps of a run that grows. */
bool range_is_costly(page_index first, size_t pages)
{
	arena_index index = first / ARENA_PAGES;
	page_index last = first + (page_index)pages - 1;
	if (likely(last / ARENA_PAGES == index))
		return (bits_below((unsigned)pages) << first % ARENA_PAGES & ~arena_costly_pages(index)) == 0;
	return range_count_costly(first, pages) == pages;
}

void range_purge(page_index first, size_t pages)
{
	if (pages > 0 && huge_purge(page_start(first), pages * PAGE_SIZE, false) == 0)
		range_mark(first, pages, arena_mark_purged);
}
