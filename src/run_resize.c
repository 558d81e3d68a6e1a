/* SPDX-License-Identifier: MIT */
/* Runs made larger and smaller: in place, and by moving. */
#include "run.h"

#include "arena.h"
#include "arena_count.h"
#include "arena_whole.h"
#include "os.h"
#include "page_range.h"
#include "region.h"
#include "run_arenas.h"
#include "run_count.h"
#include "sample.h"

#include <errno.h>
#include <string.h>

static bool resize_span(struct pool *record, page_index first, size_t pages)
{
	size_t old = record->run.pages;
	arena_index arena = first / ARENA_PAGES;
	if (first % ARENA_PAGES + pages > ARENA_PAGES)
		return false;
	if (pages > old && !arena_claim_exactly(arena, range_in_arena(arena, first + old, pages - old)))
		return false;
	if (pages < old)
		arena_return(arena, range_in_arena(arena, first + pages, old - pages));
	record->run.reach = (uint32_t)pages;
	return true;
}

static bool grow_arenas(struct pool *record, page_index first, size_t pages)
{
	size_t arenas = run_arenas_of(pages);
	arena_index end = first / ARENA_PAGES + record->run.arenas;
	size_t more = arenas - record->run.arenas;
	size_t slack = arenas / 4;
	if (!arena_claim_whole_exactly(end, more + slack)) {
		slack = 0;
		if (!arena_claim_whole_exactly(end, more))
			return false;
	}
	record->run.arenas = (uint32_t)(arenas + slack);
	record->run.together = false;
	record->run.charged += (uint32_t)run_charge_slack(first, pages, arenas + slack);
	arena_count_taken(end, more + slack);
	return true;
}

static void shrink_arenas(struct pool *record, page_index first, size_t pages)
{
	size_t old = record->run.reach;
	size_t arenas = run_arenas_of(pages);
	size_t claimed = record->run.arenas;
	size_t in_place = size_min(old, arenas * ARENA_PAGES) - pages;
	range_purge(first + (page_index)pages, in_place);
	/* A remapped run stays whole until it is freed, when its mapping is made anew. */
	if (arenas < claimed && !record->run.moved) {
		page_index tail = first + (page_index)(arenas * ARENA_PAGES);
		record->run.arenas = (uint32_t)arenas;
		run_free_arenas(tail, old > arenas * ARENA_PAGES ? old - arenas * ARENA_PAGES : 0, claimed - arenas, false);
	} else if (old > arenas * ARENA_PAGES) {
		range_purge(first + (page_index)(arenas * ARENA_PAGES), old - arenas * ARENA_PAGES);
	}
}

/* Into arenas that are the run's already: what of them cost memory before was charged with it. */
static bool grow_into_slack(struct pool *record, page_index first, size_t pages)
{
	size_t old = record->run.pages;
	if (!range_is_costly(first + (page_index)old, pages - old)) {
		size_t fresh = pages - old - range_count_costly(first + (page_index)old, pages - old);
		if (!arena_charge(fresh))
			return false;
		record->run.charged += (uint32_t)fresh;
		range_mark(first + (page_index)old, pages - old, arena_mark_dirty);
	}
	record->run.reach = (uint32_t)size_max(pages, record->run.reach);
	return true;
}

/* A remapped run moves again rather than grow beyond its arenas: it would be two mappings, which cannot, and be copied some day. */
static bool resize_arenas(struct pool *record, page_index first, size_t pages, bool in_place)
{
	size_t reach = record->run.reach;
	bool grows = pages > record->run.pages;
	if (grows && run_arenas_of(pages) <= record->run.arenas)
		return grow_into_slack(record, first, pages);
	if (grows && !in_place && run_moves_again(record))
		return false;
	size_t more = grows ? pages - reach : 0;
	if (more != 0 && !arena_charge(more))
		return false;
	if (grows && !grow_arenas(record, first, pages)) {
		arena_recharge(-(int64_t)more);
		return false;
	}
	record->run.charged += (uint32_t)more;
	if (grows)
		range_mark(first + (page_index)reach, more, arena_mark_dirty);
	else
		shrink_arenas(record, first, pages);
	record->run.reach = (uint32_t)pages;
	run_charge_anew(record, first);
	return true;
}

static void note_size(const struct pool *record, size_t size)
{
	if (unlikely(record->run.sample != 0))
		sample_resize(record->run.sample, size);
}

void run_note_size(const void *block, size_t size)
{
	note_size(&region.pools[page_of(block)], size);
}

static bool resize(void *block, size_t size, bool in_place)
{
	page_index first = page_of(block);
	struct pool *record = &region.pools[first];
	size_t pages = run_pages_of(size);
	size_t old = record->run.pages;
	if (pages == old) {
		note_size(record, size);
		return true;
	}
	if (pages > (size_t)region.arena_limit * ARENA_PAGES)
		return false;
	if (pages > old && os_would_refuse((pages - old) * PAGE_SIZE))
		return false;
	if (record->run.arenas == 0 ? !resize_span(record, first, pages) : !resize_arenas(record, first, pages, in_place))
		return false;
	record->run.pages = (uint32_t)pages;
	note_size(record, size);
	run_count_add((int64_t)pages - (int64_t)old, 0);
	return true;
}

bool run_resize(void *block, size_t size)
{
	return resize(block, size, false);
}

static void pass_sample(struct pool *from, struct pool *to, size_t size)
{
	to->run.sample = from->run.sample;
	from->run.sample = 0;
	sample_resize(to->run.sample, size);
}

void *run_move(void *block, size_t size)
{
	size_t old = run_usable(block);
	size_t pages = run_pages_of(size);
	size_t arenas = run_arenas_of(pages);
	if (!run_may_fit(size, 1))
		return NULL;
	/* What has to move each time moves less often. */
	size_t slack = region.pools[page_of(block)].run.moved ? arenas / 2 : arenas / 4;
	void *to = pages > ARENA_PAGES ? run_allocate_arenas(pages, arenas + slack, 1, false) : NULL;
	if (to == NULL)
		to = run_allocate(size, 1, false);
	if (to == NULL)
		return resize(block, size, true) ? block : NULL;
	bool both_whole = region.pools[page_of(block)].run.arenas != 0 && region.pools[page_of(to)].run.arenas != 0;
	int result = both_whole ? run_remap(block, to, old) : -EINVAL;
	if (unlikely(result == PLACE_LOST)) {
		/* What cannot be written stays claimed, for good, and is no block. */
		run_count_add(-(int64_t)region.pools[page_of(to)].run.pages, -1);
		return NULL;
	}
	if (result != 0)
		memcpy(to, block, size_min(old, size));
	struct pool *record = &region.pools[page_of(block)];
	if (unlikely(record->run.sample != 0))
		pass_sample(record, &region.pools[page_of(to)], size);
	run_free(block);
	return to;
}
