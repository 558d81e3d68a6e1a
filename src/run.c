/* SPDX-License-Identifier: MIT */
#include "run.h"

#include "arena.h"
#include "arena_whole.h"
#include "check.h"
#include "decay.h"
#include "os.h"
#include "page_range.h"
#include "region.h"
#include "retain.h"
#include "run_cache.h"
#include "run_count.h"
#include "sample.h"
#include "thread.h"

#include <errno.h>
#include <string.h>

/* Runs that were remapped are mappings of their own to the kernel, which allows a process 65530: beyond this many we copy. */
static _Atomic uint32_t moved_runs;
#define MOVED_MOST 8192u
/* In the child of a fork the kernel joins none to its neighbours when it is refreshed: there they count for good. Written by that child
 * while it is alone. */
static bool stay_apart;

void run_fork_child(void)
{
	stay_apart = true;
}

/* From this size on a move is cheaper by remapping than by copying. */
#define REMAP_FROM ((size_t)512 << 10)

#define ALIGNMENT_MOST ((size_t)4 << 30)

static size_t pages_of(size_t size)
{
	return (size + PAGE_SIZE - 1) / PAGE_SIZE;
}

static size_t arenas_of(size_t pages)
{
	return (pages + ARENA_PAGES - 1) / ARENA_PAGES;
}

/* Where in the cache this thread looks first. */
static unsigned near(void)
{
	return thread_self.own != NULL ? thread_self.own->number : (unsigned)((uintptr_t)&thread_self / PAGE_SIZE * 0x9e3779b9u >> 24);
}

/* What cost memory already behind so many pages, in arenas that were claimed for them. It did when it was free, whatever the limit. */
static size_t charge_slack(page_index first, size_t pages, size_t arenas)
{
	size_t slack = range_count_costly(first + (page_index)pages, arenas * ARENA_PAGES - pages);
	arena_recharge((int64_t)slack);
	return slack;
}

/* What the whole arenas of a run cost, when its reach has changed: that, and the slack. */
static void charge_anew(struct pool *record, page_index first)
{
	size_t slack = charge_slack(first, record->run.reach, record->run.arenas);
	arena_recharge((int64_t)record->run.reach - record->run.charged);
	record->run.charged = record->run.reach + (uint32_t)slack;
}

/* ---- Allocation ----------------------------------------------------------------------------------------------------- */

static void *begin_run(page_index first, size_t pages, size_t arenas, size_t charged)
{
	struct pool *record = &region.pools[first];
	record->run.pages = (uint32_t)pages;
	record->run.reach = (uint32_t)pages;
	record->run.arenas = (uint32_t)arenas;
	record->run.charged = (uint32_t)charged;
	record->run.moved = false;
	record->run.left = false;
	record->run.sample = 0;
	atomic_store_explicit(&region_tags[first], TAG_RUN, memory_order_relaxed);
	run_count_add((int64_t)pages, 1);
	return page_start(first);
}

static void *allocate_span(size_t pages, size_t alignment, bool zero)
{
	uint64_t dirty;
	page_index first = arena_claim_span((unsigned)pages, (unsigned)size_max(alignment / PAGE_SIZE, 1), &dirty);
	if (first == NO_PAGE)
		return NULL;
	if (zero)
		range_zero_bits(first, dirty);
	return begin_run(first, pages, 0, pages);
}

bool run_may_fit(size_t size, size_t alignment)
{
	size_t span = (size_t)atomic_load_explicit(&region_most.arenas, memory_order_relaxed) * ARENA_SIZE;
	if (others_read(region_span) == 0 || size > span || alignment > ALIGNMENT_MOST || os_would_refuse(size))
		return false;
	return round_up(region_base, size_max(alignment, 1)) - region_base <= span - size;
}

static void *allocate_arenas(size_t pages, size_t arenas, size_t alignment, bool zero)
{
	if (!arena_charge(pages))
		return NULL;
	arena_index index = arena_claim_whole(arenas, size_max(alignment / ARENA_SIZE, 1));
	if (index == NO_ARENA) {
		arena_recharge(-(int64_t)pages);
		return NULL;
	}
	page_index first = index * ARENA_PAGES;
	size_t slack = charge_slack(first, pages, arenas);
	arena_count_taken(index, arenas);
	if (zero)
		range_zero_dirty(first, pages);
	range_mark(first, pages, arena_mark_dirty);
	return begin_run(first, pages, arenas, pages + slack);
}

/* Its record is as it was; only the tag was taken away. A smaller block still costs what the run did, and its run is as large as before
 * when it comes back: or one that shrinks from block to block would be taken for as little as the last of them. */
static void *reuse(cached_run run, size_t pages, bool zero)
{
	page_index first = cached_run_first(run);
	region.pools[first].run.pages = (uint32_t)pages;
	if (zero)
		range_zero_dirty(first, pages);
	if (unlikely(region.pools[first].run.left)) {
		range_mark(first, cached_run_pages(run), arena_mark_dirty);
		region.pools[first].run.left = false;
	}
	atomic_store_explicit(&region_tags[first], TAG_RUN, memory_order_relaxed);
	run_count_add((int64_t)pages, 1);
	return page_start(first);
}

static STRATA_NOINLINE void *allocate_anew(size_t size, size_t alignment, bool zero)
{
	size_t pages = pages_of(size);
	decay_tick();
	if (unlikely(!run_may_fit(size, alignment)))
		return NULL;
	if (pages <= ARENA_PAGES && alignment <= ARENA_SIZE)
		return allocate_span(pages, alignment, zero);
	return allocate_arenas(pages, arenas_of(pages), alignment, zero);
}

void *run_allocate(size_t size, size_t alignment, bool zero)
{
	size_t pages = pages_of(size);
	if (region_ready() != 0 || unlikely(alignment > ALIGNMENT_MOST))
		return NULL;
	cached_run run = run_cache_take(pages, size_max(alignment / PAGE_SIZE, 1), near());
	return likely(run != 0) ? reuse(run, pages, zero) : allocate_anew(size, alignment, zero);
}

/* ---- Freeing -------------------------------------------------------------------------------------------------------- */

/* The pages of a run on their way back: what there is no room for goes to the system at once. */
static void free_arenas(page_index first, size_t pages, size_t arenas, bool moved)
{
	if (moved) {
		if (!stay_apart)
			atomic_fetch_sub_explicit(&moved_runs, 1, memory_order_relaxed);
		int result = region_refresh(first / ARENA_PAGES, arenas);
		if (unlikely(result == -EACCES))
			return; /* not memory any more: nobody's from now on */
		if (result == 0)
			range_mark(first, arenas * ARENA_PAGES, arena_mark_purged);
	} else if (!retain_has_room(pages)) {
		range_purge(first, pages);
		retain_gave_young(pages);
	}
	arena_return_whole(first / ARENA_PAGES, arenas);
}

static void give_up(cached_run run)
{
	page_index first = cached_run_first(run);
	size_t pages = cached_run_pages(run);
	struct pool *record = &region.pools[first];
	if (record->run.arenas != 0) {
		uint32_t charged = record->run.charged;
		/* Of one whose mapping went elsewhere there is nothing to give back. */
		free_arenas(first, record->run.left ? 0 : pages, record->run.arenas, record->run.moved);
		arena_recharge(-(int64_t)charged);
	} else {
		arena_return(first / ARENA_PAGES, range_in_arena(first / ARENA_PAGES, first, pages));
	}
}

void run_give_up_surplus(void)
{
	cached_run run = run_cache_surplus();
	if (run != 0)
		give_up(run);
}

size_t run_expire(uint32_t idle_ms)
{
	size_t bytes = 0;
	/* Others may put as fast as we take. */
	for (unsigned left = 4 * RUN_CACHE_MOST; left > 0; left--) {
		cached_run run = run_cache_expire(idle_ms);
		if (run == 0)
			break;
		bytes += cached_run_pages(run) * PAGE_SIZE;
		give_up(run);
	}
	return bytes;
}

bool run_give_up_for(size_t arenas)
{
	cached_run run = run_cache_take_least((arenas - 1) * ARENA_PAGES + 1);
	if (run == 0)
		return false;
	page_index first = cached_run_first(run);
	const struct pool *record = &region.pools[first];
	uint32_t charged = record->run.charged;
	arena_return_whole(first / ARENA_PAGES, record->run.arenas);
	arena_recharge(-(int64_t)charged);
	return true;
}

void run_watch(void *block, uint32_t sample)
{
	struct pool *record = &region.pools[page_of(block)];
	if (record->run.sample != 0)
		sample_end(record->run.sample);
	record->run.sample = sample;
}

bool run_is_watched(const void *block)
{
	return region.pools[page_of(block)].run.sample != 0;
}

static void pass_sample(struct pool *from, struct pool *to, size_t size)
{
	to->run.sample = from->run.sample;
	from->run.sample = 0;
	sample_resize(to->run.sample, size);
}

bool run_free(void *block)
{
	page_index first = page_of(block);
	page_tag tag = TAG_RUN;
	if (block != page_start(first) ||
	    !atomic_compare_exchange_strong_explicit(&region_tags[first], &tag, 0, memory_order_acquire, memory_order_relaxed))
		return false;
	struct pool *record = &region.pools[first];
	size_t pages = record->run.pages;
	if (unlikely(record->run.sample != 0))
		run_watch(block, 0);
	run_count_add(-(int64_t)pages, -1);
	/* A remapped run is a mapping of its own to the kernel: not to be kept for long. */
	cached_run run = cached_run_of(first, record->run.reach);
	if (!record->run.moved)
		run = run_cache_put(run, near());
	bool cached = run == 0;
	if (!cached) {
		give_up(run);
		run_give_up_surplus();
	}
	/* Even those that stay in the cache look at the clock now and then. */
	bool turn = ++thread_self.run_frees % 64 == 0;
	if (!cached || turn) {
		decay_tick();
		thread_watch();
	}
	/* Whoever frees many has a heap to count them in, and a place in the cache that goes with it. */
	if (turn && unlikely(thread_self.own == NULL) && !thread_self.leaving)
		thread_attach();
	return true;
}

size_t run_usable(const void *block)
{
	return (size_t)region.pools[page_of(block)].run.pages * PAGE_SIZE;
}

/* ---- Resizing ------------------------------------------------------------------------------------------------------- */

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
	size_t arenas = arenas_of(pages);
	arena_index end = first / ARENA_PAGES + record->run.arenas;
	size_t more = arenas - record->run.arenas;
	size_t slack = arenas / 4;
	if (!arena_claim_whole_exactly(end, more + slack)) {
		slack = 0;
		if (!arena_claim_whole_exactly(end, more))
			return false;
	}
	record->run.arenas = (uint32_t)(arenas + slack);
	record->run.charged += (uint32_t)charge_slack(first, pages, arenas + slack);
	arena_count_taken(end, more + slack);
	return true;
}

static void shrink_arenas(struct pool *record, page_index first, size_t pages)
{
	size_t old = record->run.reach;
	size_t arenas = arenas_of(pages);
	size_t claimed = record->run.arenas;
	size_t in_place = size_min(old, arenas * ARENA_PAGES) - pages;
	range_purge(first + (page_index)pages, in_place);
	/* A remapped run stays whole until it is freed, when its mapping is made anew. */
	if (arenas < claimed && !record->run.moved) {
		page_index tail = first + (page_index)(arenas * ARENA_PAGES);
		record->run.arenas = (uint32_t)arenas;
		free_arenas(tail, old > arenas * ARENA_PAGES ? old - arenas * ARENA_PAGES : 0, claimed - arenas, false);
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

static bool resize_arenas(struct pool *record, page_index first, size_t pages)
{
	size_t reach = record->run.reach;
	bool grows = pages > record->run.pages;
	if (grows && arenas_of(pages) <= record->run.arenas)
		return grow_into_slack(record, first, pages);
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
	charge_anew(record, first);
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

bool run_resize(void *block, size_t size)
{
	page_index first = page_of(block);
	struct pool *record = &region.pools[first];
	size_t pages = pages_of(size);
	size_t old = record->run.pages;
	if (pages == old) {
		note_size(record, size);
		return true;
	}
	if (pages > (size_t)region.arena_limit * ARENA_PAGES)
		return false;
	if (pages > old && os_would_refuse((pages - old) * PAGE_SIZE))
		return false;
	if (record->run.arenas == 0 ? !resize_span(record, first, pages) : !resize_arenas(record, first, pages))
		return false;
	record->run.pages = (uint32_t)pages;
	note_size(record, size);
	run_count_add((int64_t)pages - (int64_t)old, 0);
	return true;
}

/* Both are runs of whole arenas, and there is room for all. The pages change places, nothing is copied. As os_move. */
static int remap(void *from, void *to, size_t size)
{
	if (size < REMAP_FROM || size > run_usable(to) || atomic_load_explicit(&moved_runs, memory_order_relaxed) >= MOVED_MOST)
		return -EINVAL;
	int result = os_move(from, to, size);
	if (result != 0)
		return result;
	range_mark(page_of(from), size / PAGE_SIZE, arena_mark_clean);
	region.pools[page_of(to)].run.moved = true;
	region.pools[page_of(from)].run.left = true;
	atomic_fetch_add_explicit(&moved_runs, 1, memory_order_relaxed);
	return 0;
}

void *run_move(void *block, size_t size)
{
	size_t old = run_usable(block);
	size_t pages = pages_of(size);
	size_t arenas = arenas_of(pages);
	if (!run_may_fit(size, 1))
		return NULL;
	void *to = pages > ARENA_PAGES ? allocate_arenas(pages, arenas + arenas / 4, 1, false) : NULL;
	if (to == NULL)
		to = run_allocate(size, 1, false);
	if (to == NULL)
		return NULL;
	bool both_whole = region.pools[page_of(block)].run.arenas != 0 && region.pools[page_of(to)].run.arenas != 0;
	int result = both_whole ? remap(block, to, old) : -EINVAL;
	if (unlikely(result == -EACCES)) {
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
