/* SPDX-License-Identifier: MIT */
/* Filling and emptying a heap's bins. */
#include "heap.h"

#include "arena_count.h"
#include "bin.h"
#include "bin_decline.h"
#include "bin_limit.h"
#include "bin_slots.h"
#include "check.h"
#include "decay.h"
#include "options.h"
#include "pool.h"
#include "pool_purge.h"
#include "pressure.h"
#include "remote.h"
#include "walk.h"

#include <errno.h>

unsigned heap_take_pool(struct heap *heap, unsigned class)
{
	struct bin *bin = &heap->bins[class];
	if (bin_limit_is_closed(heap, class))
		bin_limit_open(heap, class);
	unsigned count = pool_take(heap, class, bin->top + 1, 1, bin_limit_headroom(heap, class));
	if (count > 0)
		bin_limit_filled(heap, class, count);
	return count;
}

/* How many blocks to have at hand after a refill: more where the bin has been met full, at most so many. */
#define REFILL_MOST 32u

/* At least so many where there is memory: from pools that have blocks, then from those of the dead as long as they give some, then
 * from new ones. */
static unsigned take(struct heap *heap, unsigned class, unsigned least)
{
	void **slots = heap->bins[class].top + 1;
	unsigned room = bin_limit_headroom(heap, class);
	unsigned count = 0;
	unsigned taken;
	bool asked = false;
	do {
		taken = pool_take(heap, class, slots + count, least - count, room - count);
		if (taken == 0 && !asked) {
			if (heap_adopt(heap, class) > 0)
				taken = pool_take(heap, class, slots + count, least - count, room - count);
			asked = taken == 0;
		}
		if (taken == 0)
			taken = pool_make(heap, class, slots + count, least - count, room - count);
		count += taken;
	} while (taken > 0 && count < least);
	return count;
}

/* What others freed comes first, then blocks at home, then pools of the dead, then new pages. */
static int fill(struct heap *heap, unsigned class)
{
	struct bin *bin = &heap->bins[class];
	remote_drain(heap, true);
	if (bin_newest(bin) != NULL)
		return 0;
	bin_limit_refill(heap, class);
	unsigned count = take(heap, class, (unsigned)size_max(size_min((size_t)bin->limit / 2, REFILL_MOST), 1));
	if (count == 0)
		return -ENOMEM;
	bin_limit_filled(heap, class, count);
	return 0;
}

/* By its owner, who may use its outgoing batches. */
static bool send_home(struct heap *heap, void *block)
{
	page_tag tag = atomic_load_explicit(&region_tags[page_of(block)], memory_order_relaxed);
	if ((tag ^ heap_tag(heap)) <= TAG_CODE_MASK || tag >> TAG_OWNER_SHIFT == 0)
		return heap_take_home(heap, block);
	remote_free_locked(heap, block, tag);
	return true;
}

#define HOME_BATCH 64u /* blocks */

/* One that is not simply home is another's, or a fault. The records of the pools are fetched first, so that what follows for one block
 * need not wait for the one before. */
static void bring_home(struct heap *heap, unsigned class, void *const *blocks, unsigned count,
		       bool (*not_simply_home)(struct heap *, void *))
{
	for (unsigned i = 0; i < count; i++)
		__builtin_prefetch(&region.pools[page_of(blocks[i])], 1);
	for (unsigned done = 0; done < count; done++) {
		done += pool_home_many(heap, class, blocks + done, count - done);
		if (done < count)
			not_simply_home(heap, blocks[done]);
	}
}

/* The newest blocks of a bin, as many as it has at most. */
static void take_newest_home(struct heap *heap, unsigned class, unsigned count, bool (*not_simply_home)(struct heap *, void *))
{
	struct bin *bin = &heap->bins[class];
	while (count > 0) {
		unsigned some = (unsigned)size_min(count, HOME_BATCH);
		bring_home(heap, class, bin_drop_newest(bin, some), some, not_simply_home);
		count -= some;
	}
}

/* A thread that was ended in the middle of a call (pthread_exit in a signal handler) leaves a bin that has one block less than it says;
 * that one is lost, and no others. */
void heap_take_all_home(struct heap *heap, unsigned class)
{
	const struct bin *bin = &heap->bins[class];
	size_t slots = (size_t)(bin->top - slots_bottom(heap, class));
	take_newest_home(heap, class, (unsigned)size_min(bin_count(bin), slots), heap_take_home);
}

void heap_take_claimed_home(struct heap *heap, unsigned class, void *const *blocks, unsigned count)
{
	bring_home(heap, class, blocks, count, heap_take_home);
}

/* Fewer bytes than the same call can give back (retain.c). */
#define FLUSH_BYTES ((size_t)384 << 10)

static unsigned flush_count(const struct heap *heap, unsigned class)
{
	const struct bin *bin = &heap->bins[class];
	unsigned want = (unsigned)size_min((size_t)bin->limit / 2 + 1, HOME_BATCH);
	want = (unsigned)size_min(want, FLUSH_BYTES / size_classes[class].size + 1);
	return (unsigned)size_min(want, bin_count(bin));
}

static size_t flush_newest(struct heap *heap, unsigned class)
{
	unsigned count = flush_count(heap, class);
	take_newest_home(heap, class, count, send_home);
	return count * size_classes[class].size;
}

/* Bins that were neither filled nor overflowed for a whole round go home, a part with each tick. A bin that is in use, but
 * large enough, is among them: it pays a refill or two for each round. */
#define IDLE_BYTES ((size_t)256 << 10)

static void empty_idle_bins(struct heap *heap)
{
	for (size_t bytes = 0; heap->idle_class < CLASS_COUNT && bytes < IDLE_BYTES;) {
		unsigned class = heap->idle_class;
		size_t gone = class_set_has(&heap->used_bins, class) ? 0 : flush_newest(heap, class);
		bytes += gone;
		if (gone > 0 && bin_count(&heap->bins[class]) > 0)
			continue;
		if (gone > 0)
			bin_limit_halve(heap, class);
		class_set_remove(&heap->used_bins, class);
		heap->idle_class++;
	}
}

void heap_tick(struct heap *heap)
{
	size_t left = decay_tick();
	if (left > 0 && heap_try_lock_own(heap)) {
		arena_flush_account(&heap->account, 0);
		uint32_t since = heap->purge_since;
		pool_purge_idle(heap, (uint32_t)pressure_shrink(options()->decay_ms), left);
		if (heap->purge_since != since)
			heap->idle_class = 1; /* a round of both begins */
		empty_idle_bins(heap);
		heap_unlock(heap);
	}
}

/* What a large heap's bins may hold goes with the heap: of the largest of them a part with each slow call. */
static void fall_with_heap(struct heap *heap)
{
	unsigned class = bin_limit_largest_if_fallen(heap);
	if (likely(class == 0))
		return;
	flush_newest(heap, class);
	bin_limit_give_up_spare(heap, class);
}

/* Looking at the clock costs as much as a small refill: not each time; but a process that allocates little must come to it
 * often enough for what it freed before to go back. */
static bool tick_sometimes(struct heap *heap)
{
	if (heap->slow_calls % 4 != 0)
		return false;
	heap_tick(heap);
	return true;
}

static int take_block(struct heap *heap, unsigned class, void **block)
{
	struct bin *bin = &heap->bins[class];
	if (bin_limit_is_closed(heap, class)) {
		remote_drain(heap, true);
		*block = decline_take(heap, class);
		if (*block != NULL)
			return 0;
	}
	int result = bin_newest(bin) != NULL ? 0 : fill(heap, class);
	*block = result == 0 ? bin_pop(heap, bin) : NULL;
	return result;
}

int heap_allocate(struct heap *heap, unsigned class, void **block)
{
	owner_add(heap->slow_calls, 1);
	if (unlikely(!heap_try_lock_own(heap)))
		return -EBUSY;
	int result = take_block(heap, class, block);
	class_set_add(&heap->used_bins, class);
	bin_limit_lower(heap, class);
	fall_with_heap(heap);
	walk_bin(heap, class);
	pool_check_heap(heap);
	heap_unlock(heap);
	tick_sometimes(heap);
	return result;
}

/* The rest of a bin that is to be closed, if that is not too much for one call. */
static void close_bin(struct heap *heap, unsigned class)
{
	unsigned left = bin_count(&heap->bins[class]);
	if (left > 2 * HOME_BATCH || left * size_classes[class].size > FLUSH_BYTES) {
		bin_limit_give_up_spare(heap, class);
		return;
	}
	take_newest_home(heap, class, left, send_home);
	bin_limit_close(heap, class);
}

/* Of a bin that was met full before, and not empty since, the newest blocks when others had gone home are compared. */
static void make_room(struct heap *heap, unsigned class)
{
	bool again = class_set_has(&heap->overflowed, class);
	if (bin_limit_overflow(heap, class))
		return;
	unsigned newest = flush_count(heap, class);
	bool takes = again && decline_saw_takes(heap, class, newest);
	flush_newest(heap, class);
	if (decline_begins(heap, class, newest, takes))
		close_bin(heap, class);
}

static void put(struct heap *heap, unsigned class, void *block)
{
	struct bin *bin = &heap->bins[class];
	if (bin->credit == 0)
		make_room(heap, class);
	if (bin->credit > 0)
		bin_put_locked(bin, block);
	else
		heap_take_home(heap, block);
}

int heap_free(struct heap *heap, unsigned class, void *block)
{
	owner_add(heap->slow_calls, 1);
	if (unlikely(!heap_try_lock_own(heap)))
		return -EBUSY;
	class_set_add(&heap->used_bins, class);
	if (bin_limit_is_closed(heap, class)) {
		if (heap_take_home(heap, block))
			decline_came_home(heap, class, block);
	} else {
		put(heap, class, block);
	}
	fall_with_heap(heap);
	walk_bin(heap, class);
	pool_check_heap(heap);
	heap_unlock(heap);
	/* What a call brings home is less than what this gives back where there is too much: freeing a lot leaves no more. */
	if (!tick_sometimes(heap) && others_read(heap->returned)) {
		owner_set(heap->returned, false);
		decay_bound();
	}
	return 0;
}

bool heap_take_home(struct heap *heap, void *block)
{
	page_tag tag = atomic_load_explicit(&region_tags[page_of(block)], memory_order_relaxed);
	if (unlikely((tag ^ heap_tag(heap)) > TAG_CODE_MASK))
		return remote_reject(block, tag);
	enum homecoming result = pool_home(heap, block);
	if (likely(result == HOME_ACCEPTED))
		return true;
	if (result == HOME_TWICE)
		misuse_twice(block);
	else
		misuse("free", block, "inside a block, not its start");
	return false;
}
