/* SPDX-License-Identifier: MIT */
#include "typed_idle.h"

#include "options.h"
#include "os.h"
#include "typed_below.h"
#include "typed_cache.h"
#include "typed_claim.h"
#include "typed_depot.h"
#include "typed_list.h"

static size_t empty_depot(const strata_type *record, size_t batches)
{
	void *objects[BATCH_OBJECTS];
	unsigned count;
	size_t bytes = 0;
	for (; batches > 0 && (count = list_take_from_depot(record, objects)) > 0; batches--)
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
		bytes += empty_depot(&type->records[i], SIZE_MAX);
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
		if (others_read(cache->lists[i].bottom) == NULL || !type_walk_begin(&walk, type_of(record)))
			continue;
		bytes += pass_list(cache, record);
		type_walk_end(&walk);
	}
	return bytes;
}

/* Half of an idle depot each time. One thread does it for all: who has the time from before replaced by now, ms. Read and
 * written by all on slow paths; it orders nothing, the exchange only lets one through. */
static _Atomic uint64_t last_depot_pass;

static size_t pass_depots(void)
{
	size_t bytes = 0;
	for (unsigned i = 0; i < type_record_count(); i++) {
		const strata_type *record = &type_records[i];
		uint64_t objects = typed_depot_count(record).objects;
		struct type_walk walk;
		if (objects == 0 || !type_walk_begin(&walk, type_of(record)))
			continue;
		if (typed_depot_is_idle(record))
			bytes += empty_depot(record, objects / BATCH_OBJECTS / 2 + 1);
		type_walk_end(&walk);
	}
	return bytes;
}

#define PASS_MS_LEAST 8

static size_t pass_if_due(struct type_cache *cache)
{
	uint64_t now = os_clock_ms();
	uint64_t every = size_max(options()->decay_ms, PASS_MS_LEAST);
	uint64_t last = atomic_load_explicit(&last_depot_pass, memory_order_relaxed);
	size_t bytes = 0;
	if (cache != NULL && now - cache->last_pass >= every) {
		cache->last_pass = now;
		bytes += pass_cache(cache);
	}
	if (now - last >= every && atomic_compare_exchange_strong(&last_depot_pass, &last, now))
		bytes += pass_depots();
	return bytes + typed_claim_idle(now, every);
}

void typed_tick(struct type_cache *cache)
{
	owner_add(cache->slow_calls, 1);
	if (unlikely(cache->slow_calls % 16 == 0))
		pass_if_due(cache);
}

size_t typed_maintain(void)
{
	if (type_record_count() == 0)
		return 0;
	struct type_cache *cache = cache_enter_own();
	size_t bytes = pass_if_due(cache);
	if (cache != NULL)
		cache_leave(cache);
	return bytes;
}

size_t typed_trim(void)
{
	size_t bytes = typed_claim_all();
	for (unsigned i = 0; i < type_count(); i++) {
		struct type_walk walk;
		if (!type_walk_begin(&walk, type_at(i)))
			continue;
		bytes += typed_trim_type(type_at(i));
		type_walk_end(&walk);
	}
	return bytes;
}
