/* SPDX-License-Identifier: MIT */
#include "typed_idle.h"

#include "arena_purge.h"
#include "options.h"
#include "os.h"
#include "typed_below.h"
#include "typed_cache.h"
#include "typed_claim.h"
#include "typed_depot.h"
#include "typed_list.h"

/* So many batches, or a few more than so many bytes. */
static size_t empty_depot(const strata_type *record, size_t batches, size_t most)
{
	void *objects[BATCH_OBJECTS];
	unsigned count;
	size_t bytes = 0;
	for (; batches > 0 && bytes < most && (count = list_take_from_depot(record, objects)) > 0; batches--)
		while (count > 0)
			bytes += below_unmake(record, objects[--count]);
	return bytes;
}

size_t typed_trim_type(struct type *type)
{
	struct type_cache *cache = cache_enter_own();
	size_t bytes = 0;
	for (uint32_t i = 0; i < type->record_count; i++) {
		if (cache != NULL)
			bytes += list_empty(cache, &type->records[i]);
		bytes += empty_depot(&type->records[i], SIZE_MAX, SIZE_MAX);
	}
	if (cache != NULL)
		cache_leave(cache);
	return bytes;
}

/* A list from which nothing was taken since the last look. */
static size_t pass_list(struct type_cache *cache, const strata_type *record)
{
	struct list_cold *cold = cache_cold(cache, record);
	uint64_t hits = cache_list(cache, record)->hits;
	bool idle = cold->seen_hits == hits;
	cold->seen_hits = hits;
	return idle ? list_empty(cache, record) : 0;
}

static size_t pass_cache(struct type_cache *cache)
{
	size_t bytes = 0;
	for (unsigned i = 0; i < type_record_count(); i++) {
		const strata_type *record = &type_records[i];
		struct type_walk walk;
		if (others_read(cache->lists[i].bottom) == NULL || !type_walk_begin(&walk, type_of(record), CALLBACKS_MAY_RUN))
			continue;
		bytes += pass_list(cache, record);
		type_walk_end(&walk);
	}
	return bytes;
}

/* By whoever may run callbacks and by whoever may not, each for itself: what the latter passes over is left to the former. When the last
 * pass of the depots began, in ms: who replaces it makes the next. Where it stopped, when that was as much as one call may do: 0, or the
 * next goes on there. Read and written by all on slow paths, relaxed; neither orders anything: two who go on at once empty a little
 * more. */
static struct {
	_Atomic uint64_t begun;
	_Atomic unsigned next;
} passes[CALLBACKS_KINDS];

/* Half of an idle depot each time. */
static size_t pass_depots(enum typed_callbacks callbacks, uint64_t now, uint64_t every)
{
	size_t bytes = 0;
	unsigned i = atomic_load_explicit(&passes[callbacks].next, memory_order_relaxed);
	for (; i < type_record_count() && bytes < PURGE_STEP; i++) {
		const strata_type *record = &type_records[i];
		uint64_t objects = typed_depot_count(record).objects;
		struct type_walk walk;
		if (objects == 0 || !type_walk_begin(&walk, type_of(record), callbacks))
			continue;
		if (typed_depot_is_idle(record, now, every))
			bytes += empty_depot(record, objects / BATCH_OBJECTS / 2 + 1, PURGE_STEP - bytes);
		type_walk_end(&walk);
	}
	atomic_store_explicit(&passes[callbacks].next, i < type_record_count() ? i : 0, memory_order_relaxed);
	return bytes;
}

#define PASS_MS_LEAST 8

static bool pass_is_due(enum typed_callbacks callbacks, uint64_t now, uint64_t every)
{
	_Atomic uint64_t *begun = &passes[callbacks].begun;
	uint64_t last = atomic_load_explicit(begun, memory_order_relaxed);
	if (atomic_load_explicit(&passes[callbacks].next, memory_order_relaxed) != 0)
		return true;
	return has_passed(now, last, every) &&
	       atomic_compare_exchange_strong_explicit(begun, &last, now, memory_order_relaxed, memory_order_relaxed);
}

static size_t pass(struct type_cache *cache, enum typed_callbacks callbacks)
{
	uint64_t now = os_clock_ms();
	uint64_t every = size_max(options()->decay_ms, PASS_MS_LEAST);
	size_t bytes = 0;
	if (cache != NULL && has_passed(now, cache->last_pass, every)) {
		cache->last_pass = now;
		bytes += pass_cache(cache);
	}
	if (pass_is_due(callbacks, now, every))
		bytes += pass_depots(callbacks, now, every);
	return bytes + typed_claim_idle(now, every, callbacks);
}

/* Not again from within a callback: that would go on where this one has come to, deeper with each. */
static size_t pass_if_due(struct type_cache *cache, enum typed_callbacks callbacks)
{
	if (typed_self.passes)
		return 0;
	typed_self.passes = true;
	size_t bytes = pass(cache, callbacks);
	typed_self.passes = false;
	return bytes;
}

void typed_tick(struct type_cache *cache)
{
	owner_add(cache->slow_calls, 1);
	if (unlikely(cache->slow_calls % 16 == 0))
		pass_if_due(cache, CALLBACKS_MAY_RUN);
}

size_t typed_maintain(enum typed_callbacks callbacks)
{
	if (type_record_count() == 0)
		return 0;
	struct type_cache *cache = callbacks == CALLBACKS_MAY_RUN ? cache_enter_own() : NULL;
	size_t bytes = pass_if_due(cache, callbacks);
	if (cache != NULL)
		cache_leave(cache);
	return bytes;
}

size_t typed_trim(enum typed_callbacks callbacks)
{
	size_t bytes = typed_claim_all(callbacks);
	for (unsigned i = 0; i < type_count(); i++) {
		struct type_walk walk;
		if (!type_walk_begin(&walk, type_at(i), callbacks))
			continue;
		bytes += typed_trim_type(type_at(i));
		type_walk_end(&walk);
	}
	return bytes;
}
