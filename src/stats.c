/* SPDX-License-Identifier: MIT */
#include "stats.h"

#include "arena_count.h"
#include "bin_slots.h"
#include "check.h"
#include "emergency.h"
#include "heap.h"
#include "region.h"
#include "remote.h"
#include "run_cache.h"
#include "run_count.h"
#include "sample.h"
#include "stack_depot.h"
#include "stats_copy.h"
#include "typed_cache.h"
#include "typed_depot.h"
#include "typed_tier.h"

#include <string.h>

static void sum_heap(const struct heap *heap, struct heap_sums *sums)
{
	for (unsigned class = 1; class < CLASS_COUNT; class++) {
		const struct bin *bin = &heap->bins[class];
		int32_t count = others_read(bin->limit) - others_read(bin->credit);
		sums->classes[class].out += others_read(heap->out_blocks[class]);
		sums->classes[class].cached += at_least_zero(count);
	}
	remote_count_outgoing(heap, &sums->travelling_bytes, &sums->travelling_blocks);
	sums->travelling_bytes += atomic_load_explicit(&heap->inbox_bytes, memory_order_relaxed);
	sums->travelling_blocks += atomic_load_explicit(&heap->inbox_blocks, memory_order_relaxed);
	sums->quarantined_bytes += others_read(heap->quarantined_bytes);
	sums->quarantined_blocks += others_read(heap->quarantined_blocks);
	sums->used_pages += others_read(heap->account.used);
	sums->dirty_pages += others_read(heap->account.dirty);
	sums->pools += others_read(heap->pool_count);
	sums->threads += atomic_load_explicit(&heap->state, memory_order_relaxed) == HEAP_LIVE;
}

void stats_sum(struct heap_sums *sums)
{
	memset(sums, 0, sizeof *sums);
	for (uint32_t number = heap_count(); number > 0; number--)
		sum_heap(heap_at(number), sums);
}

/* What the typed tier keeps of the tiers below is not the program's. */
static void move_typed(struct strata_stats *stats)
{
	struct typed_totals typed;
	typed_sum(&typed);
	stats->live_bytes = at_least_zero((int64_t)(stats->live_bytes - typed.held_bytes));
	stats->live_blocks = at_least_zero((int64_t)(stats->live_blocks - typed.held_blocks));
	stats->cached_bytes += typed.held_bytes;
}

/* Blocks that left their pools, and which of them no program has: in bins, and on their way home. */
struct pooled {
	int64_t out_bytes, out_blocks;
	uint64_t cached_bytes, cached_blocks;
};

static struct pooled add_classes(const struct heap_sums *sums)
{
	struct pooled pooled = { .cached_bytes = sums->travelling_bytes, .cached_blocks = sums->travelling_blocks };
	for (unsigned class = 1; class < CLASS_COUNT; class++) {
		const size_t size = size_classes[class].size;
		pooled.out_blocks += (int64_t)sums->classes[class].out;
		pooled.out_bytes += (int64_t)(sums->classes[class].out * size);
		pooled.cached_blocks += sums->classes[class].cached;
		pooled.cached_bytes += sums->classes[class].cached * size;
	}
	return pooled;
}

static void fill_blocks(struct strata_stats *stats, const struct heap_sums *sums, const struct pooled *pooled,
			const struct run_counters *runs)
{
	uint64_t pooled_live = at_least_zero(pooled->out_bytes - (int64_t)pooled->cached_bytes);
	stats->run_bytes = runs->bytes;
	stats->live_bytes = at_least_zero((int64_t)(pooled_live + runs->bytes) - sums->quarantined_bytes);
	stats->live_blocks = at_least_zero(pooled->out_blocks - (int64_t)pooled->cached_blocks + (int64_t)runs->blocks -
					   sums->quarantined_blocks);
	stats->cached_bytes = pooled->cached_bytes + at_least_zero(sums->quarantined_bytes);
	move_typed(stats);
}

/* The reserve and the slots have pages, which are neither the program's nor free. */
static void fill_pages(struct strata_stats *stats, struct arena_counters arenas, const struct pooled *pooled,
		       const struct run_counters *runs)
{
	uint64_t cached_runs = run_cache_bytes();
	size_t slots = slots_pages();
	stats->emergency_bytes = emergency_bytes();
	arenas.used_pages -= size_min(stats->emergency_bytes / PAGE_SIZE + slots, arenas.used_pages);
	stats->free_bytes = arenas.dirty_pages * PAGE_SIZE + cached_runs;
	stats->heap_bytes = (arenas.used_pages + arenas.dirty_pages) * PAGE_SIZE;
	stats->pooled_bytes = at_least_zero((int64_t)(arenas.used_pages * PAGE_SIZE) - (int64_t)(runs->bytes + cached_runs) -
					    pooled->out_bytes);
	stats->purged_bytes = arenas.purged_bytes;
	stats->metadata_bytes = region_metadata_bytes() + slots * PAGE_SIZE + cache_committed() + typed_depot_committed() +
				sample_committed() + depot_committed();
	stats->reserved_bytes = others_read(region.reserved_bytes);
}

/* The totals first, and then the accounts, as the fence has it: what a heap tells meanwhile is missing, not counted twice; but for one that
 * is just telling, which adds to a total before it empties its account. */
static void fill(struct strata_stats *stats)
{
	struct heap_sums sums;
	int64_t used_pages, dirty_pages;
	arena_totals(&used_pages, &dirty_pages);
	atomic_thread_fence(memory_order_acquire);
	stats_sum(&sums);
	struct pooled pooled = add_classes(&sums);
	struct run_counters runs = run_count();
	struct arena_counters arenas = arena_counters_of(used_pages + sums.used_pages, dirty_pages + sums.dirty_pages);
	*stats = (struct strata_stats){ .threads = sums.threads, .heaps = heap_count() };
	fill_blocks(stats, &sums, &pooled, &runs);
	fill_pages(stats, arenas, &pooled, &runs);
}

STRATA_PUBLIC int strata_stats_read(struct strata_stats *out, size_t size)
{
	struct strata_stats stats;
	fill(&stats);
	return stats_copy(out, size, &stats, sizeof stats);
}

void stats_print(void)
{
	struct strata_stats stats;
	fill(&stats);
	message("live %lu bytes in %lu blocks (runs: %lu bytes)", stats.live_bytes, stats.live_blocks, stats.run_bytes);
	message("cached %lu, at home in pools %lu, free pages %lu, heap %lu bytes", stats.cached_bytes,
		stats.pooled_bytes, stats.free_bytes, stats.heap_bytes);
	message("metadata %lu, reserved %lu, given back %lu bytes; %lu threads, %lu heaps", stats.metadata_bytes,
		stats.reserved_bytes, stats.purged_bytes, stats.threads, stats.heaps);
}
