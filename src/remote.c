/* SPDX-License-Identifier: MIT */
#include "remote.h"

#include "bin.h"
#include "decay.h"
#include "heap.h"
#include "pool.h"
#include "retain.h"

/* A slot is handed over when it holds this much. */
#define BATCH_BLOCKS 64u
#define BATCH_BYTES (16u << 10)

/*
 * A batch travels in some of its own blocks, the carriers. A carrier's first word links to the next and says how many blocks
 * it carries: those stand in the words that follow. So most blocks are touched neither by who frees them nor, until they are
 * wanted, by the owner: what it would wait for, line after line out of another processor's cache, is but one link in as many
 * blocks as a carrier holds.
 *
 *   first word = next | carried << CARRIED_SHIFT; of the last carrier of a slot, while it is filled: all that it can carry, no next
 *   outgoing.filled = blocks | room in the last carrier << ROOM_SHIFT | bytes << BYTES_SHIFT
 *
 * Addresses end below 2^48: the kernels of both platforms give out higher ones only to who asks for them.
 */
#define CARRIED_SHIFT 48
#define NEXT_MASK (((uintptr_t)1 << CARRIED_SHIFT) - 1)
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

/* How many blocks a block of that size can carry, itself not counted. */
static uint32_t carrier_room(uint32_t size)
{
	return (uint32_t)size_min(size / sizeof(void *), BATCH_BLOCKS) - 1;
}

/* An inbox this long is a sign that its owner sleeps: at twice as much, if the owner has not been seen on its slow path in
 * between, whoever handed over drains it. */
#define INBOX_LONG ((uint64_t)256 << 10)

static void push_carriers(struct heap *owner, uintptr_t *first, uintptr_t *last)
{
	uintptr_t carried = *last;
	void *top = atomic_load_explicit(&owner->inbox, memory_order_relaxed);
	do {
		*last = carried | (uintptr_t)top;
	} while (!atomic_compare_exchange_weak(&owner->inbox, &top, first));
}

static bool owner_sleeps(struct heap *owner, uint64_t pending)
{
	uint32_t calls = others_read(owner->slow_calls);
	uint32_t seen = atomic_load_explicit(&owner->seen_calls, memory_order_relaxed);
	if (seen == calls)
		return pending >= 2 * INBOX_LONG;
	atomic_store_explicit(&owner->seen_calls, calls, memory_order_relaxed);
	return false;
}

/* The state is read after the push, and a dying owner looks at its inbox after it has said that it is dead
 * (heap_release), both sequentially consistent: one of the two sees the other. */
static void hand_over(struct heap *owner, uintptr_t *first, uintptr_t *last, uint32_t blocks, uint64_t bytes)
{
	uint64_t pending = atomic_fetch_add(&owner->inbox_bytes, bytes) + bytes;
	atomic_fetch_add(&owner->inbox_blocks, blocks);
	push_carriers(owner, first, last);
	uint32_t state = atomic_load(&owner->state);
	if (unlikely(state == HEAP_DEAD))
		remote_drain_for(owner);
	else if (unlikely(pending >= INBOX_LONG) && state == HEAP_LIVE && owner_sleeps(owner, pending))
		remote_drain_for(owner);
}

static void hand_over_slot(struct outgoing *slot)
{
	struct outgoing batch = *slot;
	owner_set(slot->filled, 0);
	*batch.last -= (uintptr_t)room_of(batch.filled) << CARRIED_SHIFT;
	hand_over(heap_at(batch.owner), batch.first, batch.last, blocks_of(batch.filled), bytes_of(batch.filled));
}

/* Whether the slot is full. */
static bool put_in_slot(struct outgoing *slot, uintptr_t *block, uint32_t size)
{
	uint32_t filled = slot->filled;
	uint32_t room = room_of(filled);
	if (likely(room > 0)) {
		slot->last[1 + (*slot->last >> CARRIED_SHIFT) - room] = (uintptr_t)block;
		filled -= 1u << ROOM_SHIFT;
	} else {
		if (filled == 0)
			slot->first = block;
		else
			*slot->last |= (uintptr_t)block;
		slot->last = block;
		room = carrier_room(size);
		*block = (uintptr_t)room << CARRIED_SHIFT;
		filled += room << ROOM_SHIFT;
	}
	filled += 1 + (size << BYTES_SHIFT);
	owner_set(slot->filled, filled);
	return blocks_of(filled) >= BATCH_BLOCKS || bytes_of(filled) >= BATCH_BYTES;
}

/* Whether a batch was handed over. */
static bool send(struct heap *heap, void *block, page_tag tag)
{
	uint32_t owner = tag >> TAG_OWNER_SHIFT;
	uint32_t size = size_classes[(tag & TAG_CODE_MASK) / 2].size;
	struct outgoing *slot = &heap->outgoing[owner % OUTGOING_SLOTS];
	if (unlikely(slot->owner != owner)) {
		if (slot->filled != 0)
			hand_over_slot(slot);
		slot->owner = owner;
	}
	if (likely(!put_in_slot(slot, block, size)))
		return false;
	hand_over_slot(slot);
	return true;
}

/* The slots of a sleeping owner are handed over by who claims its bins. That is kept apart from this as a lock is by Dekker's
 * rule: each says that it comes and then looks whether the other has said so; the claimer's membarrier orders both. */
void remote_free(struct heap *heap, void *block, page_tag tag)
{
	owner_set(heap->sending, 1);
	compiler_fence();
	if (unlikely(racy_read(heap->tag) == TAG_CLOSED)) {
		owner_publish(heap->sending, 0);
		remote_free_directly(block, tag);
		return;
	}
	bool handed_over = send(heap, block, tag);
	compiler_fence();
	owner_publish(heap->sending, 0);
	if (unlikely(handed_over)) {
		owner_add(heap->slow_calls, 1);
		decay_tick();
	}
}

void remote_free_directly(void *block, page_tag tag)
{
	*(uintptr_t *)block = 0;
	hand_over(heap_at(tag >> TAG_OWNER_SHIFT), block, block, 1, size_classes[(tag & TAG_CODE_MASK) / 2].size);
}

void remote_flush(struct heap *heap)
{
	for (unsigned i = 0; i < OUTGOING_SLOTS; i++)
		if (heap->outgoing[i].filled != 0)
			hand_over_slot(&heap->outgoing[i]);
}

void remote_count_outgoing(const struct heap *heap, uint64_t *bytes, uint64_t *blocks)
{
	for (unsigned i = 0; i < OUTGOING_SLOTS; i++) {
		uint32_t filled = others_read(heap->outgoing[i].filled);
		*bytes += bytes_of(filled);
		*blocks += blocks_of(filled);
	}
}

bool remote_reject(void *block, page_tag tag)
{
	if (tag >> TAG_OWNER_SHIFT == 0) {
		misuse("free", block, "page not in use (freed twice, or never a block)");
		return false;
	}
	remote_free_directly(block, tag);
	return true;
}

/* 0 for what is no block of a pool: pool_home's callers then say so. */
static unsigned class_of_block(const void *block)
{
	page_tag code = atomic_load_explicit(&region_tags[page_of(block)], memory_order_relaxed) & TAG_CODE_MASK;
	return code < 2 * CLASS_COUNT ? code / 2 : 0;
}

/* How many it carries. Not more than it can: what it says may have been overwritten. */
static uint32_t carried_by(uintptr_t *carrier)
{
	uint32_t size = size_classes[class_of_block(carrier)].size;
	uint32_t carried = (uint32_t)(*carrier >> CARRIED_SHIFT);
	return size != 0 && carried <= carrier_room(size) ? carried : 0;
}

static uintptr_t *next_carrier(uintptr_t *carrier)
{
	return remote_link(carrier, (void *)(*carrier & NEXT_MASK));
}

/* What was handed over and not yet taken: counted before it was pushed. A block that was freed twice can make the list a ring;
 * it is followed no further than that. */
struct arrived {
	uint64_t most;
	uint64_t blocks;
	uint64_t bytes;
};

static unsigned count_arrived(struct arrived *arrived, const void *block)
{
	unsigned class = class_of_block(block);
	arrived->blocks++;
	arrived->bytes += size_classes[class].size;
	return class;
}

static bool take_in(struct heap *heap, struct arrived *arrived, void *block, bool into_bins)
{
	unsigned class = count_arrived(arrived, block);
	struct bin *bin = &heap->bins[class];
	if (into_bins && bin->credit > 0) {
		bin_put_locked(bin, block);
		return true;
	}
	return heap_take_home(heap, block);
}

/* False when something was wrong. A carrier's own block is the last that is taken: until then nobody else writes to it. */
static bool take_in_carried(struct heap *heap, struct arrived *arrived, uintptr_t *carrier, bool into_bins)
{
	uint32_t carried = carried_by(carrier);
	for (uint32_t i = 1; i <= carried; i++)
		__builtin_prefetch((void *)carrier[i], 1);
	for (uint32_t i = 1; i <= carried && arrived->blocks < arrived->most; i++) {
		void *block = remote_link(carrier, (void *)carrier[i]);
		if (block == NULL || !take_in(heap, arrived, block, into_bins))
			return false;
	}
	return take_in(heap, arrived, carrier, into_bins);
}

void remote_drain(struct heap *heap, bool into_bins)
{
	if (atomic_load_explicit(&heap->inbox, memory_order_relaxed) == NULL)
		return;
	uintptr_t *carrier = atomic_exchange(&heap->inbox, NULL);
	struct arrived arrived = { .most = atomic_load(&heap->inbox_blocks) };
	while (carrier != NULL && arrived.blocks < arrived.most) {
		uintptr_t *next = next_carrier(carrier);
		__builtin_prefetch(next);
		carrier = take_in_carried(heap, &arrived, carrier, into_bins) ? next : NULL;
	}
	atomic_fetch_sub_explicit(&heap->inbox_bytes, arrived.bytes, memory_order_relaxed);
	atomic_fetch_sub_explicit(&heap->inbox_blocks, arrived.blocks, memory_order_relaxed);
}

void remote_recount(struct heap *heap)
{
	struct arrived arrived = { .most = atomic_load(&heap->inbox_blocks) };
	uintptr_t *carrier = atomic_load(&heap->inbox);
	for (; carrier != NULL && arrived.blocks < arrived.most; carrier = next_carrier(carrier)) {
		uint32_t carried = carried_by(carrier);
		for (uint32_t i = 1; i <= carried; i++)
			if (remote_link(carrier, (void *)carrier[i]) != NULL)
				count_arrived(&arrived, (void *)carrier[i]);
		count_arrived(&arrived, carrier);
	}
	atomic_store(&heap->inbox_bytes, arrived.bytes);
	atomic_store(&heap->inbox_blocks, arrived.blocks);
}

/* The fences: of who has handed over to the heap, or left it, before it looks at busy; and after busy was let go of, before
 * it looks at what waits. Partners: each other, and that in heap_look_after_dead. */
void remote_drain_for(struct heap *heap)
{
	do {
		atomic_thread_fence(memory_order_seq_cst);
		if (!heap_try_lock_other(heap))
			return;
		bool dead = atomic_load(&heap->state) == HEAP_DEAD;
		if (dead)
			heap_settle_dead(heap);
		remote_drain(heap, false);
		if (dead)
			pool_settle(heap, true);
		pool_check_heap(heap);
		heap_unlock(heap);
		atomic_thread_fence(memory_order_seq_cst);
	} while (heap_dead_waits(heap));
	retain_bound();
}
