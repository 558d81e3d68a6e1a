/* SPDX-License-Identifier: MIT */
/*
 * A process that falls idle after a peak, without a further call, keeps no more than the bound. One whose use rises and falls
 * again and again would pay a page fault for each page each time. It shows by wanting back what it just gave: so much more it
 * may keep from then on, the allowance, up to a most that grows fourfold each time that it was reached and memory went back
 * again. It is halved for each decay_ms in which the use did not rise and fall by half as much. And it holds down to the use at
 * which memory went back that was wanted again: who falls further, and was not seen to rise from there, keeps less in proportion.
 *
 * For example 100 MiB, by the default settings, in MiB:
 *
 *   what happens            kept   given_young   times_reached   allowance   its most
 *   all is freed               4            96               0           0         60
 *   all is wanted again                      0               1          60         60
 *   freed                     64            36               1          60         60
 *   wanted                                   0               2          96        240
 *   freed                    100             0               2          96        240
 *   a quiet decay_ms          52             0               1          48         60
 */
#include "retain.h"

#include "arena_count.h"
#include "arena_purge.h"
#include "options.h"
#include "os.h"
#include "pressure.h"

/* ---- The allowance -------------------------------------------------------------------------------------------------- */

/* Written and read by every thread that returns memory, each by itself and relaxed: nothing else is ordered by them. */
static _Atomic uint64_t given_young;   /* pages that went back before their time and were not wanted since */
static _Atomic uint64_t given_at = UINT64_MAX;   /* the fewest pages in use while those went back */
static _Atomic uint64_t wanted_from = UINT64_MAX; /* the same of those that the allowance is for */
static _Atomic uint64_t soiled_seen;   /* soiled_pages when last looked at */
static _Atomic uint64_t allowance;     /* pages */
static _Atomic uint64_t times_reached; /* how often the allowance was at its most and more was wanted back */
static _Atomic uint64_t given_since;   /* pages that went back before their time since that was last counted */
static _Atomic uint64_t window_since;  /* ms: when what follows began */
static _Atomic uint64_t lowest_used;   /* the fewest pages that were seen in use since then, */
static _Atomic uint64_t highest_used;  /* the most */
static _Atomic uint64_t highest_held;  /* and the most in use or free */

#define FIRST_MOST 4u /* in times of the setting, with the part that needs no showing */
#define TIMES_LIMIT 8u
#define UNEARNED 4u   /* the part of the setting, a quarter, that a process need not show that it needs */

/* How many clean pages were claimed since this was last asked; each is told to one caller. */
static uint64_t soiled_since(uint64_t soiled)
{
	uint64_t seen = atomic_load_explicit(&soiled_seen, memory_order_relaxed);
	while (seen < soiled)
		if (atomic_compare_exchange_weak_explicit(&soiled_seen, &seen, soiled, memory_order_relaxed,
							  memory_order_relaxed))
			return soiled - seen;
	return 0;
}

/* Takes as much from a number as it has, at most that. Nothing is written where there is nothing to take: all threads ask. */
static uint64_t take_from(_Atomic uint64_t *number, uint64_t most)
{
	uint64_t has = atomic_load_explicit(number, memory_order_relaxed);
	while (has != 0 && most != 0) {
		uint64_t taken = size_min(has, most);
		if (atomic_compare_exchange_weak_explicit(number, &has, has - taken, memory_order_relaxed, memory_order_relaxed))
			return taken;
	}
	return 0;
}

static void add_up_to(_Atomic uint64_t *number, uint64_t more, uint64_t most)
{
	uint64_t has = atomic_load_explicit(number, memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(number, &has, size_max(has, size_min(has + more, most)),
						      memory_order_relaxed, memory_order_relaxed))
		;
}

/* Pages. Once it has been reached it must be reached again, after memory went back, to grow. */
static size_t allowance_most(void)
{
	uint64_t times = size_min(atomic_load_explicit(&times_reached, memory_order_relaxed), TIMES_LIMIT);
	size_t first = (FIRST_MOST * UNEARNED - 1) * (options()->retain_bytes / UNEARNED / PAGE_SIZE);
	return times > 1 ? first << 2 * (times - 1) : first;
}

static void lower_to(_Atomic uint64_t *number, uint64_t value)
{
	if (value < atomic_load_explicit(number, memory_order_relaxed))
		atomic_store_explicit(number, value, memory_order_relaxed);
}

void retain_gave_young(size_t pages)
{
	struct arena_counters counters = arena_count();
	soiled_since(counters.soiled_pages);
	lower_to(&given_at, counters.used_pages);
	atomic_fetch_add_explicit(&given_young, pages, memory_order_relaxed);
	atomic_fetch_add_explicit(&given_since, pages, memory_order_relaxed);
}

/* Once for each time that a good part of it went back. */
static void count_reached(size_t most)
{
	uint64_t given = atomic_load_explicit(&given_since, memory_order_relaxed);
	if (given < most / 2 || atomic_load_explicit(&times_reached, memory_order_relaxed) >= TIMES_LIMIT)
		return;
	if (atomic_compare_exchange_strong_explicit(&given_since, &given, 0, memory_order_relaxed, memory_order_relaxed))
		atomic_fetch_add_explicit(&times_reached, 1, memory_order_relaxed);
}

static void begin_window(void)
{
	atomic_store_explicit(&lowest_used, UINT64_MAX, memory_order_relaxed);
	atomic_store_explicit(&highest_used, 0, memory_order_relaxed);
	atomic_store_explicit(&highest_held, 0, memory_order_relaxed);
}

static void raise_to(_Atomic uint64_t *number, uint64_t value)
{
	if (value > atomic_load_explicit(number, memory_order_relaxed))
		atomic_store_explicit(number, value, memory_order_relaxed);
}

static void note(const struct arena_counters *counters)
{
	lower_to(&lowest_used, counters->used_pages);
	raise_to(&highest_used, counters->used_pages);
	raise_to(&highest_held, counters->used_pages + counters->dirty_pages);
}

static void widen(const struct arena_counters *counters)
{
	uint64_t back = take_from(&given_young, soiled_since(counters->soiled_pages));
	if (back == 0)
		return;
	lower_to(&wanted_from, atomic_load_explicit(&given_at, memory_order_relaxed));
	size_t most = allowance_most();
	if (atomic_load_explicit(&allowance, memory_order_relaxed) + back > most)
		count_reached(most);
	/* More than it ever holds is of no use to it: near a limit it is not the allowance that is missing. */
	add_up_to(&allowance, back, size_min(most, atomic_load_explicit(&highest_held, memory_order_relaxed)));
	atomic_store_explicit(&window_since, os_clock_ms(), memory_order_relaxed);
}

void retain_narrow(uint64_t now)
{
	uint64_t since = atomic_load_explicit(&window_since, memory_order_relaxed);
	if (!has_passed(now, since, (uint64_t)options()->decay_ms) ||
	    !atomic_compare_exchange_strong_explicit(&window_since, &since, now, memory_order_relaxed, memory_order_relaxed))
		return;
	uint64_t lowest = atomic_load_explicit(&lowest_used, memory_order_relaxed);
	uint64_t highest = atomic_load_explicit(&highest_used, memory_order_relaxed);
	uint64_t allowed = atomic_load_explicit(&allowance, memory_order_relaxed);
	begin_window();
	take_from(&given_young, UINT64_MAX);
	atomic_store_explicit(&given_at, UINT64_MAX, memory_order_relaxed);
	if (allowed == 0 || (highest > lowest && highest - lowest >= allowed / 2))
		return;
	take_from(&allowance, allowed / 2 + 1);
	if (allowed <= 1)
		atomic_store_explicit(&wanted_from, UINT64_MAX, memory_order_relaxed);
	take_from(&times_reached, 1);
}

/* ---- The bound ------------------------------------------------------------------------------------------------------ */

/* Pages, without the allowance. */
static size_t least_most(size_t used)
{
	return size_max(options()->retain_bytes / UNEARNED / PAGE_SIZE, used / 8);
}

/* Pages of the allowance that a process with so many in use may have. */
static size_t allowed_with(size_t used)
{
	size_t allowed = (size_t)atomic_load_explicit(&allowance, memory_order_relaxed);
	size_t from = (size_t)atomic_load_explicit(&wanted_from, memory_order_relaxed);
	return used >= from ? allowed : allowed * used / from; /* a region has less than 2^32 pages */
}

/* Pages that may be free. */
static size_t free_most(const struct arena_counters *counters)
{
	size_t used = counters->used_pages;
	note(counters);
	if (unlikely(atomic_load_explicit(&given_young, memory_order_relaxed) != 0))
		widen(counters);
	size_t most = pressure_shrink(least_most(used) + size_min(allowed_with(used), allowance_most()));
	return size_min(most, pressure_headroom(used * PAGE_SIZE, counters->dirty_pages * PAGE_SIZE) / 4 / PAGE_SIZE);
}

bool retain_has_room(size_t pages)
{
	struct arena_counters counters = arena_count();
	return options()->decay_ms > 0 && counters.dirty_pages + pages <= free_most(&counters);
}

/* ---- Giving back what is beyond it ---------------------------------------------------------------------------------- */

/* A call of the system for each hole is dear where holes are small, and most are part of larger ones a little later. So those
 * below 64 KiB stay for the clock, unless they are half as much as what is in use, and there are no larger ones. */
#define LARGE_HOLE_PAGES 16u

static bool small_holes_go(const struct arena_counters *counters, size_t most)
{
	bool many = counters->dirty_pages > most + counters->used_pages / 2;
	return many || pressure_level() > 0 || options()->decay_ms == 0;
}

/* How many pages were free when there was nothing to purge: no reason for another look until there are more, or fewer.
 * Relaxed, by any thread: at worst there is a look too many, or one comes a little later. */
static _Atomic uint64_t looked_in_vain;
#define LOOK_AGAIN_PAGES 64u

static size_t purge_large_holes(uint64_t dirty_pages)
{
	uint64_t seen = atomic_load_explicit(&looked_in_vain, memory_order_relaxed);
	if (dirty_pages >= seen && dirty_pages < seen + LOOK_AGAIN_PAGES)
		return 0;
	size_t bytes = arena_purge_young(PURGE_STEP, LARGE_HOLE_PAGES);
	atomic_store_explicit(&looked_in_vain, bytes == 0 ? dirty_pages : 0, memory_order_relaxed);
	return bytes;
}

static void give_back(const struct arena_counters *counters, size_t most)
{
	size_t bytes = purge_large_holes(counters->dirty_pages);
	if (bytes == 0 && small_holes_go(counters, most))
		bytes = arena_purge_young(PURGE_STEP, 1);
	if (bytes > 0)
		retain_gave_young(bytes / PAGE_SIZE);
}

bool retain_bound(void)
{
	struct arena_counters counters = arena_count();
	size_t most = options()->decay_ms > 0 ? free_most(&counters) : 0;
	bool beyond = counters.dirty_pages > most;
	if (unlikely(beyond))
		give_back(&counters, most);
	return beyond;
}
