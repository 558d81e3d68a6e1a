/* SPDX-License-Identifier: MIT */
/*
 * What arenas hold: which pages are dirty (not known to be zero), which of them cost memory, and the totals, by which limits are kept.
 * Written by those who claim and return pages (arena.c, arena_whole.c, runs), asked by whoever bounds what is kept.
 */
#ifndef STRATA_ARENA_COUNT_H
#define STRATA_ARENA_COUNT_H

#include "layout.h"

/* Which pages of the arena are not known to be zero. For those who have claimed them. */
static inline uint64_t arena_dirty_pages(arena_index arena)
{
	return atomic_load_explicit(&region.arenas[arena].dirty, memory_order_relaxed);
}

/* Those of them that were not given to the system to take when it pleases. */
static inline uint64_t arena_costly_pages(arena_index arena)
{
	return arena_dirty_pages(arena) & ~atomic_load_explicit(&region.arenas[arena].given, memory_order_relaxed);
}

void arena_mark_dirty(arena_index arena, uint64_t pages);
void arena_mark_clean(arena_index arena, uint64_t pages);

/* The same of pages in use that went back to the operating system. */
void arena_mark_purged(arena_index arena, uint64_t pages);
/* So much else went back, of what is not pages of arenas. */
void arena_count_given_back(size_t bytes);

struct arena_counters {
	uint64_t used_pages;  /* of pools, runs and reserves */
	uint64_t dirty_pages; /* free, and costing memory */
	uint64_t purged_bytes; /* since the start */
	uint64_t soiled_pages; /* claimed when they cost nothing, since the start */
};
/* What heaps have not flushed yet is missing, or too much: at most ARENA_PAGES of each, either way. */
struct arena_counters arena_count(void);

/* Pages in use, and free ones that cost memory: what the limits bound. */
static inline uint64_t arena_count_costly(void)
{
	struct arena_counters counters = arena_count();
	return counters.used_pages + counters.dirty_pages;
}

/* For sums that take in what heaps know: the totals as they are, negative if heaps owe as much, and the counters they make. */
void arena_totals(int64_t *used_pages, int64_t *dirty_pages);
struct arena_counters arena_counters_of(int64_t used_pages, int64_t dirty_pages);

/* Whether the totals must be exact: some limit is set. */
bool arena_is_limited(void);

/* Whether claims and returns may be on account; when not, it is flushed. Without an account they may not. */
bool arena_may_owe(struct page_account *account);
/* Flushes the account to the totals, if it is more than so many pages, or may not be owed. */
void arena_flush_account(struct page_account *account, unsigned most);

/* Counts so many pages as used, before they are claimed. False when used and dirty pages together would exceed the limit. */
bool arena_charge(size_t pages);
/* Corrects what was charged, up or down, whatever the limit. */
void arena_recharge(int64_t pages);

/* For whoever claims and returns pages (arena.c, arena_whole.c, arena_purge.c): the pages are his, when he calls. */
void arena_count_claim(arena_index arena, uint64_t pages, struct page_account *account);
void arena_count_return(arena_index arena, uint64_t pages, struct page_account *account);

/* count arenas from first on, claimed as wholes, or about to be let go. When claimed, their pages count as free still. */
void arena_count_claim_whole(arena_index first, size_t count);
void arena_count_return_whole(arena_index first, size_t count);

/* The pages of arenas claimed whole are free no more: to be called when what they cost is charged, and before any of them is marked. */
void arena_count_taken(arena_index first, size_t count);

/* An arena of pages without a page in use, about to be let go. */
void arena_count_unused(arena_index arena);

/* Unused arenas that may have pages that cost memory. */
bool arena_any_dirty_unused(void);

/* The pages, free until the caller claimed them, went back to the operating system: certainly, or when it pleases. Returns
 * the bytes of those that cost memory. */
size_t arena_count_purged(arena_index arena, uint64_t pages, bool certainly);
/* The same of pages that are in use and stay so: they are not counted as used any more. */
size_t arena_count_purged_used(arena_index arena, uint64_t pages, bool certainly);

/* The last page of the unused arena that cost memory went. */
void arena_count_clean(arena_index arena);

#endif
