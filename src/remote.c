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
#define SLOT_BYTES_MASK 0xffffffu /* what one has of bytes: it holds less than a batch and one block */

/* An inbox this long is a sign that its owner sleeps: at twice as much, if the owner has not been seen on its slow path in
 * between, whoever handed over drains it. */
#define INBOX_LONG ((uint64_t)256 << 10)

static void push_chain(struct heap *owner, void *first, void *last)
{
	void *top = atomic_load_explicit(&owner->inbox, memory_order_relaxed);
	do {
		*(void **)last = top;
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
static void hand_over(struct heap *owner, void *first, void *last, uint32_t blocks, uint64_t bytes)
{
	uint64_t pending = atomic_fetch_add(&owner->inbox_bytes, bytes) + bytes;
	atomic_fetch_add(&owner->inbox_blocks, blocks);
	push_chain(owner, first, last);
	uint32_t state = atomic_load(&owner->state);
	if (unlikely(state == HEAP_DEAD))
		remote_drain_for(owner);
	else if (unlikely(pending >= INBOX_LONG) && state == HEAP_LIVE && owner_sleeps(owner, pending))
		remote_drain_for(owner);
}

static void hand_over_slot(struct heap *heap, struct outgoing *slot)
{
	struct outgoing batch = *slot;
	slot->first = slot->last = NULL;
	slot->count = 0;
	slot->bytes = 0;
	owner_add(heap->outgoing_bytes, -(uint64_t)batch.bytes);
	owner_add(heap->outgoing_blocks, -(uint64_t)batch.count);
	hand_over(heap_at(batch.owner), batch.first, batch.last, batch.count, batch.bytes);
}

/* Whether the slot is full. */
static bool put_in_slot(struct outgoing *slot, void *block, uint32_t size)
{
	*(void **)block = slot->first;
	if (slot->count == 0)
		slot->last = block;
	slot->first = block;
	slot->count++;
	slot->bytes += size & SLOT_BYTES_MASK;
	return slot->count >= BATCH_BLOCKS || slot->bytes >= BATCH_BYTES;
}

/* Whether a batch was handed over. */
static bool send(struct heap *heap, void *block, page_tag tag)
{
	uint32_t owner = tag >> TAG_OWNER_SHIFT;
	uint32_t size = size_classes[(tag & TAG_CODE_MASK) / 2].size;
	struct outgoing *slot = &heap->outgoing[owner % OUTGOING_SLOTS];
	if (unlikely(slot->owner != owner)) {
		if (slot->count > 0)
			hand_over_slot(heap, slot);
		slot->owner = owner;
	}
	owner_add(heap->outgoing_bytes, size);
	owner_add(heap->outgoing_blocks, 1);
	if (likely(!put_in_slot(slot, block, size)))
		return false;
	hand_over_slot(heap, slot);
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
	hand_over(heap_at(tag >> TAG_OWNER_SHIFT), block, block, 1, size_classes[(tag & TAG_CODE_MASK) / 2].size);
}

void remote_flush(struct heap *heap)
{
	for (unsigned i = 0; i < OUTGOING_SLOTS; i++)
		if (heap->outgoing[i].count > 0)
			hand_over_slot(heap, &heap->outgoing[i]);
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

static bool take_in(struct heap *heap, void *block, unsigned class, bool into_bins)
{
	struct bin *bin = &heap->bins[class];
	if (into_bins && bin->credit > 0) {
		bin_put_locked(bin, block);
		return true;
	}
	return heap_take_home(heap, block);
}

void remote_drain(struct heap *heap, bool into_bins)
{
	if (atomic_load_explicit(&heap->inbox, memory_order_relaxed) == NULL)
		return;
	void *block = atomic_exchange(&heap->inbox, NULL);
	uint64_t bytes = 0;
	uint64_t blocks = 0;
	/* Counted before they are pushed: the chain is no longer, unless a block that was freed twice has made it a ring. */
	uint64_t most = atomic_load(&heap->inbox_blocks);
	while (block != NULL && blocks < most) {
		void *next = remote_next(block);
		unsigned class = class_of_block(block);
		bytes += size_classes[class].size;
		blocks++;
		block = take_in(heap, block, class, into_bins) ? next : NULL;
	}
	atomic_fetch_sub_explicit(&heap->inbox_bytes, bytes, memory_order_relaxed);
	atomic_fetch_sub_explicit(&heap->inbox_blocks, blocks, memory_order_relaxed);
}

void remote_recount(struct heap *heap)
{
	uint64_t bytes = 0;
	uint64_t blocks = 0;
	/* No longer than was counted, unless a block that was freed twice has made it a ring. */
	uint64_t most = atomic_load(&heap->inbox_blocks);
	for (void *block = atomic_load(&heap->inbox); block != NULL && blocks < most; block = remote_next(block)) {
		bytes += size_classes[class_of_block(block)].size;
		blocks++;
	}
	atomic_store(&heap->inbox_bytes, bytes);
	atomic_store(&heap->inbox_blocks, blocks);
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
