/* SPDX-License-Identifier: MIT */
#include "arena_purge.h"

#include "arena.h"
#include "arena_count.h"
#include "arena_list.h"
#include "arena_whole.h"
#include "bit_word.h"
#include "huge.h"
#include "options.h"
#include "os.h"
#include "region.h"

/* The pages that lie in a row of at least so many. */
static uint64_t in_runs_of(uint64_t pages, unsigned least)
{
	uint64_t firsts = first_of_runs(pages, least);
	uint64_t runs = 0;
	for (unsigned i = 0; i < least; i++)
		runs |= firsts << i;
	return runs;
}

/* Of the free pages those that are worth a purge: what costs memory. With pages of the system larger than ours, only groups
 * that fill one can go, and do if any page of theirs costs. */
static uint64_t worth_it(arena_index index, uint64_t free, unsigned least_run)
{
	uint64_t costly = arena_costly_pages(index);
	unsigned group = (unsigned)(os_page_size() / PAGE_SIZE);
	if (likely(group <= 1))
		return in_runs_of(free & costly, least_run);
	uint64_t firsts = first_of_runs(free, group) & multiples_of(group);
	uint64_t whole = 0;
	for (; firsts != 0; firsts &= firsts - 1) {
		uint64_t pages = bits_below(group) << bit_lowest(firsts);
		whole |= (pages & costly) != 0 ? pages : 0;
	}
	return whole;
}

/* Before Linux 5.18 memory that is locked (mlock, mlockall) does not go back, and stays as dirty as it was: without a pause it would be
 * tried again at each step, and at each free that finds too much of it. When that was, ms; 0: never. Written by whoever was refused, read
 * by all, relaxed: a hint. */
static _Atomic uint64_t refused_at;
#define REFUSED_PAUSE_MS 100u

/* The arena is as if it had just fallen idle: another's turn comes first. */
static void note_refused(arena_index index)
{
	uint64_t now = os_clock_ms();
	atomic_store_explicit(&region.arenas[index].idle_since, (uint32_t)now, memory_order_relaxed);
	atomic_store_explicit(&refused_at, now, memory_order_relaxed);
}

static bool is_refused(void)
{
	uint64_t at = atomic_load_explicit(&refused_at, memory_order_relaxed);
	return unlikely(at != 0) && !has_passed(os_clock_ms(), at, REFUSED_PAUSE_MS);
}

/* Purges pages that the caller has claimed; count says what becomes of those that went. Which of them are worth it is asked
 * now: before they were claimed another purge may have come and gone. Those between that cost nothing go along in the same
 * call. */
static size_t purge_pages(arena_index index, uint64_t claimed, unsigned least_run,
			  size_t (*count_purged)(arena_index, uint64_t, bool))
{
	uint64_t pages = worth_it(index, claimed, least_run);
	uint64_t gone = 0;
	/* Read once: strata_option_set may change it meanwhile, and what MADV_FREE took may still hold its contents. */
	bool lazily = options()->purge_lazily;
	while (pages != 0) {
		unsigned first = bit_lowest(pages);
		uint64_t run = lowest_run(claimed & ~bits_below(first));
		unsigned count = bit_highest(run & pages) + 1 - first;
		run = bits_below(count) << first;
		if (huge_purge(page_start(index * ARENA_PAGES + first), count * PAGE_SIZE, lazily) != 0) {
			note_refused(index);
			break;
		}
		gone |= run & pages;
		pages &= ~run;
	}
	return count_purged(index, gone, !lazily);
}

size_t arena_purge_used(arena_index index, uint64_t pages)
{
	return purge_pages(index, pages, 1, arena_count_purged_used);
}

_Static_assert(ARENA_PAGES * sizeof(struct pool) == PAGE_SIZE, "the records of an arena's pages fill one page");

/* Of arenas that nobody uses and that cost nothing any more: the records of their pages. All zero is how they begin. */
static size_t purge_records(arena_index first, unsigned count)
{
	if (os_page_size() != PAGE_SIZE ||
	    os_purge(&region.pools[(size_t)first * ARENA_PAGES], count * PAGE_SIZE, false) != 0)
		return 0;
	arena_count_given_back(count * PAGE_SIZE);
	return count * PAGE_SIZE;
}

/* Neighbours that the caller has claimed, in one call, with what lies between and costs nothing. */
static size_t purge_whole(arena_index first, unsigned count)
{
	bool lazily = options()->purge_lazily; /* once, as above */
	if (huge_purge(page_start(first * ARENA_PAGES), count * ARENA_SIZE, lazily) != 0) {
		note_refused(first);
		return 0;
	}
	size_t bytes = 0;
	bool all_clean = true;
	for (arena_index index = first; index < first + count; index++) {
		size_t gone = arena_count_purged(index, worth_it(index, ALL_BITS, 1), !lazily);
		bytes += gone;
		if (arena_costly_pages(index) != 0)
			all_clean = false;
		else if (gone != 0)
			arena_count_clean(index);
	}
	return all_clean ? bytes + purge_records(first, count) : bytes;
}

/* Of one chunk. Where somebody has one of them by now, each by itself. */
static size_t purge_unused_arenas(arena_index first, unsigned count)
{
	size_t bytes = 0;
	if (arena_claim_unused(first, count)) {
		bytes = purge_whole(first, count);
		arena_unclaim(first, count);
	} else if (count > 1) {
		for (arena_index index = first; index < first + count; index++)
			bytes += purge_unused_arenas(index, 1);
	}
	return bytes;
}

/* How many arenas in a row, from this one on, are in no use and cost memory, among those given of its chunk: no more than the limit
 * allows in one call. */
static unsigned unused_from(arena_index index, uint64_t arenas, size_t limit)
{
	uint64_t others = ~(arenas >> (index % CHUNK_ARENAS));
	size_t row = size_min(others != 0 ? bit_lowest(others) : CHUNK_ARENAS, CHUNK_ARENAS - index % CHUNK_ARENAS);
	size_t most = size_min(size_max(limit / ARENA_SIZE, 1), row);
	return huge_count_untorn(index, (unsigned)most, (unsigned)row);
}

static bool is_used(arena_index index)
{
	return atomic_load(&chunk_of(index)->used) & arena_bit(index);
}

static size_t purge_pages_arena(arena_index index, unsigned least_run)
{
	struct arena *arena = &region.arenas[index];
	uint64_t free = atomic_load(&arena->free);
	uint64_t pages;
	do {
		pages = worth_it(index, free, least_run);
		if (pages == 0)
			return 0;
	} while (!atomic_compare_exchange_weak(&arena->free, &free, free & ~pages));
	arena_word_changed(index, free, free & ~pages);
	size_t bytes = purge_pages(index, pages, least_run, arena_count_purged);
	arena_put_back(index, pages);
	if (!is_used(index) && arena_costly_pages(index) == 0)
		bytes += purge_unused_arenas(index, 1);
	return bytes;
}

/* Whole arenas that nobody uses: most for one call of the system, and found by their bits. */
static size_t purge_unused(size_t limit)
{
	size_t purged = 0;
	uint32_t chunks = (region_arenas() + CHUNK_ARENAS - 1) / CHUNK_ARENAS;
	for (uint32_t chunk = 0; chunk < chunks && purged < limit && arena_any_dirty_unused() && !is_refused(); chunk++) {
		uint64_t arenas = atomic_load_explicit(&region.chunks[chunk].dirty, memory_order_relaxed);
		while (arenas != 0 && purged < limit) {
			arena_index first = chunk * CHUNK_ARENAS + bit_lowest(arenas);
			unsigned count = unused_from(first, arenas, limit - purged);
			purged += purge_unused_arenas(first, count);
			arenas &= ~(bits_below(count) << (first % CHUNK_ARENAS));
		}
	}
	return purged;
}

static bool may_go(arena_index index, size_t limit, uint32_t now, uint32_t idle_ms)
{
	uint32_t since = atomic_load_explicit(&region.arenas[index].idle_since, memory_order_relaxed);
	return limit == SIZE_MAX || is_older(now, since, idle_ms);
}

/* With those behind it that may go as well, which the cursor will find clean. */
static size_t purge_unused_from(arena_index index, size_t left, size_t limit, uint32_t now, uint32_t idle_ms)
{
	uint64_t dirty = atomic_load_explicit(&chunk_of(index)->dirty, memory_order_relaxed);
	unsigned most = unused_from(index, dirty | arena_bit(index), left);
	unsigned count = 1;
	while (count < most && may_go(index + count, limit, now, idle_ms))
		count++;
	return purge_unused_arenas(index, count);
}

static _Atomic uint32_t purge_cursor;

static size_t purge_scan(size_t limit, uint32_t idle_ms, unsigned least_run)
{
	uint32_t arenas = region_arenas();
	uint32_t to_scan = limit == SIZE_MAX ? arenas : (uint32_t)size_min(arenas, PURGE_SCAN);
	uint32_t now = (uint32_t)os_clock_ms();
	size_t purged = 0;
	for (; to_scan > 0 && purged < limit && (limit == SIZE_MAX || !is_refused()); to_scan--) {
		/* Whoever wants all of it looks at each by himself: what others pass over is too young for them. */
		arena_index index = limit == SIZE_MAX ? arenas - to_scan :
							atomic_fetch_add_explicit(&purge_cursor, 1, memory_order_relaxed) % arenas;
		if (arena_costly_pages(index) == 0 || !may_go(index, limit, now, idle_ms))
			continue;
		purged += is_used(index) ? purge_pages_arena(index, least_run) :
					   purge_unused_from(index, limit - purged, limit, now, idle_ms);
	}
	return purged;
}

size_t arena_purge(size_t limit, uint32_t idle_ms)
{
	return purge_scan(limit, idle_ms, 1);
}

size_t arena_purge_young(size_t limit, unsigned least_run)
{
	if (is_refused())
		return 0;
	size_t purged = purge_unused(limit);
	return purged > 0 ? purged : purge_scan(limit, 0, least_run);
}
