/* SPDX-License-Identifier: MIT */
#include "run.h"

#include "arena.h"
#include "arena_whole.h"
#include "decay.h"
#include "os.h"
#include "page_range.h"
#include "region.h"
#include "run_arenas.h"
#include "run_cache.h"
#include "run_count.h"
#include "sample.h"
#include "thread.h"

#define ALIGNMENT_MOST ((size_t)4 << 30)

/* Where in the cache this thread looks first. */
static unsigned near(void)
{
	return thread_self.own != NULL ? thread_self.own->number : (unsigned)((uintptr_t)&thread_self / PAGE_SIZE * 0x9e3779b9u >> 24);
}

/* ---- Allocation ----------------------------------------------------------------------------------------------------- */

static void *allocate_span(size_t pages, size_t alignment, bool zero)
{
	uint64_t dirty;
	page_index first = arena_claim_span((unsigned)pages, (unsigned)size_max(alignment / PAGE_SIZE, 1), &dirty);
	if (first == NO_PAGE)
		return NULL;
	if (zero)
		range_zero_bits(first, dirty);
	return run_begin(first, pages, 0, pages);
}

bool run_may_fit(size_t size, size_t alignment)
{
	size_t span = (size_t)atomic_load_explicit(&region_most.arenas, memory_order_relaxed) * ARENA_SIZE;
	if (others_read(region_span) == 0 || size > span || alignment > ALIGNMENT_MOST || os_would_refuse(size))
		return false;
	return round_up(region_base, size_max(alignment, 1)) - region_base <= span - size;
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
	size_t pages = run_pages_of(size);
	decay_tick();
	if (unlikely(!run_may_fit(size, alignment)))
		return NULL;
	if (pages <= ARENA_PAGES && alignment <= ARENA_SIZE)
		return allocate_span(pages, alignment, zero);
	return run_allocate_arenas(pages, run_arenas_of(pages), alignment, zero);
}

void *run_allocate(size_t size, size_t alignment, bool zero)
{
	size_t pages = run_pages_of(size);
	if (region_ready() != 0 || unlikely(alignment > ALIGNMENT_MOST))
		return NULL;
	cached_run run = run_cache_take(pages, size_max(alignment / PAGE_SIZE, 1), near());
	return likely(run != 0) ? reuse(run, pages, zero) : allocate_anew(size, alignment, zero);
}

/* ---- Freeing -------------------------------------------------------------------------------------------------------- */

static void give_up(cached_run run)
{
	page_index first = cached_run_first(run);
	size_t pages = cached_run_pages(run);
	struct pool *record = &region.pools[first];
	if (record->run.arenas != 0) {
		uint32_t charged = record->run.charged;
		/* Of one whose mapping went elsewhere there is nothing to give back. */
		run_free_arenas(first, record->run.left ? 0 : pages, record->run.arenas, record->run.moved);
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

void run_set_sample(void *block, uint32_t sample)
{
	struct pool *record = &region.pools[page_of(block)];
	if (record->run.sample != 0)
		sample_end(record->run.sample);
	record->run.sample = sample;
}

bool run_is_sampled(const void *block)
{
	return region.pools[page_of(block)].run.sample != 0;
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
		run_set_sample(block, 0);
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
		thread_divert_next();
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
