/* SPDX-License-Identifier: MIT */
#include "reclaim.h"

#include "claim.h"
#include "heap.h"
#include "os.h"
#include "pool_purge.h"
#include "remote.h"

/* ---- Who sleeps ----------------------------------------------------------------------------------------------------- */

/* Changes whenever the owner allocates or frees, but for a pair that leaves all as it was. */
static uint64_t look_at(const struct heap *heap)
{
	uint64_t look = others_read(heap->slow_calls);
	for (unsigned i = 0; i < OUTGOING_BATCHES; i++)
		look = idle_mix(look, others_read(heap->outgoing[i].filled));
	for (unsigned class = 1; class < CLASS_COUNT; class++) {
		const struct bin *bin = &heap->bins[class];
		look = idle_mix(look, (uintptr_t)others_read(bin->top));
		look += (uint64_t)(uint32_t)others_read(bin->credit) << 32;
	}
	return look;
}

static bool look_again(struct heap *heap, uint32_t now, uint32_t idle_ms)
{
	return idle_for(&heap->look, look_at(heap), now, idle_ms);
}

static bool has_mail(struct heap *heap)
{
	return atomic_load_explicit(&heap->inbox, memory_order_relaxed) != NULL;
}

static bool sleeps(struct heap *heap, uint32_t now, uint32_t idle_ms)
{
	uint8_t claimed = others_read(heap->claimed);
	if (atomic_load_explicit(&heap->state, memory_order_relaxed) != HEAP_LIVE || claimed == CLAIM_BARRED)
		return false;
	if (claimed == CLAIM_ASLEEP)
		return has_mail(heap);
	return claimed == CLAIM_PARTLY || look_again(heap, now, idle_ms);
}

/* ---- Taken from them ------------------------------------------------------------------------------------------------ */

static bool is_asleep(const struct heap *heap)
{
	return atomic_load(&heap->state) == HEAP_LIVE && others_read(heap->claimed) == CLAIM_ASLEEP;
}

/* Dead for as long, and nobody wanted it. */
static bool is_left(struct heap *heap, uint32_t now, uint32_t idle_ms)
{
	return atomic_load_explicit(&heap->state, memory_order_relaxed) == HEAP_DEAD && !others_read(heap->slots_gone) &&
	       look_again(heap, now, idle_ms);
}

/* What a sleeper's pools do without. Once all were looked at, the heap costs a step of housekeeping two loads. */
static size_t purge_sleeper(struct heap *heap, size_t limit)
{
	size_t bytes = 0;
	if (!is_asleep(heap) || pool_purge_is_over(heap) || !heap_try_lock_other(heap))
		return 0;
	if (is_asleep(heap))
		bytes = pool_purge_rest(heap, limit);
	heap_unlock_other(heap);
	return bytes;
}

static void purge_sleepers(void)
{
	for (uint32_t number = heap_count(); number > 0; number--) {
		struct heap *heap = heap_at(number);
		if (!is_asleep(heap) || !heap_try_lock_other(heap))
			continue;
		if (is_asleep(heap))
			pool_purge_all(heap);
		heap_unlock_other(heap);
	}
}

/* CLAIM_HEAPS at most, from number first + 1 on, round the end. */
static size_t reclaim_some(uint32_t first, uint32_t scan, size_t budget, uint32_t idle_ms)
{
	struct claim_batch batch = { .budget = budget };
	struct heap *asleep[CLAIM_HEAPS];
	unsigned asleep_count = 0;
	uint32_t count = heap_count();
	uint32_t now = (uint32_t)os_clock_ms();
	size_t purged = 0;
	bool may_claim = claim_possible();
	for (uint32_t i = 0; i < scan; i++) {
		struct heap *heap = heap_at((first + i) % count + 1);
		bool is_idle = sleeps(heap, now, idle_ms);
		if (is_idle && may_claim)
			asleep[asleep_count++] = heap;
		else if (is_idle && has_mail(heap))
			remote_drain_for(heap);
		else if (is_left(heap, now, idle_ms))
			heap_purge_dead(heap);
		else if (purged < budget)
			purged += purge_sleeper(heap, budget - purged);
	}
	batch.budget -= size_min(purged, budget);
	/* Last: an owner that wakes while its heap is locked has to leave it. */
	while (asleep_count > 0)
		claim_add(&batch, asleep[--asleep_count]);
	if (batch.count > 0)
		claim(&batch);
	/* A dead heap whose release its owner could not finish, or that has been sent something since. */
	for (uint32_t i = 0; i < scan; i++)
		heap_look_after_dead(heap_at((first + i) % count + 1));
	return batch.taken + purged;
}

/* Where the next call goes on; relaxed, by all. */
static _Atomic uint32_t cursor;

size_t reclaim_idle(size_t budget, uint32_t idle_ms)
{
	uint32_t scan = (uint32_t)size_min(heap_count(), CLAIM_HEAPS);
	if (scan == 0)
		return 0;
	return reclaim_some(atomic_fetch_add_explicit(&cursor, scan, memory_order_relaxed), scan, budget, idle_ms);
}

size_t reclaim_all(void)
{
	uint32_t count = heap_count();
	uint32_t now = (uint32_t)os_clock_ms();
	size_t taken = 0;
	for (uint32_t number = count; number > 0; number--)
		look_again(heap_at(number), now, 0);
	for (uint32_t done = 0; done < count; done += CLAIM_HEAPS)
		taken += reclaim_some(done, (uint32_t)size_min(count - done, CLAIM_HEAPS), SIZE_MAX, 0);
	purge_sleepers();
	return taken;
}
