/* SPDX-License-Identifier: MIT */
#include "run_cache.h"

#include "arena_count.h"
#include "decay.h"
#include "hunger.h"
#include "options.h"
#include "os.h"

#define SLOTS 16u

/* Written by all. The times are hints, written by who fills the slot. */
static _Atomic cached_run slots[SLOTS] STRATA_ALIGNED(CACHE_LINE);
static _Atomic uint32_t filled_at[SLOTS] STRATA_ALIGNED(CACHE_LINE);
static _Atomic uint32_t hand; /* the slot to replace next */

/* The low halves of the words add up to what those of the runs do, since a region has less than 2^32 pages. */
size_t run_cache_bytes(void)
{
	uint64_t sum = 0;
	for (unsigned slot = 0; slot < SLOTS; slot++)
		sum += atomic_load_explicit(&slots[slot], memory_order_relaxed);
	return cached_run_pages(sum) * PAGE_SIZE;
}

static bool take(unsigned slot, cached_run run)
{
	return atomic_compare_exchange_strong_explicit(&slots[slot], &run, 0, memory_order_acquire, memory_order_relaxed);
}

/* A run within an arena must fit exactly: the rest would belong to nobody. One of whole arenas may be a little larger, its
 * tail is then not reached by the new block. */
static bool serves(size_t has, size_t wanted)
{
	return has == wanted || (wanted > ARENA_PAGES && has > wanted && has - wanted <= wanted / 8);
}

/* Of addresses, not of pages of the region: that begins at a multiple of a chunk, and of no more. */
static bool begins_at_multiple(cached_run run, size_t alignment)
{
	return ((region_base >> PAGE_SHIFT) + cached_run_first(run)) % alignment == 0;
}

cached_run run_cache_take(size_t pages, size_t alignment)
{
	for (unsigned slot = 0; slot < SLOTS; slot++) {
		cached_run run = atomic_load_explicit(&slots[slot], memory_order_relaxed);
		size_t has = cached_run_pages(run);
		if (serves(has, pages) && begins_at_multiple(run, alignment) && take(slot, run))
			return run;
	}
	return 0;
}

cached_run run_cache_take_least(size_t pages)
{
	unsigned found = 0;
	cached_run least = 0;
	for (unsigned slot = 0; slot < SLOTS; slot++) {
		cached_run run = atomic_load_explicit(&slots[slot], memory_order_relaxed);
		size_t has = cached_run_pages(run);
		if (has > ARENA_PAGES && has >= pages && (least == 0 || has < cached_run_pages(least))) {
			least = run;
			found = slot;
		}
	}
	return least != 0 && take(found, least) ? least : 0;
}

/* Release: what the freeing thread did with the run; partners: the acquires in take and, of who replaces it, in
 * run_cache_put. */
static bool fill(unsigned slot, cached_run run)
{
	cached_run none = 0;
	if (atomic_load_explicit(&slots[slot], memory_order_relaxed) != 0)
		return false;
	atomic_store_explicit(&filled_at[slot], decay_now(), memory_order_relaxed);
	return atomic_compare_exchange_strong_explicit(&slots[slot], &none, run, memory_order_release, memory_order_relaxed);
}

cached_run run_cache_put(cached_run run)
{
	size_t most = hunger_shrink(options()->retain_bytes);
	size_t bytes = cached_run_pages(run) * PAGE_SIZE;
	if (bytes > most / 4 || options()->decay_ms == 0)
		return run;
	size_t all = run_cache_bytes();
	/* What is in use includes what is here. It is asked for only where it matters. */
	if (all + bytes > most / 4)
		most = size_min(most, size_max(most / 4, arena_count().used_pages * PAGE_SIZE / 4));
	if (all + bytes <= most)
		for (unsigned slot = 0; slot < SLOTS; slot++)
			if (fill(slot, run))
				return 0;
	/* In place of another: a larger one only if all together may be so much more. */
	unsigned slot = atomic_fetch_add_explicit(&hand, 1, memory_order_relaxed) % SLOTS;
	size_t replaced = cached_run_pages(atomic_load_explicit(&slots[slot], memory_order_relaxed)) * PAGE_SIZE;
	if (bytes > replaced && all + (bytes - replaced) > most)
		return run;
	atomic_store_explicit(&filled_at[slot], decay_now(), memory_order_relaxed);
	/* Release: as in fill. Acquire: what was done with the run that is replaced; partner: the release of who put it, in fill
	 * or here. */
	return atomic_exchange_explicit(&slots[slot], run, memory_order_acq_rel);
}

cached_run run_cache_expire(uint32_t idle_ms)
{
	uint32_t now = (uint32_t)os_clock_ms();
	for (unsigned slot = 0; slot < SLOTS; slot++) {
		cached_run run = atomic_load_explicit(&slots[slot], memory_order_relaxed);
		uint32_t since = atomic_load_explicit(&filled_at[slot], memory_order_relaxed);
		if (run != 0 && is_older(now, since, idle_ms) && take(slot, run))
			return run;
	}
	return 0;
}
