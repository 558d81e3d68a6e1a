/* SPDX-License-Identifier: MIT */
/* Counts of types: sums over all threads' caches, without stopping anyone. */
#include "check.h"
#include "core.h"
#include "stats_copy.h"
#include "typed_below.h"
#include "typed_cache.h"
#include "typed_depot.h"

struct sums {
	uint64_t constructed, returned, hits, refills;
	uint64_t cached, kept_items, kept_buffers, array_bytes, arrays;
	int64_t buffer_items;
};

static void add_counters(struct sums *sums, const struct list_cold *cold)
{
	sums->constructed += others_read(cold->constructed);
	sums->returned += others_read(cold->returned);
	sums->buffer_items += others_read(cold->buffer_items);
}

static void add_kept(struct sums *sums, uint64_t kept)
{
	sums->kept_items += kept_items(kept);
	sums->kept_buffers += kept & ((1u << KEPT_SHIFT) - 1);
}

static void add_list(struct sums *sums, const struct type_list *list, const struct list_cold *cold)
{
	uint32_t capacity = others_read(cold->capacity);
	add_counters(sums, cold);
	sums->hits += others_read(list->hits);
	if (capacity == 0)
		return;
	sums->cached += list_count(list);
	add_kept(sums, list_kept(list));
	sums->arrays++;
	sums->array_bytes += core_good_size((capacity + 1) * sizeof(void *));
}

static struct sums sum_record(const strata_type *record)
{
	struct sums sums = { 0 };
	struct typed_depot_counters depot = typed_depot_count(record);
	for (uint32_t number = 0; number < cache_count(); number++) {
		struct type_cache *cache = cache_at(number);
		if (cache != NULL)
			add_list(&sums, cache_list(cache, record), cache_cold(cache, record));
	}
	add_counters(&sums, below_shared_cold(record));
	sums.cached += depot.objects;
	sums.refills = depot.refills;
	add_kept(&sums, depot.kept);
	return sums;
}

static uint64_t live_in(const struct sums *sums)
{
	return at_least_zero((int64_t)(sums->constructed - sums->returned - sums->cached));
}

static bool is_stub(const struct type *type, uint32_t i)
{
	return i == 0 && type->shape != STRATA_FIXED;
}

static void add_record(struct strata_type_stats *stats, struct typed_totals *totals, const struct type *type, uint32_t i)
{
	const strata_type *record = &type->records[i];
	struct sums sums = sum_record(record);
	/* The objects of a tuple's stub are those longer than any list's; it counts their bytes. */
	uint64_t block = is_stub(type, i) ? 0 : below_block_size(record);
	uint64_t item = is_stub(type, i) ? 1 : record->item_size;
	uint64_t cached_bytes = sums.cached * block + sums.kept_items * item;
	uint64_t live = live_in(&sums);
	uint64_t live_bytes = live * block + at_least_zero(sums.buffer_items - (int64_t)sums.kept_items) * item;
	stats->live_objects += live;
	stats->live_bytes += live_bytes;
	stats->cached_objects += sums.cached;
	stats->cached_bytes += cached_bytes;
	stats->hits += sums.hits;
	stats->misses += sums.constructed + sums.refills;
	stats->constructed += sums.constructed;
	totals->held_blocks += sums.cached + sums.kept_buffers + sums.arrays;
	totals->held_bytes += cached_bytes + sums.array_bytes;
}

static void read_type(const struct type *type, struct strata_type_stats *stats, struct typed_totals *totals)
{
	memset(stats, 0, sizeof *stats);
	memcpy(stats->name, type->name, sizeof stats->name);
	for (uint32_t i = 0; i < type->record_count; i++)
		add_record(stats, totals, type, i);
}

/* False, and nothing is added: it is not registered, or no longer while it was read, and counters of another type may be among what was
 * read. */
static bool read_registered(const struct type *type, struct strata_type_stats *stats, struct typed_totals *totals)
{
	struct typed_totals sums = *totals;
	/* Acquire: the records of whoever registered; partner: the release in strata_type_register. */
	uint32_t epoch = atomic_load_explicit(&type->epoch, memory_order_acquire);
	if (epoch % 2 != 0 || !type_is_registered(type))
		return false;
	read_type(type, stats, &sums);
	/* Partner: the fence in strata_type_unregister. */
	atomic_thread_fence(memory_order_acquire);
	if (atomic_load_explicit(&type->epoch, memory_order_relaxed) != epoch)
		return false;
	*totals = sums;
	return true;
}

void typed_sum(struct typed_totals *totals)
{
	struct strata_type_stats stats;
	memset(totals, 0, sizeof *totals);
	for (unsigned i = 0; i < type_count(); i++) {
		if (!read_registered(type_at(i), &stats, totals))
			continue;
		totals->live_objects += stats.live_objects;
		totals->live_bytes += stats.live_bytes;
		totals->hits += stats.hits;
		totals->misses += stats.misses;
	}
}

STRATA_PUBLIC int strata_type_stats_read(const strata_type *handle, struct strata_type_stats *out, size_t size)
{
	struct strata_type_stats stats;
	struct typed_totals totals = { 0 };
	if (handle == NULL || handle->type == NULL)
		return EINVAL;
	read_type(handle->type, &stats, &totals);
	return stats_copy(out, size, &stats, sizeof stats);
}

void typed_print_live(void)
{
	struct strata_type_stats stats;
	struct typed_totals totals = { 0 };
	for (unsigned i = 0; i < type_count(); i++) {
		if (!read_registered(type_at(i), &stats, &totals))
			continue;
		if (stats.live_objects > 0)
			message("type %s: %lu objects live, %lu bytes", stats.name, (unsigned long)stats.live_objects,
				(unsigned long)stats.live_bytes);
	}
}

uint64_t type_count_live(const struct type *type)
{
	uint64_t live = 0;
	for (uint32_t i = 0; i < type->record_count; i++) {
		struct sums sums = sum_record(&type->records[i]);
		live += live_in(&sums);
	}
	return live;
}
