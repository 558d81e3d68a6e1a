/* SPDX-License-Identifier: MIT */
#include "run_cache.h"

#include "arena_count.h"
#include "decay.h"
#include "options.h"
#include "os.h"
#include "pressure.h"

/*
 * A thread looks at one entry first, by the number of its heap, each in a line of its own: while a few threads free and want again, none
 * writes to another's. The room is what has been granted to whoever looks there first: a run of so many pages enters again without adding
 * up what is in the others. It lasts while the entry is in use and there is room for all, and is counted as if it were full.
 *
 * Written by all. The room and the time are hints, each by itself, written by whoever fills the entry, finds it idle, or finds too much
 * here.
 */
static struct entry {
	_Atomic cached_run run STRATA_ALIGNED(CACHE_LINE);
	_Atomic uint32_t room;      /* pages */
	_Atomic uint32_t filled_at; /* decay_now() */
} entries[RUN_CACHE_MOST];
static _Atomic uint32_t hand STRATA_ALIGNED(CACHE_LINE); /* the entry to replace next */

static struct entry *entry_of(unsigned near)
{
	return &entries[near % RUN_CACHE_MOST];
}

/* Acquire; partner: the release of whoever filled it: the time is that of this run, or a later one. */
static cached_run run_in(const struct entry *entry)
{
	return atomic_load_explicit(&entry->run, memory_order_acquire);
}

static size_t room_of(const struct entry *entry)
{
	return atomic_load_explicit(&entry->room, memory_order_relaxed);
}

static bool is_idle(const struct entry *entry, uint32_t now, uint32_t idle_ms)
{
	return is_older(now, atomic_load_explicit(&entry->filled_at, memory_order_relaxed), idle_ms);
}

/* The low halves of the words add up to what those of the runs do, since a region has less than 2^32 pages. */
size_t run_cache_bytes(void)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < RUN_CACHE_MOST; i++)
		sum += run_in(&entries[i]);
	return cached_run_pages(sum) * PAGE_SIZE;
}

static bool take(struct entry *entry, cached_run run)
{
	return atomic_compare_exchange_strong_explicit(&entry->run, &run, 0, memory_order_acquire, memory_order_relaxed);
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

cached_run run_cache_take(size_t pages, size_t alignment, unsigned near)
{
	for (unsigned i = 0; i < RUN_CACHE_MOST; i++) {
		struct entry *entry = entry_of(near + i);
		cached_run run = run_in(entry);
		if (serves(cached_run_pages(run), pages) && begins_at_multiple(run, alignment) && take(entry, run))
			return run;
	}
	return 0;
}

cached_run run_cache_take_least(size_t pages)
{
	struct entry *found = NULL;
	cached_run least = 0;
	for (unsigned i = 0; i < RUN_CACHE_MOST; i++) {
		cached_run run = run_in(&entries[i]);
		size_t has = cached_run_pages(run);
		if (has > ARENA_PAGES && has >= pages && (least == 0 || has < cached_run_pages(least))) {
			least = run;
			found = &entries[i];
		}
	}
	return least != 0 && take(found, least) ? least : 0;
}

/* Release: what the freeing thread did with the run; partners: the acquires in take and, of whoever replaces it, in replace. */
static bool fill(struct entry *entry, cached_run run)
{
	cached_run none = 0;
	if (run_in(entry) != 0)
		return false;
	atomic_store_explicit(&entry->filled_at, decay_now(), memory_order_relaxed);
	return atomic_compare_exchange_strong_explicit(&entry->run, &none, run, memory_order_release, memory_order_relaxed);
}

/* How long an entry that stays empty keeps its room. */
#define ROOM_MS 16u

/* All entries, seen in one walk from the thread's own on. */
struct view {
	size_t here;     /* pages in the cache, */
	size_t promised; /* and with those that have room in it */
	struct entry *empty; /* the first; NULL: none */
};

/* Empty entries. Room that was not used for long is taken back. */
static size_t look_at_empty(struct view *view, struct entry *entry, uint32_t now)
{
	size_t room = room_of(entry);
	if (view->empty == NULL)
		view->empty = entry;
	if (room == 0 || !is_idle(entry, now, ROOM_MS))
		return room;
	atomic_store_explicit(&entry->room, 0, memory_order_relaxed);
	return 0;
}

static struct view look_around(unsigned near)
{
	struct view view = { 0 };
	uint32_t now = decay_now();
	for (unsigned i = 0; i < RUN_CACHE_MOST; i++) {
		struct entry *entry = entry_of(near + i);
		size_t has = cached_run_pages(run_in(entry));
		view.here += has;
		view.promised += size_max(has, has != 0 ? room_of(entry) : look_at_empty(&view, entry, now));
	}
	return view;
}

/* How many pages of so many may be here: a quarter of the setting, or a third of what is in use, which is asked for only where it matters,
 * and includes what is here, or about to be. */
static size_t most_of(size_t pages, size_t here)
{
	size_t most = pressure_shrink(options()->retain_bytes) / PAGE_SIZE;
	if (pages <= most / 4)
		return pages;
	size_t used = arena_count().used_pages;
	return size_min(most, size_max(most / 4, used > here ? (used - here) / 3 : 0));
}

/* In place of another: a larger one only if all together may be so much more. */
static cached_run replace(cached_run run, size_t more_most)
{
	struct entry *entry = entry_of(atomic_fetch_add_explicit(&hand, 1, memory_order_relaxed));
	size_t pages = cached_run_pages(run);
	size_t replaced = cached_run_pages(run_in(entry));
	if (pages > replaced && pages - replaced > more_most)
		return run;
	atomic_store_explicit(&entry->filled_at, decay_now(), memory_order_relaxed);
	/* Release: as in fill. Acquire: what was done with the run that is replaced; partner: the release of whoever put it, in fill
	 * or here. */
	return atomic_exchange_explicit(&entry->run, run, memory_order_acq_rel);
}

static STRATA_NOINLINE cached_run put_anywhere(cached_run run, unsigned near)
{
	size_t pages = cached_run_pages(run);
	if (pages * PAGE_SIZE > pressure_shrink(options()->retain_bytes) / 4)
		return run;
	struct view view = look_around(near);
	size_t most = most_of(view.promised + pages, view.here + pages);
	if (view.promised + pages <= most && view.empty != NULL && fill(view.empty, run)) {
		if (view.empty == entry_of(near))
			atomic_store_explicit(&view.empty->room, (uint32_t)pages, memory_order_relaxed);
		return 0;
	}
	return replace(run, most > view.promised ? most - view.promised : 0);
}

cached_run run_cache_put(cached_run run, unsigned near)
{
	struct entry *own = entry_of(near);
	if (unlikely(options()->decay_ms == 0))
		return run;
	return likely(cached_run_pages(run) <= room_of(own)) && fill(own, run) ? 0 : put_anywhere(run, near);
}

/* The use falls as what was in use comes here, or goes elsewhere. */
static bool is_too_much(void)
{
	struct view view = look_around(0);
	return view.promised > most_of(view.promised, view.here);
}

cached_run run_cache_surplus(void)
{
	unsigned first = atomic_load_explicit(&hand, memory_order_relaxed);
	if (!is_too_much())
		return 0;
	for (unsigned i = 0; i < RUN_CACHE_MOST; i++) {
		struct entry *entry = entry_of(first + i);
		cached_run run = run_in(entry);
		atomic_store_explicit(&entry->room, 0, memory_order_relaxed);
		if (run != 0 && take(entry, run))
			return run;
	}
	return 0;
}

cached_run run_cache_expire(uint32_t idle_ms)
{
	uint32_t now = (uint32_t)os_clock_ms();
	cached_run surplus = run_cache_surplus();
	if (surplus != 0)
		return surplus;
	for (unsigned i = 0; i < RUN_CACHE_MOST; i++) {
		struct entry *entry = &entries[i];
		if ((run_in(entry) | room_of(entry)) == 0 || !is_idle(entry, now, idle_ms))
			continue;
		atomic_store_explicit(&entry->room, 0, memory_order_relaxed);
		cached_run run = run_in(entry);
		if (run != 0 && take(entry, run))
			return run;
	}
	return 0;
}
