/* SPDX-License-Identifier: MIT */
#include "remote.h"

#include "bin.h"
#include "bin_limit.h"
#include "decay.h"
#include "heap.h"
#include "hunger.h"
#include "os.h"
#include "pool.h"
#include "retain.h"

/* A slot is handed over when it holds this much. */
#define BATCH_BLOCKS 64u
#define BATCH_BYTES (64u << 10)

/*
 * A batch travels in some of its own blocks, the carriers. A carrier's first word links to the next and says how many others it
 * carries: those are in its last words. So most blocks are touched neither by who frees them nor, until they are wanted, by the
 * owner. What he would wait for, line after line out of another processor's cache, is but one link in as many blocks as a
 * carrier holds.
 *
 *   first word = next | carried << CARRIED_SHIFT; of the newest carrier, until it is handed over, all that it can carry
 *   outgoing.filled = blocks | room in the newest carrier << ROOM_SHIFT | bytes << BYTES_SHIFT
 *
 * What a program writes into them after it freed them is found when they arrive: nothing that is read back out of them before
 * says where to write. Addresses end below 2^48: the kernels of both platforms give out higher ones only to who asks for them.
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

/* 0 for what is no block of a pool: pool_home's callers then say so. */
static unsigned class_of_block(const void *block)
{
	page_tag code = atomic_load_explicit(&region_tags[page_of(block)], memory_order_relaxed) & TAG_CODE_MASK;
	return code < 2 * CLASS_COUNT ? code / 2 : 0;
}

/* How many others a block can carry. A pointer into a block has less behind it; that it is none is said when it arrives. */
static uint32_t room_of_carrier(const void *block)
{
	const struct size_class *class = &size_classes[class_of_block(block)];
	if (class->size <= sizeof(void *) || !pool_is_start(block, class))
		return 0;
	return (uint32_t)size_min(class->size / sizeof(void *), BATCH_BLOCKS) - 1;
}

/* An inbox this long is a sign that its owner sleeps: at twice as much, if the owner has not been seen on its slow path in between,
 * and for AWAY_MS, whoever handed over drains it. One with much memory is given more: few large blocks come to as much while it is
 * just at work, and to find its heap busy costs it that (thread_switch_heap). Not so of many small ones: whoever takes them home does
 * it in one call. */
#define INBOX_LONG ((uint64_t)256 << 10)
#define INBOX_MOST ((uint64_t)8 << 20)
#define INBOX_PART 16u
#define INBOX_BLOCKS 16384u

/* One that waits for a processor is not asleep: it takes in what waits faster than who frees, and puts it in its bins. But at so many
 * times an inbox that is long nobody waits for that. */
#define AWAY_MS 16u
#define WAITING_MOST 8u

static uint64_t long_inbox(const struct heap *owner, uint64_t blocks)
{
	uint64_t part = (uint64_t)others_read(owner->pool_pages) * PAGE_SIZE / INBOX_PART;
	if (blocks >= INBOX_BLOCKS)
		return INBOX_LONG;
	return size_max(hunger_shrink(size_min(part, INBOX_MOST)), INBOX_LONG);
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
	uint32_t seen = atomic_load_explicit(&owner->seen_calls, memory_order_relaxed);
	uint64_t much = long_inbox(owner, blocks);
	if (pending < much)
		return false;
	uint32_t now = (uint32_t)os_clock_ms();
	if (seen == calls)
		return pending >= 2 * much &&
		       (pending >= WAITING_MOST * much || now - atomic_load_explicit(&owner->seen_at, memory_order_relaxed) >= AWAY_MS);
	atomic_store_explicit(&owner->seen_at, now, memory_order_relaxed);
	atomic_store_explicit(&owner->seen_calls, calls, memory_order_relaxed);
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

static void hand_over_slot(struct outgoing *slot)
{
	struct outgoing batch = *slot;
	owner_set(slot->filled, 0);
	hand_over(heap_at(batch.owner), &batch);
}

static uint32_t with_another(uint32_t filled, uint32_t size)
{
	return filled + 1 + (size << BYTES_SHIFT);
}

static bool is_full(uint32_t filled)
{
	return blocks_of(filled) >= BATCH_BLOCKS || bytes_of(filled) >= BATCH_BYTES;
}

/* Whether the slot is full. */
static bool put_in_slot(struct outgoing *slot, uintptr_t *block, uint32_t size)
{
	uint32_t filled = slot->filled;
	uint32_t room = room_of(filled);
	if (likely(room > 0)) {
		slot->first[room] = (uintptr_t)block;
		filled -= 1u << ROOM_SHIFT;
	} else {
		if (filled == 0) {
			slot->last = block;
		} else if (unlikely(slot->first == block)) {
			misuse_twice(block);
			return false;
		}
		room = room_of_carrier(block);
		*block = (filled != 0 ? (uintptr_t)slot->first : 0) | (uintptr_t)room << CARRIED_SHIFT;
		slot->first = block;
		filled += room << ROOM_SHIFT;
	}
	filled = with_another(filled, size);
	owner_set(slot->filled, filled);
	return is_full(filled);
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

/* Release: what was written to the slots before. Partner: the acquire in send_for (claim.c). */
static void done_sending(struct heap *heap)
{
	__atomic_store_n(&heap->sending, 0, __ATOMIC_RELEASE);
}

/* The slots of a sleeping owner are handed over by who claims its bins. That is kept apart from this as a lock is by Dekker's
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

/* The slot is looked at twice: that of the empty heap, which has no owner, is not written to; and whoever claims the heap may have
 * emptied it before he saw sending. */
bool remote_free_carried(struct heap *heap, const void *block, page_tag tag)
{
	uint32_t owner = tag >> TAG_OWNER_SHIFT;
	unsigned class = (tag & TAG_CODE_MASK) / 2;
	struct outgoing *slot = &heap->outgoing[owner % OUTGOING_SLOTS];
	if (racy_read(slot->owner) != owner || room_of(racy_read(slot->filled)) == 0 || class > OBJECT_CLASSES)
		return false;
	owner_set(heap->sending, 1);
	compiler_fence();
	uint32_t filled = racy_read(slot->filled);
	uint32_t room = room_of(filled);
	uint32_t then = with_another(filled - (1u << ROOM_SHIFT), size_classes[class].size);
	bool fits = racy_read(heap->tag) != TAG_CLOSED && room > 0 && !is_full(then);
	if (likely(fits)) {
		slot->first[room] = (uintptr_t)block;
		owner_set(slot->filled, then);
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
	/* It was a block when it was freed, and all blocks of its page have come home since. */
	if (tag >> TAG_OWNER_SHIFT == 0) {
		misuse_twice(block);
		return false;
	}
	remote_free_directly(block, tag);
	return true;
}

/*
 * What was handed over and not yet taken, block by block: those in a carrier, then the carrier itself, whose words nobody else
 * writes to until then. It was counted before it was pushed, and is followed no further: a block that was freed twice can make it a
 * ring.
 */
struct arrival {
	uintptr_t *carrier, *next;
	uint32_t at, end; /* words of the carrier yet to come; at == end: the carrier itself */
	uint64_t most;    /* blocks */
	uint64_t blocks, bytes;
	unsigned class;   /* of the block that came last */
};

STRATA_FAST void enter_carrier(struct arrival *arrival, uintptr_t *carrier)
{
	arrival->carrier = carrier;
	if (carrier == NULL)
		return;
	uint32_t room = room_of_carrier(carrier);
	uint32_t carried = (uint32_t)(*carrier >> CARRIED_SHIFT);
	uintptr_t link = *carrier & NEXT_MASK;
	arrival->next = remote_link(carrier, (void *)link);
	if (unlikely(carried > room)) {
		if ((uintptr_t)arrival->next == link)
			remote_corrupt(carrier);
		carried = 0;
	}
	arrival->at = 1 + room - carried;
	arrival->end = 1 + room;
	__builtin_prefetch(arrival->next);
	for (uint32_t i = arrival->at; i < arrival->end; i++)
		__builtin_prefetch((void *)carrier[i], 1);
}

/* NULL, and a message, if it was overwritten. */
static void *carried_block(uintptr_t *carrier, uint32_t i)
{
	if (unlikely(carrier[i] == 0))
		remote_corrupt(carrier);
	return remote_link(carrier, (void *)carrier[i]);
}

/* NULL: that was all. */
STRATA_FAST void *next_arrived(struct arrival *arrival)
{
	void *block = NULL;
	while (block == NULL && arrival->carrier != NULL && arrival->blocks < arrival->most) {
		if (arrival->at > arrival->end) {
			enter_carrier(arrival, arrival->next);
			continue;
		}
		block = arrival->at < arrival->end ? carried_block(arrival->carrier, arrival->at) : arrival->carrier;
		arrival->at++;
	}
	if (block == NULL)
		return NULL;
	arrival->class = class_of_block(block);
	arrival->blocks++;
	arrival->bytes += size_classes[arrival->class].size;
	return block;
}

/* A bin grows for what comes back as for what its owner frees: otherwise each goes home block by block, to be taken again, and of
 * larger ones a pool is given up for each, and the next one is made from fresh pages. What was freed twice is then found when the bin
 * goes home, as of the owner's own. */
static bool has_room(struct heap *heap, unsigned class)
{
	return heap->bins[class].credit > 0 || limit_overflow(heap, class);
}

/* False for a fault. */
static bool take_in(struct heap *heap, unsigned class, void *block, bool into_bins)
{
	struct bin *bin = &heap->bins[class];
	if (!into_bins || !has_room(heap, class))
		return heap_take_home(heap, block);
	if (unlikely(bin_newest(bin) == block)) {
		misuse_twice(block);
		return false;
	}
	bin_put_locked(bin, block);
	return true;
}

void remote_drain(struct heap *heap, bool into_bins)
{
	if (atomic_load_explicit(&heap->inbox, memory_order_relaxed) == NULL)
		return;
	void *first = atomic_exchange(&heap->inbox, NULL);
	struct arrival arrival = { .most = atomic_load(&heap->inbox_blocks) };
	enter_carrier(&arrival, first);
	void *block;
	do {
		block = next_arrived(&arrival);
	} while (block != NULL && take_in(heap, arrival.class, block, into_bins));
	atomic_fetch_sub_explicit(&heap->inbox_bytes, arrival.bytes, memory_order_relaxed);
	atomic_fetch_sub_explicit(&heap->inbox_blocks, arrival.blocks, memory_order_relaxed);
}

void remote_recount(struct heap *heap)
{
	struct arrival arrival = { .most = atomic_load(&heap->inbox_blocks) };
	enter_carrier(&arrival, atomic_load(&heap->inbox));
	while (next_arrived(&arrival) != NULL)
		;
	atomic_store(&heap->inbox_bytes, arrival.bytes);
	atomic_store(&heap->inbox_blocks, arrival.blocks);
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
		heap_unlock_told(heap);
		atomic_thread_fence(memory_order_seq_cst);
	} while (heap_dead_waits(heap));
	heap_list_if_wanted(heap);
	retain_bound();
}
