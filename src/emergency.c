/* SPDX-License-Identifier: MIT */
#include "emergency.h"

#include "arena_count.h"
#include "arena_whole.h"
#include "huge.h"
#include "options.h"
#include "os.h"

/* The number of arenas in the high half, the first of them in the low half; 0: none held. Whoever changes it to 0 returns them. */
static _Atomic uint64_t held;

/* Once released, the reserve is taken again only when the program has shed load: when fewer pages than this cost memory. Set by who
 * releases it, raised by whoever looks; relaxed: it orders nothing, and a look that comes between is repeated. */
static STRATA_READ_MOSTLY _Atomic int64_t hold_below = INT64_MAX;

/* How often it was. Release, by whoever has given it back; partner: the acquire of whoever was refused meanwhile. */
static _Atomic uint32_t releases;

/* Arenas that were last wanted: what was told of one size does not hold for another. Written by whoever looks; relaxed: either will do. */
static STRATA_READ_MOSTLY _Atomic size_t last_wanted;

/* When the system, or a limit of the process's, last refused it, ms: for a moment, it may be. Written by whoever was refused, read by
 * whoever looks; relaxed: it orders nothing. */
static STRATA_READ_MOSTLY _Atomic uint64_t hold_refused_at;
#define HOLD_AGAIN_MS 1000u

static size_t count_of(uint64_t word)
{
	return word >> 32;
}

size_t emergency_bytes(void)
{
	return count_of(atomic_load_explicit(&held, memory_order_relaxed)) * ARENA_SIZE;
}

static void return_reserve(uint64_t word)
{
	arena_return_whole((arena_index)word, count_of(word));
	arena_recharge(-(int64_t)(count_of(word) * ARENA_PAGES));
}

/* What use has to fall below, from there, before so much is taken again. */
static int64_t below(int64_t cost, size_t arenas)
{
	int64_t less = (int64_t)(arenas * ARENA_PAGES);
	return cost - (less < cost / 4 ? less : cost / 4);
}

bool emergency_would_serve(size_t bytes)
{
	size_t limit = options()->limit_bytes;
	size_t used = arena_count().used_pages * PAGE_SIZE;
	return limit == 0 || used + round_up(bytes, PAGE_SIZE) <= limit + emergency_bytes();
}

uint32_t emergency_releases(void)
{
	return atomic_load_explicit(&releases, memory_order_acquire);
}

bool emergency_release(void)
{
	uint64_t word = atomic_exchange_explicit(&held, 0, memory_order_acq_rel);
	if (word == 0)
		return false;
	/* First: else another thread takes it again before this one has tried. */
	int64_t rest = (int64_t)arena_count_costly() - (int64_t)(count_of(word) * ARENA_PAGES);
	atomic_store_explicit(&hold_below, below(rest, count_of(word)), memory_order_relaxed);
	return_reserve(word);
	atomic_fetch_add_explicit(&releases, 1, memory_order_release);
	return true;
}

/* Untouched: it costs nothing, until it is released. */
static void clean(arena_index first, size_t arenas)
{
	for (arena_index index = first; index < first + arenas; index++)
		if (arena_dirty_pages(index) != 0 && huge_purge(page_start(index * ARENA_PAGES), ARENA_SIZE, false) == 0)
			arena_mark_clean(index, UINT64_MAX);
}

/* What was released may be used, and more: then it counts from there how much the program has shed. */
static bool has_fallen(size_t arenas)
{
	int64_t mark = atomic_load_explicit(&hold_below, memory_order_relaxed);
	int64_t cost = (int64_t)arena_count_costly();
	if (cost < mark)
		return true;
	/* Not where it was released meanwhile: the cost was another then. */
	if (below(cost, arenas) > mark)
		atomic_compare_exchange_strong_explicit(&hold_below, &mark, below(cost, arenas), memory_order_relaxed,
							memory_order_relaxed);
	return false;
}

static void hold(size_t arenas)
{
	if (!has_fallen(arenas))
		return;
	uint64_t now = os_clock_ms();
	if (!has_passed(now, atomic_load_explicit(&hold_refused_at, memory_order_relaxed), HOLD_AGAIN_MS) ||
	    !arena_charge(arenas * ARENA_PAGES))
		return;
	arena_index first = os_would_refuse(arenas * ARENA_SIZE) ? NO_ARENA : arena_claim_whole(arenas, 1);
	if (first == NO_ARENA) {
		arena_recharge(-(int64_t)(arenas * ARENA_PAGES));
		atomic_store_explicit(&hold_refused_at, now, memory_order_relaxed);
		return;
	}
	arena_count_taken(first, arenas);
	clean(first, arenas);
	uint64_t none = 0;
	uint64_t word = (uint64_t)arenas << 32 | first;
	if (!atomic_compare_exchange_strong_explicit(&held, &none, word, memory_order_acq_rel, memory_order_relaxed))
		return_reserve(word);
}

void emergency_check(void)
{
	size_t wanted = round_up(options()->emergency_bytes, ARENA_SIZE) / ARENA_SIZE;
	uint64_t word = atomic_load_explicit(&held, memory_order_relaxed);
	if (count_of(word) == wanted)
		return;
	if (atomic_load_explicit(&last_wanted, memory_order_relaxed) != wanted) {
		atomic_store_explicit(&last_wanted, wanted, memory_order_relaxed);
		atomic_store_explicit(&hold_below, INT64_MAX, memory_order_relaxed);
		atomic_store_explicit(&hold_refused_at, 0, memory_order_relaxed);
	}
	if (word != 0 && atomic_compare_exchange_strong_explicit(&held, &word, 0, memory_order_acq_rel, memory_order_relaxed))
		return_reserve(word);
	if (wanted != 0)
		hold(wanted);
}
