/* SPDX-License-Identifier: MIT */
#include "remote.h"

#include "bin.h"
#include "carrier.h"
#include "decay.h"
#include "os.h"
#include "pressure.h"

/* A batch is handed over when it holds this much. */
#define BATCH_BLOCKS CARRIER_MOST
#define BATCH_BYTES (64u << 10)

/* outgoing.filled = blocks | room in the newest carrier << ROOM_SHIFT | bytes << BYTES_SHIFT */
#define ROOM_SHIFT 7
#define BYTES_SHIFT 13
_Static_assert(BATCH_BLOCKS < 1 << ROOM_SHIFT && BATCH_BLOCKS <= 1 << (BYTES_SHIFT - ROOM_SHIFT), "filled is one word");
_Static_assert(BATCH_BYTES + MEDIUM_MAX < UINT32_C(1) << (32 - BYTES_SHIFT), "filled is one word");

static uint32_t blocks_of(uint32_t filled)
{
	return filled & ((1u << ROOM_SHIFT) - 1);
}

static uint32_t room_of(uint32_t filled)
{
	return filled >> ROOM_SHIFT & ((1u << (BYTES_SHIFT - ROOM_SHIFT)) - 1);
}

static uint32_t bytes_of(uint32_t filled)
{
	return filled >> BYTES_SHIFT;
}

/* An inbox this long is a sign that its owner sleeps: at twice as much, if the owner has not been seen on its slow path in between,
 * and for AWAY_MS, whoever handed over drains it. One with much memory is given more: few large blocks come to as much while it is
 * just at work, and to find its heap busy costs it that (thread_switch_heap). Not so of many small ones: whoever takes them home does
 * it in one call. */
#define INBOX_LONG ((uint64_t)256 << 10)
#define INBOX_MOST ((uint64_t)8 << 20)
#define INBOX_PART 16u
#define INBOX_BLOCKS 16384u

/* One that waits for a processor is not asleep: it takes in what waits faster than whoever frees, and puts it in its bins. But at so many
 * times an inbox that is long nobody waits for that. */
#define AWAY_MS 16u
#define WAITING_MOST 8u

static uint64_t long_inbox(const struct heap *owner, uint64_t blocks)
{
	uint64_t part = (uint64_t)others_read(owner->pool_pages) * PAGE_SIZE / INBOX_PART;
	if (blocks >= INBOX_BLOCKS)
		return INBOX_LONG;
	return size_max(pressure_shrink(size_min(part, INBOX_MOST)), INBOX_LONG);
}

static void push_carriers(struct heap *owner, uintptr_t *first, uintptr_t *last, uintptr_t carried_by_last)
{
	void *top = atomic_load_explicit(&owner->inbox, memory_order_relaxed);
	do {
		*last = (uintptr_t)top | carried_by_last << CARRIED_SHIFT;
	} while (!atomic_compare_exchange_weak(&owner->inbox, &top, first));
}

STRATA_TLS uint32_t remote_sleeper;

static bool owner_sleeps(struct heap *owner, uint64_t pending, uint64_t blocks)
{
	uint32_t calls = others_read(owner->slow_calls);
	/* Acquire; partner: the release below: who finds the calls finds when they were seen, or later. */
	uint32_t seen = atomic_load_explicit(&owner->seen_calls, memory_order_acquire);
	uint64_t much = long_inbox(owner, blocks);
	if (pending < much)
		return false;
	uint32_t now = (uint32_t)os_clock_ms();
	if (seen == calls)
		return pending >= 2 * much &&
		       (pending >= WAITING_MOST * much ||
			is_older(now, atomic_load_explicit(&owner->seen_at, memory_order_relaxed), AWAY_MS));
	atomic_store_explicit(&owner->seen_at, now, memory_order_relaxed);
	atomic_store_explicit(&owner->seen_calls, calls, memory_order_release);
	return false;
}

/* The state is read after the push, and a dying owner looks at its inbox after it has said that it is dead
 * (heap_release), both sequentially consistent: one of the two sees the other. */
static void hand_over(struct heap *owner, const struct outgoing *batch)
{
	uint32_t room = room_of(batch->filled);
	uintptr_t carried_by_last = room_of_carrier(batch->last);
	uint64_t bytes = bytes_of(batch->filled);
	uint64_t pending = atomic_fetch_add(&owner->inbox_bytes, bytes) + bytes;
	uint64_t blocks = atomic_fetch_add(&owner->inbox_blocks, blocks_of(batch->filled)) + blocks_of(batch->filled);
	/* The newest carrier's word says what it could carry; what of that it does not is taken off (carrier.h). */
	if (batch->first == batch->last)
		carried_by_last -= room;
	else
		*batch->first -= (uintptr_t)room << CARRIED_SHIFT;
	push_carriers(owner, batch->first, batch->last, carried_by_last);
	uint32_t state = atomic_load(&owner->state);
	if (unlikely(state == HEAP_DEAD)) {
		remote_drain_for(owner);
	} else if (unlikely(pending >= INBOX_LONG) && state == HEAP_LIVE && owner_sleeps(owner, pending, blocks)) {
		remote_sleeper = owner->number;
		remote_drain_for(owner);
	} else if (unlikely(remote_sleeper == owner->number) &&
		   others_read(owner->slow_calls) != atomic_load_explicit(&owner->seen_calls, memory_order_relaxed)) {
		remote_sleeper = 0;
	}
}

static void hand_over_batch(struct outgoing *batch)
{
	struct outgoing handed = *batch;
	owner_set(batch->filled, 0);
	hand_over(heap_at(handed.owner), &handed);
}

static uint32_t with_another(uint32_t filled, uint32_t size)
{
	return filled + 1 + (size << BYTES_SHIFT);
}

static bool is_full(uint32_t filled)
{
	return blocks_of(filled) >= BATCH_BLOCKS || bytes_of(filled) >= BATCH_BYTES;
}

/* Whether the batch is full. */
static bool add_to_batch(struct outgoing *batch, uintptr_t *block, uint32_t size)
{
	uint32_t filled = batch->filled;
	uint32_t room = room_of(filled);
	if (likely(room > 0)) {
		batch->first[room] = (uintptr_t)block;
		filled -= 1u << ROOM_SHIFT;
	} else {
		if (filled == 0) {
			batch->last = block;
		} else if (unlikely(batch->first == block)) {
			misuse_twice(block);
			return false;
		}
		room = room_of_carrier(block);
		*block = (filled != 0 ? (uintptr_t)batch->first : 0) | (uintptr_t)room << CARRIED_SHIFT;
		batch->first = block;
		filled += room << ROOM_SHIFT;
	}
	filled = with_another(filled, size);
	owner_set(batch->filled, filled);
	return is_full(filled);
}

/* Whether a batch was handed over. */
static bool send(struct heap *heap, void *block, page_tag tag)
{
	uint32_t owner = tag >> TAG_OWNER_SHIFT;
	uint32_t size = size_classes[(tag & TAG_CODE_MASK) / 2].size;
	struct outgoing *batch = &heap->outgoing[owner % OUTGOING_BATCHES];
	if (unlikely(batch->owner != owner)) {
		if (batch->filled != 0)
			hand_over_batch(batch);
		batch->owner = owner;
	}
	if (likely(!add_to_batch(batch, block, size)))
		return false;
	hand_over_batch(batch);
	return true;
}

/* Release: what was written to the batches before. Partner: the acquire in send_for (claim.c). */
static void done_sending(struct heap *heap)
{
	__atomic_store_n(&heap->sending, 0, __ATOMIC_RELEASE);
}

/* The batches of a sleeping owner are handed over by whoever claims its bins. That is kept apart from this as a lock is by Dekker's
 * rule: each says that it comes and then looks whether the other has said so; the claimer's membarrier orders both. */
void remote_free(struct heap *heap, void *block, page_tag tag)
{
	owner_set(heap->sending, 1);
	compiler_fence();
	if (unlikely(racy_read(heap->tag) == TAG_CLOSED)) {
		done_sending(heap);
		remote_free_directly(block, tag);
		return;
	}
	bool handed_over = send(heap, block, tag);
	done_sending(heap);
	if (unlikely(handed_over)) {
		owner_add(heap->slow_calls, 1);
		decay_tick();
	}
}

/* The batch is looked at twice: that of the empty heap, which has no owner, is not written to; and whoever claims the heap may have
 * emptied it before he saw sending. */
bool remote_free_carried(struct heap *heap, const void *block, page_tag tag)
{
	uint32_t owner = tag >> TAG_OWNER_SHIFT;
	unsigned class = (tag & TAG_CODE_MASK) / 2;
	struct outgoing *batch = &heap->outgoing[owner % OUTGOING_BATCHES];
	if (racy_read(batch->owner) != owner || room_of(racy_read(batch->filled)) == 0 || class > OBJECT_CLASSES)
		return false;
	owner_set(heap->sending, 1);
	compiler_fence();
	uint32_t filled = racy_read(batch->filled);
	uint32_t room = room_of(filled);
	uint32_t then = with_another(filled - (1u << ROOM_SHIFT), size_classes[class].size);
	bool fits = racy_read(heap->tag) != TAG_CLOSED && room > 0 && !is_full(then);
	if (likely(fits)) {
		batch->first[room] = (uintptr_t)block;
		owner_set(batch->filled, then);
	}
	done_sending(heap);
	return fits;
}

void remote_free_locked(struct heap *heap, void *block, page_tag tag)
{
	send(heap, block, tag);
}

void remote_free_directly(void *block, page_tag tag)
{
	uint32_t size = size_classes[(tag & TAG_CODE_MASK) / 2].size;
	struct outgoing batch = {
		.first = block,
		.last = block,
		.owner = tag >> TAG_OWNER_SHIFT,
		.filled = 1 | room_of_carrier(block) << ROOM_SHIFT | size << BYTES_SHIFT,
	};
	hand_over(heap_at(batch.owner), &batch);
}

void remote_flush(struct heap *heap)
{
	for (unsigned i = 0; i < OUTGOING_BATCHES; i++)
		if (heap->outgoing[i].filled != 0)
			hand_over_batch(&heap->outgoing[i]);
}

void remote_count_outgoing(const struct heap *heap, uint64_t *bytes, uint64_t *blocks)
{
	for (unsigned i = 0; i < OUTGOING_BATCHES; i++) {
		uint32_t filled = others_read(heap->outgoing[i].filled);
		*bytes += bytes_of(filled);
		*blocks += blocks_of(filled);
	}
}

bool remote_reject(void *block, page_tag tag)
{
	/* It was a block when it was freed, and all blocks of its page have come home since. */
	if (tag >> TAG_OWNER_SHIFT == 0) {
		misuse_twice(block);
		return false;
	}
	remote_free_directly(block, tag);
	return true;
}
