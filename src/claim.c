/* SPDX-License-Identifier: MIT */
/*
 * Claiming the bins of a sleeping thread. The thread's own malloc and free know nothing of it: no atomic operation, no lock,
 * no instruction more.
 *
 * What the owner does, in the order of its program (bin.h, fast.h):
 *
 *     malloc   load top;  store top - 1;  load the slot;  credit + 1      (no block: store top, slow path)
 *     free     load tag;  credit - 1;  load top;  store the slot above;  store top + 1
 *
 *     limit - credit = blocks in the bin,          but one more inside a malloc, one more inside a free
 *
 * What the scavenger does, to a batch of heaps that look idle. A membarrier is a point in the program of each thread: what
 * the thread did before is seen by the scavenger after, and what the scavenger did before is seen by what the thread does after.
 *
 *     lock busy      the owner on its slow path goes elsewhere: what follows knows it on its fast path only
 *     close the gate tag = TAG_CLOSED
 *     membarrier 1   from here on no free begins; at most one is under way
 *     mark           seen = top;  each slot up to seen that holds a block gets a mark, by a compare-and-swap
 *     membarrier 2
 *     take           upto = the lower of seen and top;  each slot up to it that has a mark: its block goes home, NULL is stored,
 *                    limit - 1
 *
 * The scavenger never writes top or credit, which the owner changes by plain reads and writes.
 *
 * Operation against operation: why what is taken is so. Let s be a slot that was marked, s <= upto.
 *
 *     malloc         It reads s for a block only after it stored top = s - 1, and only if it does so before membarrier 2: later
 *                    it finds the mark. In that case top was below s at membarrier 2, and is s again, or more, only by a free or
 *                    by undoing the malloc. The malloc got a block: it undoes nothing. A free has begun before membarrier 1, and
 *                    so before that malloc, if it is to store top after membarrier 1 at all. So top < s: s was not taken.
 *     free           The one under way writes to the slot above what top was at membarrier 1, and to top. If seen is before its
 *                    store of top, it writes above seen, which nobody marked. If seen is its store of top, its slot may reach the
 *                    scavenger later than top (not on x86-64): the compare-and-swap then finds what was there before, and what
 *                    the free stores has no mark; or it fails. Such a slot is not taken in this round.
 *
 * What a malloc of the owner finds marked, or NULL, sends it to its slow path, where it leaves the heap or, when the scavenger
 * has gone, finds what remains by limit - credit, from top downward. A mark that is left on a block is taken away there.
 *
 * The slots of bins that are all empty hold nothing but NULL, or what once was there, and their memory goes back to the system
 * too. A free that is under way may store its slot at any moment of that, and nothing tells whether there is one:
 *
 *     look           seen = top of each bin; all are empty by limit - credit, which is never less than what a bin holds
 *     set aside      the pages of the slots are moved elsewhere, by a system call; new ones are NULL
 *     keep           what was set aside of the slot seen, or if that is NULL of the one above, if the block may be out, is
 *                    written down: a doubt
 *
 *     A free that had not stored top when that was seen stores the slot above seen: in the old page, and then it is written down,
 *     or in the new one. If it had, its slot is seen itself. The owner, when it comes to its slow path, or who finds that it has
 *     left, knows by limit - credit whether there is a block, and if it is not in the slot, it is the one in doubt. Otherwise
 *     that means nothing.
 *
 * docs/models/claim.pml checks this exhaustively for up to three blocks, with stores that reach memory late and in any order, and
 * fails when one of the steps is left out.
 *
 * The gate stays closed, whether all was taken or a part. Where it was all, the heap is known to hold nothing; and the first free of an
 * owner that woke leads to its slow path, where limits begin anew.
 */
#include "claim.h"

#include "arena_purge.h"
#include "bin.h"
#include "bin_limit.h"
#include "bin_slots.h"
#include "heap.h"
#include "options.h"
#include "os.h"
#include "pool.h"
#include "pool_purge.h"
#include "region.h"
#include "remote.h"

#include <errno.h>

static STRATA_READ_MOSTLY _Atomic bool refused; /* the system has no membarrier for us; relaxed: a hint, written by whoever is refused */

/* ---- Marks ---------------------------------------------------------------------------------------------------------- */

#define TAKE_BATCH 64u

static void *marked(const void *block)
{
	return (void *)((uintptr_t)block | SLOT_MARK);
}

static void *unmarked(const void *block)
{
	return (void *)((uintptr_t)block & ~SLOT_MARK);
}

/* ---- The owner's side ----------------------------------------------------------------------------------------------- */

static void *doubt_of(const struct heap *heap, unsigned class)
{
	for (unsigned i = 0; i < heap->doubt_count; i++)
		if (heap->doubts[i] >> DOUBT_SHIFT == class)
			return (void *)(uintptr_t)(heap->doubts[i] & ((UINT64_C(1) << DOUBT_SHIFT) - 1));
	return NULL;
}

/* What is left of a bin: blocks, marked or not, down to the first slot from which one was taken. They move to the bottom. */
static void compact_bin(struct heap *heap, unsigned class)
{
	struct bin *bin = &heap->bins[class];
	void **bottom = slots_bottom(heap, class);
	uint32_t count = bin_count(bin);
	void **from = bin->top - count;
	void **to = bottom;
	for (uint32_t i = 1; i <= count; i++) {
		void *block = from[i] != NULL ? from[i] : doubt_of(heap, class);
		if (likely(block != NULL))
			owner_set(*++to, unmarked(block));
	}
	owner_publish(bin->top, to);
	/* Less than it should be only where one was freed twice, the second time while the slots went. */
	owner_set(bin->limit, bin->credit + (int32_t)(to - bottom));
}

static void open_gate(struct heap *heap)
{
	if (heap->slots_gone)
		slots_wanted(heap);
	owner_set(heap->slots_gone, false);
	heap->doubt_count = 0;
	owner_set(heap->claimed, CLAIM_NONE);
	owner_publish(heap->tag, heap_tag(heap));
}

void claim_end(struct heap *heap)
{
	if (heap->tag == TAG_CLOSED) {
		for (unsigned class = 1; class < CLASS_COUNT; class++)
			compact_bin(heap, class);
		open_gate(heap);
		bin_limits_renew(heap);
	}
}

int claim_bar(struct heap *heap)
{
	if (!heap_try_lock(heap))
		return -EBUSY;
	if (heap->tag == TAG_CLOSED) {
		heap_unlock(heap);
		return -EBUSY;
	}
	owner_set(heap->claimed, CLAIM_BARRED);
	heap_unlock(heap);
	return 0;
}

/* Its owner holds no lock: a scavenger may write claimed meanwhile, but never where it finds it barred. */
void claim_allow(struct heap *heap)
{
	if (others_read(heap->claimed) == CLAIM_BARRED)
		owner_set(heap->claimed, CLAIM_NONE);
}

void claim_drop(struct heap *heap)
{
	open_gate(heap);
}

/* ---- The scavenger's side ------------------------------------------------------------------------------------------- */

bool claim_possible(void)
{
	return options()->reclaim && !atomic_load_explicit(&refused, memory_order_relaxed);
}

bool claim_barrier(void)
{
	int result = os_barrier_all();
	if (result == 0)
		return true;
	if (result != -ENOMEM) /* else it may succeed the next time */
		atomic_store_explicit(&refused, true, memory_order_relaxed);
	return false;
}

void claim_add(struct claim_batch *batch, struct heap *heap)
{
	if (!heap_try_lock_other(heap))
		return;
	if (atomic_load(&heap->state) == HEAP_LIVE)
		batch->heaps[batch->count++] = heap;
	else
		heap_unlock_other(heap);
}

/* What the scavenger saw of one bin. Small: a round of them lies on the stack of whoever called malloc. */
struct sight {
	void **top;
	int32_t credit;
	uint32_t heap : 24; /* its number; the tag leaves it no more bits */
	uint32_t class : 8;
};
#define SIGHTS 64u /* bins of a round: a membarrier serves all */

struct round {
	struct sight bins[SIGHTS];
	unsigned count;
};

static struct sight look_at(struct heap *heap, unsigned class)
{
	const struct bin *bin = &heap->bins[class];
	/* Acquire: the slots up to it. The membarriers order them; ThreadSanitizer knows none, and takes owner_publish for the partner. */
	void **top = __atomic_load_n(&bin->top, __ATOMIC_ACQUIRE);
	return (struct sight){ top, others_read(bin->credit), heap->number & 0xffffff, class & 0xff };
}

static int32_t count_of(const struct sight *sight)
{
	return heap_at(sight->heap)->bins[sight->class].limit - sight->credit;
}

static void mark_slots(const struct sight *sight)
{
	void **bottom = slots_bottom(heap_at(sight->heap), sight->class);
	for (void **slot = sight->top; slot > bottom; slot--) {
		void *block = others_read(*slot);
		if (block == NULL)
			break;
		if (slot_is_block(block))
			__atomic_compare_exchange_n(slot, &block, marked(block), false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
	}
}

static void home(struct heap *heap, unsigned class, void *const *blocks, unsigned count)
{
	owner_add(heap->bins[class].limit, -(int32_t)count);
	heap_take_claimed_home(heap, class, blocks, count);
}

static void take_slots(const struct sight *sight)
{
	void *blocks[TAKE_BATCH];
	unsigned count = 0;
	struct heap *heap = heap_at(sight->heap);
	void **bottom = slots_bottom(heap, sight->class);
	void **top = look_at(heap, sight->class).top;
	for (void **slot = top < sight->top ? top : sight->top; slot > bottom; slot--) {
		void *block = others_read(*slot);
		if (block == NULL)
			break;
		if (slot_is_block(block))
			continue;
		owner_set(*slot, NULL);
		blocks[count++] = unmarked(block);
		if (count == TAKE_BATCH) {
			home(heap, sight->class, blocks, count);
			count = 0;
		}
	}
	home(heap, sight->class, blocks, count);
}

/* Bins that hold something, as many as a round and the budget have room for, one at least. From that heap and class on. */
static void choose(struct claim_batch *batch, struct round *round)
{
	round->count = 0;
	for (; batch->next_heap < batch->count; batch->next_heap++, batch->next_class = 1) {
		struct heap *heap = batch->heaps[batch->next_heap];
		for (; batch->next_class < CLASS_COUNT; batch->next_class++) {
			struct sight sight = look_at(heap, batch->next_class);
			if (count_of(&sight) <= 0)
				continue;
			size_t bytes = (size_t)count_of(&sight) * size_classes[batch->next_class].size;
			batch->full = batch->taken != 0 && bytes > batch->budget - size_min(batch->taken, batch->budget);
			if (batch->full || round->count == SIGHTS)
				return;
			batch->taken += bytes;
			round->bins[round->count++] = sight;
		}
	}
}

static bool take_round(struct round *round)
{
	for (unsigned i = 0; i < round->count; i++)
		mark_slots(&round->bins[i]);
	if (!claim_barrier())
		return false;
	for (unsigned i = 0; i < round->count; i++)
		take_slots(&round->bins[i]);
	return true;
}

/* False: a membarrier was refused half-way; marks may have stayed. */
static bool take_all(struct claim_batch *batch)
{
	struct round round;
	batch->next_heap = 0;
	batch->next_class = 1;
	for (choose(batch, &round); round.count > 0; choose(batch, &round)) {
		if (!take_round(&round))
			return false;
		if (batch->full)
			break;
	}
	return true;
}

static bool has_blocks(const struct heap *heap)
{
	for (unsigned class = 1; class < CLASS_COUNT; class++)
		if (heap->bins[class].limit != others_read(heap->bins[class].credit))
			return true;
	return false;
}

/* Whether the owner may be freeing the block: it is not at home, and of this class. Blocks of others' pools are taken for out.
 * Above top there may be anything, as it was before the pages were those of slots. */
static bool may_be_out(const struct heap *heap, unsigned class, const void *block)
{
	if (!remote_may_be_block(region_base, others_read(region_span), block))
		return false;
	page_tag tag = atomic_load_explicit(&region_tags[page_of(block)], memory_order_relaxed);
	if ((tag & TAG_CODE_MASK) != class * 2 || tag >> TAG_OWNER_SHIFT == 0)
		return false;
	return tag >> TAG_OWNER_SHIFT == heap->number ? pool_look(block) == HOME_ACCEPTED : class > OBJECT_CLASSES;
}

/* Written down as far as there is room, else left where it was. */
static void keep(struct heap *heap, unsigned class, void **slot, void *block)
{
	void *nothing = NULL;
	if (heap->doubt_count < DOUBTS_MOST)
		heap->doubts[heap->doubt_count++] = (uintptr_t)block | (uint64_t)class << DOUBT_SHIFT;
	else
		__atomic_compare_exchange_n(slot, &nothing, block, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

static bool slots_may_go(const struct heap *heap)
{
	return !heap->slots_gone && slots_can_go();
}

static void purge_slots(struct heap *heap)
{
	void **tops[CLASS_COUNT];
	for (unsigned class = 1; class < CLASS_COUNT; class++)
		tops[class] = look_at(heap, class).top;
	if (has_blocks(heap))
		return;
	struct slots_aside aside;
	if (!slots_set_aside(heap, &aside))
		return;
	owner_set(heap->slots_gone, true);
	for (unsigned class = 1; class < CLASS_COUNT; class++) {
		void **slot = tops[class];
		void *block = unmarked(slots_look_aside(heap, &aside, class, slot));
		if (block == NULL)
			block = unmarked(slots_look_aside(heap, &aside, class, ++slot));
		if (may_be_out(heap, class, block))
			keep(heap, class, slot, block);
	}
	slots_release_aside(heap, &aside);
}

static bool close_gates(struct claim_batch *batch)
{
	for (unsigned i = 0; i < batch->count; i++)
		owner_set(batch->heaps[i]->tag, TAG_CLOSED);
	return claim_barrier();
}

/* Whoever is inside its outgoing batches now may be so for long: they are let be. Acquire; partner: done_sending (remote.c). That whoever
 * comes later finds the gate closed is membarrier 1. */
static void send_for(struct heap *heap)
{
	if (__atomic_load_n(&heap->sending, __ATOMIC_ACQUIRE) == 0)
		remote_flush(heap);
}

/* What dead heaps were sent meanwhile comes last: that may take long, and no heap of the batch stays locked for it. */
static void finish_batch(struct claim_batch *batch, bool claimed)
{
	for (unsigned i = 0; i < batch->count; i++) {
		struct heap *heap = batch->heaps[i];
		bool all = heap->slots_gone || (!has_blocks(heap) && !slots_may_go(heap));
		remote_drain(heap, false);
		if (claimed)
			owner_set(heap->claimed, all ? CLAIM_ASLEEP : CLAIM_PARTLY);
		else if (heap->claimed == CLAIM_NONE)
			open_gate(heap);
		if (claimed && all) {
			bin_limits_forget(heap);
			pool_purge_begin(heap);
		}
		pool_return_surplus(heap, true);
		pool_check_heap(heap);
		heap_unlock(heap);
	}
	for (unsigned i = 0; i < batch->count; i++)
		heap_look_after_dead(batch->heaps[i]);
}

/* A few system calls for each: so many heaps with a step of housekeeping. */
#define ASIDE_HEAPS 4u

void claim(struct claim_batch *batch)
{
	bool claimed = close_gates(batch);
	for (unsigned i = 0; i < batch->count && claimed; i++)
		send_for(batch->heaps[i]);
	bool taken = claimed && take_all(batch);
	unsigned left = batch->budget > PURGE_STEP ? CLAIM_HEAPS : ASIDE_HEAPS;
	for (unsigned i = 0; i < batch->count && taken && left > 0; i++)
		if (slots_may_go(batch->heaps[i])) {
			purge_slots(batch->heaps[i]);
			left--;
		}
	finish_batch(batch, claimed);
}
