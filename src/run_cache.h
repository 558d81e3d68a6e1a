/* SPDX-License-Identifier: MIT */
/*
 * Runs that were freed a moment ago, whole, for the next one of nearly their size: one atomic operation each way instead of
 * a dozen. Shared by all threads, each of which looks at an entry of its own first; bounded in number and bytes, emptied by the decay
 * clock.
 *
 * The run of an entry is one word, taken and filled by compare-and-swap or exchange; every pair of operations may run at the same time.
 * No ABA: the word names the run, and whoever has taken it out of the entry owns the run. What else an entry has are hints: threads that
 * put at the same time may together exceed the bound by what each of them puts, and one that is stopped there by its own.
 */
#ifndef STRATA_RUN_CACHE_H
#define STRATA_RUN_CACHE_H

#include "layout.h"

#define RUN_CACHE_MOST 16u /* runs */

/* A run in the cache, or the one to put there: its first page in the high half, its size in pages in the low one. */
typedef uint64_t cached_run;

static inline cached_run cached_run_of(page_index first, size_t pages)
{
	return (cached_run)first << 32 | (uint32_t)pages;
}

static inline page_index cached_run_first(cached_run run)
{
	return (page_index)(run >> 32);
}

static inline size_t cached_run_pages(cached_run run)
{
	return (uint32_t)run;
}

/* Takes a run of so many pages, or, above an arena, of at most an eighth more, that begins at a multiple of alignment pages; 0 if there
 * is none. near is the same at each call of a thread, and another for each thread as far as that goes: what it put is found first. */
cached_run run_cache_take(size_t pages, size_t alignment, unsigned near);

/* Takes the smallest run of more than an arena that has at least so many pages; 0 if there is none. */
cached_run run_cache_take_least(size_t pages);

/* Puts a run into the cache. Returns the run that had to leave for it, or the run itself if it is too large, or 0. */
cached_run run_cache_put(cached_run run, unsigned near);

/* Takes any run if more is here than may be; else 0. To be asked after a put that had no room, and when the use has fallen. */
cached_run run_cache_surplus(void);

/* Takes any run that has been in the cache for idle_ms, or is more than may be here; 0 if there is none. */
cached_run run_cache_expire(uint32_t idle_ms);

size_t run_cache_bytes(void);

#endif
