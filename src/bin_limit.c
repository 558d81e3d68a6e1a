/* SPDX-License-Identifier: MIT */
#include "bin_limit.h"

#include "arena_count.h"
#include "bin.h"
#include "bin_slots.h"
#include "cgroup.h"
#include "options.h"
#include "pressure.h"

#include <stdlib.h>

/* Blocks of which many come for few bytes. */
#define SMALL_BELOW (2 * CACHE_LINE)

static bool is_small(unsigned class)
{
	return size_classes[class].size < SMALL_BELOW;
}

/* Most bytes in one bin. */
#define BIN_BYTES_MOST ((size_t)4 << 20)
_Static_assert(2 * CLASS_COUNT * BIN_BYTES_MOST < INT32_MAX, "struct limit_sum has room for all bins");

static size_t bin_bytes(unsigned class)
{
	return size_min(BIN_BYTES_MOST, (size_t)SLOTS_MOST * size_classes[class].size);
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

/* Sums over the heaps, of each what it flushed: what all bins together may hold above a page's worth each, and what those of blocks that
 * are not small may. Changed by whoever holds a heap, and set by the child of a fork. Relaxed: they order nothing. */
static _Atomic int64_t all_limits STRATA_ALIGNED(CACHE_LINE);
static _Atomic int64_t large_limits;

/* When all may hold too much, every refill of every thread lowers a limit and raises it: flushed each time, all would wait for one line.
 * What the heaps owe is an eighth of the setting at most, all together. */
#define OWED_MOST ((size_t)64 << 10)

static int32_t owed(const struct limit_sum *sum)
{
	return sum->bytes - sum->flushed;
}

static bool is_much(const struct limit_sum *sum)
{
	size_t bytes = (size_t)abs(owed(sum));
	return bytes > OWED_MOST || bytes * 8 * heap_count() > options()->cache_all_bytes;
}

static void flush(struct limit_sum *sum, _Atomic int64_t *all)
{
	atomic_fetch_add_explicit(all, owed(sum), memory_order_relaxed);
	sum->flushed = sum->bytes;
}

static void add_limit(struct heap *heap, unsigned class, int32_t bytes)
{
	heap->limits.bytes += bytes;
	if (!is_small(class))
		heap->large_limits.bytes += bytes;
	if (class <= OBJECT_CLASSES)
		heap->object_limits += bytes;
}

static void tell_if_much(struct heap *heap)
{
	if (is_much(&heap->limits))
		flush(&heap->limits, &all_limits);
	if (is_much(&heap->large_limits))
		flush(&heap->large_limits, &large_limits);
}

/* By less than nothing it always succeeds. */
static bool change(struct heap *heap, unsigned class, int32_t by)
{
	struct bin *bin = &heap->bins[class];
	if (!slots_fit(heap, class, bin->limit + by) && by > 0)
		return false;
	owner_add(bin->limit, by);
	owner_add(bin->credit, by);
	add_limit(heap, class, by * (int32_t)size_classes[class].size);
	tell_if_much(heap);
	return true;
}

void bin_limits_reset(struct heap *heap)
{
	for (unsigned class = 1; class < CLASS_COUNT; class++) {
		slots_reset(heap, class);
		owner_set(heap->bins[class].limit, first_limit(class));
		owner_set(heap->bins[class].credit, first_limit(class));
	}
	bin_limits_forget(heap);
	heap->overflowed = (struct class_set){ 0 };
}

/* In a small container on a large machine its memory counts, not its processors. */
static size_t by_processors(void)
{
	return size_min(options()->cache_cpu_bytes * cgroup_processors(), pressure_limit() / 16);
}

/* Of what is in use, that of all and that of each heap, its bins may have as much whatever the settings say. */
#define PART_OF_USE 8

static bool may_be(int64_t bytes)
{
	return bytes <= (int64_t)options()->cache_all_bytes || bytes <= (int64_t)by_processors() ||
	       bytes <= (int64_t)(arena_count().used_pages * PAGE_SIZE / PART_OF_USE);
}

/* All threads' caches may take the setting, or so much for each processor, or an eighth of what is in use, which is a sum and asked for
 * only where it matters. Small blocks may make it twice as much, since a few large ones in the bins of each thread leave them no room
 * otherwise; and half of it the others have to themselves. */
static bool all_may_hold(const struct heap *heap, unsigned class, int64_t more)
{
	int64_t all = atomic_load_explicit(&all_limits, memory_order_relaxed) + owed(&heap->limits) + more;
	int64_t large = atomic_load_explicit(&large_limits, memory_order_relaxed) + owed(&heap->large_limits) + more;
	if (is_small(class))
		return may_be(all / 2);
	return may_be(all < 2 * large ? all : 2 * large);
}

static void drop_limits(struct heap *heap)
{
	heap->limits.bytes = 0;
	heap->large_limits.bytes = 0;
	heap->object_limits = 0;
}

void bin_limits_forget(struct heap *heap)
{
	drop_limits(heap);
	flush(&heap->limits, &all_limits);
	flush(&heap->large_limits, &large_limits);
}

void bin_limits_renew(struct heap *heap)
{
	drop_limits(heap);
	for (unsigned class = 1; class < CLASS_COUNT; class++) {
		struct bin *bin = &heap->bins[class];
		int32_t count = (int32_t)bin_count(bin);
		int32_t limit = count > first_limit(class) ? count : first_limit(class);
		owner_set(bin->credit, limit - count);
		owner_set(bin->limit, limit);
		slots_fit(heap, class, limit);
		add_limit(heap, class, (limit - first_limit(class)) * (int32_t)size_classes[class].size);
	}
	tell_if_much(heap);
}

void bin_limits_count_only(const struct heap *heap)
{
	atomic_store_explicit(&all_limits, heap != NULL ? heap->limits.flushed : 0, memory_order_relaxed);
	atomic_store_explicit(&large_limits, heap != NULL ? heap->large_limits.flushed : 0, memory_order_relaxed);
}

/* By how much a bin's limit can be lowered without bringing a block home. */
static int32_t spare_of(const struct heap *heap, unsigned class)
{
	const struct bin *bin = &heap->bins[class];
	int32_t spare = bin->limit - first_limit(class);
	return spare < bin->credit ? spare : bin->credit;
}

/* A refill raises a limit whatever all together may hold: with many threads, one large block in each bin is a lot. Not before that is a
 * quarter of the setting too much: where every limit that is raised soon has others lowered, none is where it is wanted. */
void bin_limit_lower(struct heap *heap, unsigned class)
{
	int32_t spare = spare_of(heap, class);
	if (spare <= 0 || all_may_hold(heap, class, -(int64_t)(options()->cache_all_bytes / 4)))
		return;
	change(heap, class, -(spare / 2 + 1));
}

/* Of large blocks a refill takes what a pool has, or it would come for each. */
unsigned bin_limit_headroom(const struct heap *heap, unsigned class)
{
	const struct bin *bin = &heap->bins[class];
	int32_t least = class > OBJECT_CLASSES ? slots_near(class) : 1;
	int32_t room = least - (int32_t)bin_count(bin);
	return (unsigned)(room > bin->credit ? room : bin->credit);
}

void bin_limit_filled(struct heap *heap, unsigned class, unsigned count)
{
	struct bin *bin = &heap->bins[class];
	bin_filled(bin, count);
	if (bin->credit < 0)
		change(heap, class, -bin->credit);
}

/* Objects have a quarter: thousands that wait in the order in which they were freed are scattered over memory for whoever takes them next,
 * and what comes home from a pool comes in the order of addresses. */
static bool objects_may_hold(const struct heap *heap, int64_t more)
{
	return heap->object_limits + more <= (int64_t)options()->cache_bytes / 4;
}

static int64_t one_most(const struct heap *heap)
{
	return (int64_t)size_max(options()->cache_bytes, (size_t)heap->pool_pages * PAGE_SIZE / PART_OF_USE);
}

static bool one_may_hold(const struct heap *heap, int64_t more)
{
	return heap->limits.bytes + more <= one_most(heap);
}

/* Not for less than an eighth too much: limits would be raised and lowered by turns. */
unsigned bin_limit_largest_if_fallen(const struct heap *heap)
{
	int64_t most = one_most(heap);
	unsigned largest = 0;
	int64_t bytes = 0;
	if (likely(heap->limits.bytes <= most + most / 8))
		return 0;
	for (unsigned class = 1; class < CLASS_COUNT; class++) {
		int64_t here = (int64_t)(heap->bins[class].limit - first_limit(class)) * size_classes[class].size;
		if (here > bytes) {
			largest = class;
			bytes = here;
		}
	}
	return largest;
}

void bin_limit_give_up_spare(struct heap *heap, unsigned class)
{
	int32_t spare = spare_of(heap, class);
	if (spare > 0)
		change(heap, class, -spare);
}

/* Not for less than a quarter more. */
static bool double_up_to(struct heap *heap, unsigned class, size_t most_bytes)
{
	int32_t limit = heap->bins[class].limit;
	int32_t most = (int32_t)(most_bytes / size_classes[class].size);
	int32_t wanted = limit > 0 ? 2 * limit : 1;
	int32_t by = (wanted < most ? wanted : most) - limit;
	int64_t bytes = (int64_t)by * size_classes[class].size;
	if (by <= limit / 4 || !one_may_hold(heap, bytes) || !all_may_hold(heap, class, bytes) ||
	    (class <= OBJECT_CLASSES && !objects_may_hold(heap, bytes)))
		return false;
	return change(heap, class, by);
}

/* What could not grow before is not tried again until its blocks were wanted back. */
bool bin_limit_overflow(struct heap *heap, unsigned class)
{
	if (!class_set_has(&heap->overflowed, class) && double_up_to(heap, class, few_bytes(class)))
		return true;
	class_set_add(&heap->overflowed, class);
	return false;
}

/* Up to a page's worth also for whoever only takes: not the first time, since a thread that wants one block needs no page of slots. */
void bin_limit_refill(struct heap *heap, unsigned class)
{
	size_t page_worth = PAGE_SIZE / size_classes[class].size;
	if (class_set_remove(&heap->overflowed, class))
		double_up_to(heap, class, bin_bytes(class));
	else if ((size_t)heap->bins[class].limit < page_worth && class_set_has(&heap->used_bins, class))
		double_up_to(heap, class, PAGE_SIZE);
}

bool bin_limit_may_close(unsigned class)
{
	return first_limit(class) > 0;
}

bool bin_limit_is_closed(const struct heap *heap, unsigned class)
{
	return unlikely(heap->bins[class].limit == 0) && bin_limit_may_close(class);
}

void bin_limit_close(struct heap *heap, unsigned class)
{
	change(heap, class, -heap->bins[class].limit);
}

/* Its slots near the heap are there in any case. */
void bin_limit_open(struct heap *heap, unsigned class)
{
	change(heap, class, first_limit(class));
}

void bin_limit_halve(struct heap *heap, unsigned class)
{
	int32_t spare = heap->bins[class].limit - (int32_t)(few_bytes(class) / size_classes[class].size);
	spare = spare / 2 < heap->bins[class].credit ? spare / 2 : heap->bins[class].credit;
	if (spare > 0)
		change(heap, class, -spare);
}
