/* SPDX-License-Identifier: MIT */
#include "decay.h"

#include "arena_count.h"
#include "arena_purge.h"
#include "cgroup.h"
#include "claim.h"
#include "hunger.h"
#include "options.h"
#include "os.h"
#include "run.h"

#define STEP_BYTES ((size_t)1 << 20)
#define TICK_MS 8

/* When the last step was made. Who moves it on makes the next one; the others go on with what they were doing. */
static _Atomic uint64_t last_tick;

uint32_t decay_now(void)
{
	return (uint32_t)atomic_load_explicit(&last_tick, memory_order_relaxed);
}

/* ---- How much may be free ------------------------------------------------------------------------------------------- */

/*
 * What is free beyond a bound goes back at once, however young: a process that falls idle after a peak, without a further call,
 * keeps no more than that. A process whose use rises and falls again and again would pay a page fault for each page each
 * time. It shows by wanting back what it just gave: so much more it may keep from then on, until it has not for a while.
 */
/* Written and read by every thread that returns memory, each by itself and relaxed: nothing else is ordered by them. */
static _Atomic uint64_t given_young;   /* pages that went back before their time and were not wanted since */
static _Atomic uint64_t soiled_seen;   /* soiled_pages when last looked at */
static _Atomic uint64_t allowance;     /* pages */
static _Atomic uint64_t allowed_since; /* ms: when the allowance last changed */

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

/* Takes as much from a number as it has, at most that. */
static uint64_t take_from(_Atomic uint64_t *number, uint64_t most)
{
	uint64_t has = atomic_load_explicit(number, memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(number, &has, has - size_min(has, most), memory_order_relaxed,
						      memory_order_relaxed))
		;
	return size_min(has, most);
}

static void add_up_to(_Atomic uint64_t *number, uint64_t more, uint64_t most)
{
	uint64_t has = atomic_load_explicit(number, memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(number, &has, size_max(has, size_min(has + more, most)),
						      memory_order_relaxed, memory_order_relaxed))
		;
}

void decay_gave_young(size_t pages)
{
	soiled_since(arena_count().soiled_pages);
	atomic_fetch_add_explicit(&given_young, pages, memory_order_relaxed);
}

static void widen(uint64_t soiled, size_t most_pages)
{
	uint64_t back = take_from(&given_young, soiled_since(soiled));
	if (back == 0)
		return;
	add_up_to(&allowance, back, most_pages);
	atomic_store_explicit(&allowed_since, os_clock_ms(), memory_order_relaxed);
}

static void narrow(uint64_t now)
{
	uint64_t since = atomic_load_explicit(&allowed_since, memory_order_relaxed);
	if (now < since + (uint64_t)options()->decay_ms ||
	    !atomic_compare_exchange_strong_explicit(&allowed_since, &since, now, memory_order_relaxed, memory_order_relaxed))
		return;
	take_from(&given_young, UINT64_MAX);
	take_from(&allowance, atomic_load_explicit(&allowance, memory_order_relaxed) / 2 + 1);
}

bool decay_has_room(size_t pages)
{
	struct arena_counters counters = arena_count();
	size_t used = counters.used_pages * PAGE_SIZE;
	size_t allowed_most = size_max(3 * options()->retain_bytes, used / 4);
	if (unlikely(atomic_load_explicit(&given_young, memory_order_relaxed) != 0))
		widen(counters.soiled_pages, allowed_most / PAGE_SIZE);
	size_t allowed = (size_t)atomic_load_explicit(&allowance, memory_order_relaxed) * PAGE_SIZE;
	size_t most = size_max(options()->retain_bytes, used / 8) + size_min(allowed, allowed_most);
	most = size_min(hunger_shrink(most), hunger_room(used, counters.dirty_pages * PAGE_SIZE) / 4);
	return options()->decay_ms > 0 && (counters.dirty_pages + pages) * PAGE_SIZE <= most;
}

void decay_bound(void)
{
	if (unlikely(!decay_has_room(0)))
		decay_gave_young(arena_purge(STEP_BYTES - ARENA_SIZE, 0) / PAGE_SIZE);
}

/* ---- The clock ------------------------------------------------------------------------------------------------------ */

/* A process with so little cannot help its container: no file is opened for it. */
#define SMALL_PAGES ((size_t)8 << 20 >> PAGE_SHIFT)

static void look_around(void)
{
	struct arena_counters counters = arena_count();
	if (counters.used_pages + counters.dirty_pages >= SMALL_PAGES)
		cgroup_look(os_clock_ms());
}

size_t decay_step(void)
{
	look_around();
	uint32_t idle_ms = (uint32_t)hunger_shrink(options()->decay_ms);
	run_expire(idle_ms);
	size_t taken = claim_idle(STEP_BYTES, idle_ms);
	struct arena_counters counters = arena_count();
	/* A purge may go beyond its limit by an arena. */
	if (counters.dirty_pages == 0 || taken >= STEP_BYTES - ARENA_SIZE)
		return taken;
	return taken + arena_purge(STEP_BYTES - ARENA_SIZE - taken, idle_ms);
}

void decay_tick(void)
{
	decay_bound();
	uint64_t now = os_clock_ms();
	uint64_t last = atomic_load_explicit(&last_tick, memory_order_relaxed);
	if (now < last + TICK_MS)
		return;
	if (!atomic_compare_exchange_strong_explicit(&last_tick, &last, now, memory_order_relaxed, memory_order_relaxed))
		return;
	narrow(now);
	decay_step();
}
