/* SPDX-License-Identifier: MIT */
/*
 * The hot calls know nothing of this: no atomic operation, no instruction more. A membarrier is a point in the program of each thread
 * (claim.c says more of that).
 *
 *     claim          claim = CACHE_CLAIMED, by a compare-and-swap: one claims
 *     membarrier 0   an owner that comes to its slow path from here on finds that, and does without its lists; one that is there
 *                    already is inside: the cache is let be
 *     close          the lists of one record: bottom above, and limit below all that cursor can be
 *     membarrier 1   from here on no hot call begins on them; of one thread at most one is under way
 *     take           what lies below the newest object; that stays
 *     let go         claim = CACHE_OPEN; then what was taken is put away, which may run callbacks: no list is claimed meanwhile
 *
 * Operation against operation. Let the hot call that is under way have read cursor = C.
 *
 *     take / alloc   It takes the slot below C, and stores cursor = C - 1 before or after that is read here. In the first case the
 *                    slots below C - 2 are taken here, in the second those below C - 1; not the one below C.
 *     take / free    It stores the slot at C, then cursor = C + 1. Slots below C are taken here, or, when that was seen, below the
 *                    one at C, which may arrive later than cursor (not on x86-64). The array stays, and it had room.
 *     take / take    One claims a cache at a time. When it is claimed again the same holds if the owner has opened the list since;
 *                    if it has not, the call that was under way has ended, or still is.
 *     take / open    The owner opens its list on its slow path: not while the cache is claimed. Acquire and release by claim.
 *     take / unregister  whoever takes walks the type, which cannot be unregistered meanwhile.
 *     take / end     The owner ends and finds the cache claimed: it leaves it to whoever claimed it, by a compare-and-swap.
 *     take / fork    In the child nobody claims; what was claimed is forgotten (typed_fork_child).
 *
 * So of each list one object stays with the sleeper, and the array. docs/models/typed_claim.pml checks this exhaustively, with stores
 * that reach memory late and in any order, and fails when one of the steps is left out.
 */
#include "typed_claim.h"

#include "arena_purge.h"
#include "claim.h"
#include "os.h"
#include "typed_cache.h"
#include "typed_depot.h"
#include "typed_list.h"

/* Caches that are claimed together, since the membarriers serve all; and objects that are taken at a time. */
#define CLAIM_CACHES 16u
#define CLAIM_OBJECTS 256u

struct claim_set {
	struct type_cache *caches[CLAIM_CACHES];
	unsigned count;
};

/* ---- One round ------------------------------------------------------------------------------------------------------ */

static struct claim_set claim_those(const struct claim_set *wanted)
{
	struct claim_set claimed = { .count = 0 };
	for (unsigned i = 0; i < wanted->count; i++) {
		uint32_t open = CACHE_OPEN;
		if (atomic_compare_exchange_strong(&wanted->caches[i]->claim, &open, CACHE_CLAIMED))
			claimed.caches[claimed.count++] = wanted->caches[i];
	}
	return claimed;
}

/* Those are left whose owner has ended meanwhile: they stay as they are until end_those. */
static void release_claims(struct claim_set *set)
{
	unsigned left = 0;
	for (unsigned i = 0; i < set->count; i++) {
		uint32_t claimed = CACHE_CLAIMED;
		if (unlikely(!atomic_compare_exchange_strong(&set->caches[i]->claim, &claimed, CACHE_OPEN)))
			set->caches[left++] = set->caches[i];
	}
	set->count = left;
}

/* With nothing claimed, since it runs callbacks, which may fork: in the child these are nobody's any more. Nobody else claims one:
 * its owner was inside when it ended. */
static void end_those(const struct claim_set *set, enum typed_callbacks callbacks)
{
	for (unsigned i = 0; i < set->count; i++) {
		uint32_t left = CACHE_LEFT;
		if (atomic_compare_exchange_strong(&set->caches[i]->claim, &left, CACHE_OPEN))
			cache_end(set->caches[i], callbacks);
	}
}

/* Acquire: the lists as the owner left them; partners: the releases in cache_leave and cache_end. One that has ended left none, or
 * what nobody may destroy who ended it. */
static struct claim_set not_busy(const struct claim_set *set)
{
	struct claim_set those = { .count = 0 };
	for (unsigned i = 0; i < set->count; i++)
		if (__atomic_load_n(&set->caches[i]->inside, __ATOMIC_ACQUIRE) == 0)
			those.caches[those.count++] = set->caches[i];
	return those;
}

/* Without those that have nothing of the record. */
static struct claim_set who_has(const struct claim_set *set, const strata_type *record)
{
	struct claim_set those = { .count = 0 };
	for (unsigned i = 0; i < set->count; i++)
		if (list_count_claimable(cache_list(set->caches[i], record)) > 0)
			those.caches[those.count++] = set->caches[i];
	return those;
}

static bool close_lists(const struct claim_set *set, const strata_type *record)
{
	bool any = false;
	for (unsigned i = 0; i < set->count; i++)
		any |= list_close(set->caches[i], record);
	return !any || claim_barrier();
}

static unsigned take_from(const struct claim_set *claimed, const strata_type *record, void *objects[CLAIM_OBJECTS])
{
	unsigned count = 0;
	if (!claim_barrier())
		return 0;
	struct claim_set set = not_busy(claimed);
	if (!close_lists(&set, record))
		return 0;
	for (unsigned i = 0; i < set.count; i++)
		count += list_claim(set.caches[i], record, objects + count, CLAIM_OBJECTS - count);
	return count;
}

static unsigned take(const struct claim_set *set, const strata_type *record, void *objects[CLAIM_OBJECTS], enum typed_callbacks callbacks)
{
	struct claim_set wanted = who_has(set, record);
	if (wanted.count == 0)
		return 0;
	struct claim_set claimed = claim_those(&wanted);
	unsigned count = take_from(&claimed, record, objects);
	release_claims(&claimed);
	end_those(&claimed, callbacks);
	return count;
}

static size_t put_away(const strata_type *record, void **objects, unsigned count)
{
	size_t bytes = 0;
	for (unsigned i = 0; i < count; i += BATCH_OBJECTS)
		bytes += list_put_away(record, objects + i, (unsigned)size_min(count - i, BATCH_OBJECTS));
	return bytes;
}

/* ---- All records ---------------------------------------------------------------------------------------------------- */

/* Bytes by weight that may yet be taken, and what of them went below. */
struct claim_budget {
	size_t left;
	size_t freed;
	enum typed_callbacks callbacks;
};

static size_t count_claimable(const struct claim_set *set, const strata_type *record)
{
	size_t count = 0;
	for (unsigned i = 0; i < set->count; i++)
		count += list_count_claimable(cache_list(set->caches[i], record));
	return count;
}

/* No more than there is now: owners that are awake go on filling their lists. */
static void claim_record(const struct claim_set *set, const strata_type *record, struct claim_budget *budget)
{
	void *objects[CLAIM_OBJECTS];
	size_t most = count_claimable(set, record);
	while (most > 0 && budget->left > 0) {
		unsigned count = take(set, record, objects, budget->callbacks);
		if (count == 0)
			return;
		budget->freed += put_away(record, objects, count);
		budget->left -= size_min(budget->left, count * list_weight(record));
		most -= size_min(most, count);
	}
}

static void claim_set(const struct claim_set *set, struct claim_budget *budget)
{
	typed_self.claims = true;
	for (unsigned i = 0; i < type_record_count() && budget->left > 0; i++) {
		const strata_type *record = &type_records[i];
		struct type_walk walk;
		if (count_claimable(set, record) == 0 || !type_walk_begin(&walk, type_of(record), budget->callbacks))
			continue;
		claim_record(set, record, budget);
		type_walk_end(&walk);
	}
	typed_self.claims = false;
}

/* ---- Whose ---------------------------------------------------------------------------------------------------------- */

/* Changes with each call of the owner's that its lists serve, and nearly always with others. */
static uint64_t look_at(const struct type_cache *cache)
{
	uint64_t look = others_read(cache->slow_calls);
	for (unsigned i = 0; i < type_record_count(); i++) {
		const struct type_list *list = &cache->lists[i];
		look = idle_mix(look, (uintptr_t)others_read(list->cursor) + others_read(list->hits));
	}
	return look;
}

static bool sleeps(struct type_cache *cache, uint32_t now, uint32_t idle_ms)
{
	return idle_for(&cache->look, look_at(cache), now, idle_ms);
}

static bool is_anothers(const struct type_cache *cache)
{
	return cache != NULL && cache != typed_self.cache && atomic_load_explicit(&cache->live, memory_order_relaxed) == 1;
}

/* Whoever is just ending its own cache, or another's, does not come to end one more; nor do claims nest. */
static bool may_claim(void)
{
	return typed_self.leaving == NULL && !typed_self.claims && cache_count() > 1 && claim_possible();
}

/* Where the next call goes on, and when; relaxed, by all. By whoever may run callbacks and by whoever may not, each for itself: what the
 * latter passes over is left to the former. */
static struct {
	_Atomic uint32_t cursor;
	_Atomic uint64_t last;
} steps[CALLBACKS_KINDS];

#define STEPS_OF_IDLE 16u
#define STEP_MS_LEAST 8u

size_t typed_claim_idle(uint64_t now, uint64_t idle_ms, enum typed_callbacks callbacks)
{
	uint64_t last = atomic_load_explicit(&steps[callbacks].last, memory_order_relaxed);
	if (!may_claim() || now - last < size_max(idle_ms / STEPS_OF_IDLE, STEP_MS_LEAST) ||
	    !atomic_compare_exchange_strong(&steps[callbacks].last, &last, now))
		return 0;
	struct claim_set set = { .count = 0 };
	struct claim_budget budget = { .left = PURGE_STEP, .callbacks = callbacks };
	uint32_t count = cache_count();
	uint32_t scan = (uint32_t)size_min(count, CLAIM_CACHES);
	uint32_t first = atomic_fetch_add_explicit(&steps[callbacks].cursor, scan, memory_order_relaxed);
	for (uint32_t i = 0; i < scan; i++) {
		struct type_cache *cache = cache_at((first + i) % count);
		if (is_anothers(cache) && sleeps(cache, (uint32_t)now, (uint32_t)idle_ms))
			set.caches[set.count++] = cache;
	}
	claim_set(&set, &budget);
	return budget.freed;
}

size_t typed_claim_all(enum typed_callbacks callbacks)
{
	struct claim_budget budget = { .left = SIZE_MAX, .callbacks = callbacks };
	if (!may_claim())
		return 0;
	for (uint32_t number = 0; number < cache_count();) {
		struct claim_set set = { .count = 0 };
		for (; number < cache_count() && set.count < CLAIM_CACHES; number++)
			if (is_anothers(cache_at(number)))
				set.caches[set.count++] = cache_at(number);
		claim_set(&set, &budget);
	}
	return budget.freed;
}
