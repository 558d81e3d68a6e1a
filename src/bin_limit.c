/* SPDX-License-Identifier: MIT */
#include "bin_limit.h"

#include "arena_count.h"
#include "bin.h"
#include "bin_slots.h"
#include "options.h"

/* Blocks of which many come for few bytes. */
#define SMALL_BELOW (2 * CACHE_LINE)

static bool is_small(unsigned class)
{
	return size_classes[class].size < SMALL_BELOW;
}

/* Most bytes in one bin. */
static size_t bin_bytes(unsigned class)
{
	return size_min((size_t)4 << 20, (size_t)SLOTS_MOST * size_classes[class].size);
}

/* A bin that is only ever freed to grows no further: its blocks would keep their pools from those who need pages. */
#define FEW_BLOCKS 64u
#define FEW_BYTES ((size_t)512 << 10)

static size_t few_bytes(unsigned class)
{
	return size_max(size_min(FEW_BLOCKS * size_classes[class].size, FEW_BYTES), PAGE_SIZE);
}

static int32_t first_limit(unsigned class)
{
	return (int32_t)size_min(PAGE_SIZE / size_classes[class].size, (size_t)slots_near(class));
}

/* Sums over the heaps of limit_bytes and of large_limit_bytes: what all bins together may hold above a page's worth each. Changed when
 * a limit changes, which is seldom, by the thread whose bin it is or who claims that, and set by the child of a fork. Relaxed: they
 * order nothing. */
static _Atomic int64_t all_limits STRATA_ALIGNED(CACHE_LINE);
static _Atomic int64_t large_limits;

/* Of the heap, and so of all. */
static void count_limits(struct heap *heap, int64_t bytes, int64_t large)
{
	heap->limit_bytes += (uint64_t)bytes;
	heap->large_limit_bytes += (uint64_t)large;
	atomic_fetch_add_explicit(&all_limits, bytes, memory_order_relaxed);
	atomic_fetch_add_explicit(&large_limits, large, memory_order_relaxed);
}

/* By less than nothing it always succeeds. */
static bool change(struct heap *heap, unsigned class, int32_t by)
{
	struct bin *bin = &heap->bins[class];
	int64_t bytes = (int64_t)by * size_classes[class].size;
	if (!slots_fit(heap, class, bin->limit + by) && by > 0)
		return false;
	owner_add(bin->limit, by);
	owner_add(bin->credit, by);
	count_limits(heap, bytes, is_small(class) ? 0 : bytes);
	return true;
}

void limits_reset(struct heap *heap)
{
	for (unsigned class = 1; class < CLASS_COUNT; class++) {
		slots_reset(heap, class);
		owner_set(heap->bins[class].limit, first_limit(class));
		owner_set(heap->bins[class].credit, first_limit(class));
	}
	limits_forget(heap);
	heap->overflowed = (struct class_set){ 0 };
}

static bool may_be(int64_t bytes)
{
	return bytes <= (int64_t)options()->cache_all_bytes || bytes <= (int64_t)(arena_count().used_pages * PAGE_SIZE / 16);
}

/* All threads' caches may take a sixteenth of what is in use, where that is more than the setting. What is in use is a sum: it is
 * asked for only where it matters. Small blocks may make it twice as much, since a few large ones in the bins of each thread leave them
 * no room otherwise; and half of it the others have to themselves. */
static bool all_may_hold(unsigned class, int64_t more)
{
	int64_t all = atomic_load_explicit(&all_limits, memory_order_relaxed) + more;
	int64_t large = atomic_load_explicit(&large_limits, memory_order_relaxed) + more;
	if (is_small(class))
		return may_be(all / 2);
	return may_be(all < 2 * large ? all : 2 * large);
}

void limits_forget(struct heap *heap)
{
	count_limits(heap, -(int64_t)heap->limit_bytes, -(int64_t)heap->large_limit_bytes);
}

void limits_renew(struct heap *heap)
{
	int64_t bytes = 0;
	int64_t large = 0;
	for (unsigned class = 1; class < CLASS_COUNT; class++) {
		struct bin *bin = &heap->bins[class];
		int32_t count = (int32_t)bin_count(bin);
		int32_t limit = count > first_limit(class) ? count : first_limit(class);
		owner_set(bin->credit, limit - count);
		owner_set(bin->limit, limit);
		slots_fit(heap, class, limit);
		int64_t raised = (int64_t)(limit - first_limit(class)) * size_classes[class].size;
		bytes += raised;
		large += is_small(class) ? 0 : raised;
	}
	count_limits(heap, bytes - (int64_t)heap->limit_bytes, large - (int64_t)heap->large_limit_bytes);
}

void limits_count_only(const struct heap *heap)
{
	atomic_store_explicit(&all_limits, heap != NULL ? (int64_t)heap->limit_bytes : 0, memory_order_relaxed);
	atomic_store_explicit(&large_limits, heap != NULL ? (int64_t)heap->large_limit_bytes : 0, memory_order_relaxed);
}

/* A refill raises a limit whatever all together may hold: with many threads, one large block in each bin is a lot. */
void limit_lower(struct heap *heap, unsigned class)
{
	const struct bin *bin = &heap->bins[class];
	int32_t spare = bin->limit - first_limit(class);
	if (spare > bin->credit)
		spare = bin->credit;
	if (spare <= 0 || all_may_hold(class, 0))
		return;
	change(heap, class, -(spare / 2 + 1));
}

/* Of large blocks a refill takes what a pool has, or it would come for each. */
unsigned limit_room(const struct heap *heap, unsigned class)
{
	const struct bin *bin = &heap->bins[class];
	int32_t least = class > OBJECT_CLASSES ? slots_near(class) : 1;
	int32_t room = least - (int32_t)bin_count(bin);
	return (unsigned)(room > bin->credit ? room : bin->credit);
}

void limit_filled(struct heap *heap, unsigned class, unsigned count)
{
	struct bin *bin = &heap->bins[class];
	bin_filled(bin, count);
	if (bin->credit < 0)
		change(heap, class, -bin->credit);
}

/* Not for less than a quarter more. */
static bool double_up_to(struct heap *heap, unsigned class, size_t most_bytes)
{
	int32_t limit = heap->bins[class].limit;
	int32_t most = (int32_t)(most_bytes / size_classes[class].size);
	int32_t wanted = limit > 0 ? 2 * limit : 1;
	int32_t by = (wanted < most ? wanted : most) - limit;
	int64_t bytes = (int64_t)by * size_classes[class].size;
	if (by <= limit / 4 || heap->limit_bytes + (uint64_t)bytes > options()->cache_bytes || !all_may_hold(class, bytes))
		return false;
	return change(heap, class, by);
}

/* What could not grow before is not tried again until its blocks were wanted back. */
bool limit_overflow(struct heap *heap, unsigned class)
{
	if (!class_set_has(&heap->overflowed, class) && double_up_to(heap, class, few_bytes(class)))
		return true;
	class_set_add(&heap->overflowed, class);
	return false;
}

/* Up to a page's worth also for who only takes. */
void limit_refill(struct heap *heap, unsigned class)
{
	size_t page_worth = PAGE_SIZE / size_classes[class].size;
	if (class_set_remove(&heap->overflowed, class))
		double_up_to(heap, class, bin_bytes(class));
	else if ((size_t)heap->bins[class].limit < page_worth)
		double_up_to(heap, class, PAGE_SIZE);
}

void limit_halve(struct heap *heap, unsigned class)
{
	int32_t spare = heap->bins[class].limit - (int32_t)(few_bytes(class) / size_classes[class].size);
	spare = spare / 2 < heap->bins[class].credit ? spare / 2 : heap->bins[class].credit;
	if (spare > 0)
		change(heap, class, -spare);
}
