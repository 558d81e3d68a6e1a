/* SPDX-License-Identifier: MIT */
#include "limit.h"

#include "arena_count.h"
#include "arena_purge.h"
#include "arena_whole.h"
#include "decay.h"
#include "heap.h"
#include "os.h"
#include "profile.h"
#include "region.h"
#include "run.h"
#include "thread.h"
#include "trim.h"

#include <strata/strata.h>

#include <errno.h>

static int64_t pages_that_cost(void)
{
	struct arena_counters counters = arena_count();
	return (int64_t)(counters.used_pages + counters.dirty_pages);
}

/* ---- The program's handler ------------------------------------------------------------------------------------------ */

static _Atomic(struct strata_pressure_handler *) handler;
static __thread bool in_handler;

/* Acquire: what the program wrote into the structure; partner: the release in strata_on_pressure. */
static bool tell(enum strata_pressure what)
{
	struct strata_pressure_handler *called = atomic_load_explicit(&handler, memory_order_acquire);
	if (called == NULL || in_handler)
		return false;
	int saved_errno = errno;
	bool trial = thread_self.trial;
	bool paused = thread_self.sample_paused;
	in_handler = true;
	thread_self.trial = false;
	thread_self.sample_paused = false;
	called->call(called, what, (uint64_t)pages_that_cost() * PAGE_SIZE);
	thread_self.sample_paused = paused;
	thread_self.trial = trial;
	in_handler = false;
	errno = saved_errno;
	return true;
}

static bool may_tell(void)
{
	return atomic_load_explicit(&handler, memory_order_relaxed) != NULL && !in_handler;
}

/* The soft limit, in pages, that was passed and the handler was told of; 0: none. Written and read by all, relaxed: who puts a limit there
 * tells. It is forgotten when use has fallen, when the limit is another, and with the handler. */
static _Atomic int64_t told_of;

static int64_t forget_if_fallen(int64_t soft, int64_t cost)
{
	int64_t told = atomic_load_explicit(&told_of, memory_order_relaxed);
	if (told != 0 && (told != soft || cost < soft - soft / 16) &&
	    atomic_compare_exchange_strong_explicit(&told_of, &told, 0, memory_order_relaxed, memory_order_relaxed))
		return 0;
	return told;
}

static int64_t soft_limit(void)
{
	return (int64_t)(options()->limit_soft_bytes / PAGE_SIZE);
}

void limit_look_down(void)
{
	if (atomic_load_explicit(&told_of, memory_order_relaxed) != 0)
		forget_if_fallen(soft_limit(), pages_that_cost());
}

static void look_at_soft_limit(void)
{
	int64_t soft = soft_limit();
	int64_t cost = pages_that_cost();
	int64_t told = forget_if_fallen(soft, cost);
	if (told == 0 && soft != 0 && cost > soft && may_tell() &&
	    atomic_compare_exchange_strong_explicit(&told_of, &told, soft, memory_order_relaxed, memory_order_relaxed))
		tell(STRATA_PRESSURE_SOFT);
}

STRATA_PUBLIC struct strata_pressure_handler *strata_on_pressure(struct strata_pressure_handler *next)
{
	struct strata_pressure_handler *former = atomic_exchange_explicit(&handler, next, memory_order_acq_rel);
	atomic_store_explicit(&told_of, 0, memory_order_relaxed);
	return former;
}

/* ---- The emergency reserve ------------------------------------------------------------------------------------------ */

/* The number of arenas in the high half, the first of them in the low half; 0: none held. Whoever changes it to 0 lets them go. */
static _Atomic uint64_t held;

/* Once let go, the reserve is taken again only when the program has shed load: when fewer pages than this cost memory. */
static STRATA_READ_MOSTLY _Atomic int64_t hold_below = INT64_MAX;

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

size_t limit_emergency_bytes(void)
{
	return count_of(atomic_load_explicit(&held, memory_order_relaxed)) * ARENA_SIZE;
}

static void return_reserve(uint64_t word)
{
	arena_return_whole((arena_index)word, count_of(word));
	arena_recharge(-(int64_t)(count_of(word) * ARENA_PAGES));
}

static void wait_for_less_than(int64_t cost, size_t arenas)
{
	int64_t less = (int64_t)(arenas * ARENA_PAGES);
	atomic_store_explicit(&hold_below, cost - (less < cost / 4 ? less : cost / 4), memory_order_relaxed);
}

static bool release_emergency(void)
{
	uint64_t word = atomic_exchange_explicit(&held, 0, memory_order_acq_rel);
	if (word == 0)
		return false;
	/* First: else another thread takes it again before this one has tried. */
	wait_for_less_than(pages_that_cost() - (int64_t)(count_of(word) * ARENA_PAGES), count_of(word));
	return_reserve(word);
	return true;
}

/* Untouched: it costs nothing, until it is let go. */
static void clean(arena_index first, size_t arenas)
{
	for (arena_index index = first; index < first + arenas; index++)
		if (arena_dirty_pages(index) != 0 && os_purge(page_start(index * ARENA_PAGES), ARENA_SIZE, false) == 0)
			arena_mark_clean(index, UINT64_MAX);
}

static void hold(size_t arenas)
{
	if (pages_that_cost() >= atomic_load_explicit(&hold_below, memory_order_relaxed))
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

static void look_at_emergency(void)
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

void limit_look(void)
{
	if (others_read(region_span) == 0)
		return;
	look_at_soft_limit();
	look_at_emergency();
}

/* From then on heaps owe nothing, but for one that somebody is in just now: it tells at its owner's next slow call. */
void limit_changed(void)
{
	if (others_read(region_span) != 0 && arena_is_limited())
		heap_flush_accounts();
	limit_look();
}

/* ---- What a refused call does before it fails ----------------------------------------------------------------------- */

/* A request that no relief can serve: a program that asks for the impossible does not make others suffer. */
static bool is_hopeless(const struct relief *relief)
{
	size_t limit = options()->limit_bytes;
	return !run_may_fit(relief->size, relief->alignment) || (limit != 0 && relief->size > limit);
}

/* As much as the request needs, beside what it is claimed with. */
static bool purge_some(size_t size)
{
	size_t wanted = size + ARENA_SIZE;
	size_t purged = 0;
	for (uint32_t looked = 0; looked < region_arenas() && purged < wanted; looked += PURGE_SCAN)
		purged += arena_purge(wanted - purged, 0);
	return purged > 0;
}

static bool trim(void)
{
	trim_all(CALLBACKS_MAY_NOT);
	return true;
}

bool relief_gave(struct relief *relief)
{
	if (thread_self.trial)
		return false;
	switch (relief->stage++) {
	case 0:
		if (is_hopeless(relief)) {
			relief->stage = 4;
			return false;
		}
		if (purge_some(relief->size))
			return true;
		relief->stage++;
		/* fall through */
	case 1:
		return trim();
	case 2:
		if (release_emergency()) {
			tell(STRATA_PRESSURE_EMERGENCY);
			return true;
		}
		relief->stage++;
		/* fall through */
	case 3:
		return tell(STRATA_PRESSURE_REFUSED) && trim();
	default:
		return false;
	}
}

/* ---- What the program asks for --------------------------------------------------------------------------------------- */

size_t limit_trim(void)
{
	size_t bytes = trim_all(CALLBACKS_MAY_RUN);
	limit_after_free();
	return bytes;
}

size_t limit_maintain(enum typed_callbacks callbacks)
{
	size_t bytes = typed_maintain(callbacks) + decay_step();
	profile_write_if_wanted();
	limit_after_free();
	return bytes;
}
