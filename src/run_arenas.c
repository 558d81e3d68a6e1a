/* SPDX-License-Identifier: MIT */
#include "run_arenas.h"

#include "arena_count.h"
#include "arena_whole.h"
#include "huge.h"
#include "os.h"
#include "page_range.h"
#include "region.h"
#include "retain.h"
#include "run_count.h"

#include <errno.h>

/* Runs that were remapped are mappings of their own to the kernel, which allows a process 65530: beyond this many we copy. */
static _Atomic uint32_t moved_runs;
#define MOVED_MOST 8192u
/* In the child of a fork the kernel joins none that is refreshed to neighbours that are older than the child. That makes a mapping for each
 * arena at most: where these are many, a run among them counts for good. The first arena behind them; 0: none do. Written by the child
 * while it is alone. */
static arena_index apart_below;
#define APART_FROM ((arena_index)(2 * MOVED_MOST))

void run_fork_child(void)
{
	apart_below = region_arenas() > APART_FROM ? region_arenas() : 0;
}

size_t run_charge_slack(page_index first, size_t pages, size_t arenas)
{
	size_t slack = range_count_costly(first + (page_index)pages, arenas * ARENA_PAGES - pages);
	arena_recharge((int64_t)slack);
	return slack;
}

void run_charge_anew(struct pool *record, page_index first)
{
	size_t slack = run_charge_slack(first, record->run.reach, record->run.arenas);
	arena_recharge((int64_t)record->run.reach - record->run.charged);
	record->run.charged = record->run.reach + (uint32_t)slack;
}

void *run_begin(page_index first, size_t pages, size_t arenas, size_t charged)
{
	struct pool *record = &region.pools[first];
	record->run.pages = (uint32_t)pages;
	record->run.reach = (uint32_t)pages;
	record->run.arenas = (uint32_t)arenas;
	record->run.charged = (uint32_t)charged;
	record->run.moved = false;
	record->run.together = false;
	record->run.left = false;
	record->run.sample = 0;
	atomic_store_explicit(&region_tags[first], TAG_RUN, memory_order_relaxed);
	run_count_add((int64_t)pages, 1);
	return page_start(first);
}

void *run_allocate_arenas(size_t pages, size_t arenas, size_t alignment, bool zero)
{
	if (!arena_charge(pages))
		return NULL;
	arena_index index = arena_claim_whole(arenas, size_max(alignment / ARENA_SIZE, 1));
	if (index == NO_ARENA) {
		arena_recharge(-(int64_t)pages);
		return NULL;
	}
	page_index first = index * ARENA_PAGES;
	size_t slack = run_charge_slack(first, pages, arenas);
	arena_count_taken(index, arenas);
	if (zero)
		range_zero_dirty(first, pages);
	range_mark(first, pages, arena_mark_dirty);
	return run_begin(first, pages, arenas, pages + slack);
}

void run_free_arenas(page_index first, size_t pages, size_t arenas, bool moved)
{
	if (moved) {
		if (likely(first / ARENA_PAGES >= apart_below))
			atomic_fetch_sub_explicit(&moved_runs, 1, memory_order_relaxed);
		huge_forget(first / ARENA_PAGES, arenas);
		int result = region_refresh(first / ARENA_PAGES, arenas);
		if (unlikely(result == PLACE_LOST))
			return; /* not memory any more: nobody's from now on */
		if (result == 0)
			range_mark(first, arenas * ARENA_PAGES, arena_mark_purged);
	} else if (!retain_has_room(pages)) {
		range_purge(first, pages);
		retain_gave_young(pages);
	}
	arena_return_whole(first / ARENA_PAGES, arenas);
}

/* From this size on a move is cheaper by remapping than by copying. */
#define REMAP_FROM ((size_t)512 << 10)

/* What is behind the pages that moved came anew. With large pages of the system some of it moved along, up to the end of one. */
static void note_fresh(struct pool *record, page_index first, size_t size)
{
	size_t moved = (size + os_page_size() - 1) / os_page_size() * os_page_size() / PAGE_SIZE;
	size_t from = size_max(record->run.pages, moved);
	range_mark(first + (page_index)from, record->run.arenas * ARENA_PAGES - from, arena_mark_clean);
	record->run.reach = record->run.pages;
	record->run.together = true;
	run_charge_anew(record, first);
}

static bool may_remap(size_t size)
{
	return size >= REMAP_FROM && atomic_load_explicit(&moved_runs, memory_order_relaxed) < MOVED_MOST;
}

bool run_moves_again(const struct pool *record)
{
	return record->run.together && may_remap((size_t)record->run.pages * PAGE_SIZE);
}

int run_remap(void *from, void *to, size_t size)
{
	struct pool *record = &region.pools[page_of(to)];
	size_t room = (size_t)record->run.pages * PAGE_SIZE;
	if (size > room || !may_remap(size))
		return -EINVAL;
	int result = os_move(from, to, size, record->run.arenas * ARENA_SIZE);
	if (result < 0)
		return result;
	range_mark(page_of(from), size / PAGE_SIZE, arena_mark_clean);
	if (result != MOVED_ALONE)
		note_fresh(record, page_of(to), size);
	record->run.moved = true;
	region.pools[page_of(from)].run.left = true;
	atomic_fetch_add_explicit(&moved_runs, 1, memory_order_relaxed);
	return 0;
}
