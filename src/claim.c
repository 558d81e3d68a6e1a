/* SPDX-License-Identifier: MIT */
/*
 * Claiming the bins of a sleeping thread. The thread's own malloc and free know nothing of it: no atomic operation, no lock,
 * no instruction more.
 *
 * What the owner does, in the order of its program (bin.h, fast.h). Credit comes first and head last, so that
 *
 *     malloc   credit + 1;  load head;  store head = next                    (head NULL: credit - 1, slow path)
 *     free     load tag;  credit - 1;  load head;  store the link;  store head = block
 *
 *     limit - credit = blocks in the bin,          but one less inside a malloc, one more inside a free
 *
 * What the scavenger does, to a batch of heaps that look idle. A membarrier is a point in the program of each thread: what
 * the thread did before is seen by the scavenger after, and what the scavenger did before is seen by what the thread does after.
 *
 *     lock busy      the owner on its slow path goes elsewhere: what follows knows it on its fast path only
 *     close the gate tag = TAG_CLOSED
 *     membarrier 1   from here on no free begins; at most one is under way
 *     take           list = exchange(head, NULL)
 *     membarrier 2
 *     count          first = credit;  length = steps along list
 *     membarrier 3
 *     look           empty = head is NULL
 *     membarrier 4
 *     count again    second = credit
 *     certain        if empty and first == second and length == limit - second: the list is the scavenger's
 *     else           it stays in limbo, for the owner to say
 *
 * The scavenger never writes credit, which the owner changes by a plain read and write. It lowers limit by what it took.
 *
 * Operation against operation: why what is certain is so. Let the list have L blocks, L >= 1. The owner had loaded its
 * head before the exchange, or it had not.
 *
 *     had not        It loads NULL, or what it pushed itself. It never comes by the list again, whatever it does: certain or not.
 *     malloc had     Its credit + 1 came before, so from membarrier 2 on limit - credit <= L - 1: no free begins, and no other
 *                    is under way. Until it stores head = next, the list is whole and length = L: not equal. Once it has, the
 *                    program may write into the block, and length may be anything from 1 on. But who reads what the program wrote
 *                    sees the store of head after membarrier 3. Then head is NULL only when the owner has taken the whole
 *                    list; after membarrier 4, limit - second <= 0: not equal.
 *     free had       Its credit - 1 came before: from membarrier 2 on limit - credit = L + 1 until it stores head = block, and
 *                    less only after that, when a malloc has begun. A whole list has length L. So first = L tells that head was
 *                    stored before membarrier 3, and is NULL only when all is taken: limit - second <= 0, not equal. A list
 *                    that is not whole: as above.
 *
 * (Without membarrier 1, a free might begin after a malloc that put the list back, and make credit fit again.)
 *
 * The owner, when it comes to its slow path and gets the lock, is inside nothing. If it had put the list back, limit - credit
 * is the length of its bin; if not, it is that and L: the difference is what it takes home of the list, all of it or nothing.
 *
 * docs/models/claim.pml checks this exhaustively for lists of one and two blocks, with stores that reach memory late and in any
 * order, and fails when one of the steps is left out.
 *
 * The gate stays closed when all is taken: such a heap is known to hold nothing but what is in limbo, and the first free of an
 * owner that woke leads to its slow path, where limits begin anew.
 */
#include "claim.h"

#include "bin.h"
#include "bin_limit.h"
#include "heap.h"
#include "options.h"
#include "os.h"
#include "pool.h"
#include "pool_purge.h"
#include "region.h"
#include "remote.h"

#include <errno.h>

static _Atomic bool refused; /* the system has no membarrier for us; relaxed: a hint, written by who is refused */

/* ---- The owner's side ----------------------------------------------------------------------------------------------- */

/* Racy on purpose: the blocks may be the program's, which writes what it likes. Whatever was read lies in the region. */
__attribute__((no_sanitize("thread", "address"))) static void *link_of(void *block)
{
	return *(void *volatile *)block;
}

/* Steps along a list, at most one more than most; ends where it leaves the region. */
static uint32_t length_of(void *list, int32_t most)
{
	uint32_t length = 0;
	while (list != NULL && (int32_t)length <= most) {
		size_t offset = (uintptr_t)list - region_base;
		if (offset >= others_read(region_span) || offset % 8 != 0)
			break;
		length++;
		list = link_of(list);
	}
	return length;
}

static void take_home(struct heap *heap, struct bin *bin, void *list, uint32_t count)
{
	owner_add(bin->limit, -(int32_t)count);
	for (; count > 0 && list != NULL; count--) {
		void *next = remote_next(list);
		if (!heap_take_home(heap, list))
			break;
		list = next;
	}
}

static void resolve(struct heap *heap, const struct limbo *limbo)
{
	struct bin *bin = &heap->bins[limbo->class];
	int32_t count = (int32_t)bin_count(bin);
	int32_t lacking = count - (int32_t)length_of(bin->head, count);
	if (lacking > 0)
		take_home(heap, bin, limbo->list, (uint32_t)lacking);
}

static void open_gate(struct heap *heap)
{
	owner_set(heap->claimed, CLAIM_NONE);
	owner_publish(heap->tag, heap_tag(heap));
}

void claim_end(struct heap *heap)
{
	while (heap->limbo_count > 0)
		resolve(heap, &heap->limbo[--heap->limbo_count]);
	if (heap->tag == TAG_CLOSED) {
		limits_renew(heap);
		open_gate(heap);
	}
}

int claim_bar(struct heap *heap)
{
	if (!heap_try_lock(heap))
		return -EBUSY;
	claim_end(heap);
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
	heap->limbo_count = 0;
	open_gate(heap);
}

/* ---- The scavenger's side ------------------------------------------------------------------------------------------- */

bool claim_possible(void)
{
	return options()->reclaim && !atomic_load_explicit(&refused, memory_order_relaxed);
}

static bool barrier(void)
{
	if (os_barrier_all() == 0)
		return true;
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

static bool in_limbo(const struct heap *heap, unsigned class)
{
	for (unsigned i = 0; i < heap->limbo_count; i++)
		if (heap->limbo[i].class == class)
			return true;
	return false;
}

/* The next class, from that on, with a list that is not in limbo; CLASS_COUNT: none. */
static unsigned next_list(const struct heap *heap, unsigned class)
{
	while (class < CLASS_COUNT && (others_read(heap->bins[class].head) == NULL || in_limbo(heap, class)))
		class++;
	return class;
}

static bool may_take(const struct claim_batch *batch, const struct heap *heap)
{
	return heap->limbo_count < LIMBO_SLOTS && !batch->full;
}

static void take(struct claim_batch *batch, struct heap *heap, unsigned class)
{
	struct bin *bin = &heap->bins[class];
	int32_t count = bin->limit - others_read(bin->credit);
	size_t bytes = count > 0 ? (size_t)count * size_classes[class].size : 0;
	batch->full = batch->taken != 0 && bytes > batch->budget - batch->taken;
	if (batch->full)
		return;
	/* Relaxed would do: the membarriers order it; ThreadSanitizer sees the owner's owner_publish as partner. */
	void *list = __atomic_exchange_n(&bin->head, NULL, __ATOMIC_ACQ_REL);
	if (list == NULL)
		return;
	batch->taken += bytes;
	batch->full = batch->taken >= batch->budget;
	heap->limbo[heap->limbo_count++] = (struct limbo){ .list = list, .class = (uint16_t)class };
}

/* A round takes as many lists of each heap as it has room for in its limbo. Returns how many. */
static unsigned take_lists(struct claim_batch *batch)
{
	unsigned lists = 0;
	for (unsigned i = 0; i < batch->count; i++) {
		struct heap *heap = batch->heaps[i];
		batch->settled[i] = heap->limbo_count;
		unsigned class = 0;
		while (may_take(batch, heap) && (class = next_list(heap, class + 1)) < CLASS_COUNT)
			take(batch, heap, class);
		lists += heap->limbo_count - batch->settled[i];
	}
	return lists;
}

static void count(struct heap *heap, struct limbo *limbo)
{
	const struct bin *bin = &heap->bins[limbo->class];
	limbo->credit = others_read(bin->credit);
	int32_t expected = bin->limit - limbo->credit;
	limbo->whole = (int32_t)length_of(limbo->list, expected) == expected;
}

static void look_for_head(struct heap *heap, struct limbo *limbo)
{
	limbo->whole &= others_read(heap->bins[limbo->class].head) == NULL;
}

static void take_if_certain(struct heap *heap, struct limbo *limbo)
{
	struct bin *bin = &heap->bins[limbo->class];
	if (!limbo->whole || others_read(bin->credit) != limbo->credit)
		return;
	take_home(heap, bin, limbo->list, (uint32_t)(bin->limit - limbo->credit));
	limbo->list = NULL;
}

static void each_list(struct claim_batch *batch, void (*step)(struct heap *, struct limbo *))
{
	for (unsigned i = 0; i < batch->count; i++)
		for (unsigned slot = batch->settled[i]; slot < batch->heaps[i]->limbo_count; slot++)
			step(batch->heaps[i], &batch->heaps[i]->limbo[slot]);
}

/* Frees the slots of the lists that went home. */
static void compact(struct claim_batch *batch)
{
	for (unsigned i = 0; i < batch->count; i++) {
		struct heap *heap = batch->heaps[i];
		unsigned kept = batch->settled[i];
		for (unsigned slot = kept; slot < heap->limbo_count; slot++)
			if (heap->limbo[slot].list != NULL)
				heap->limbo[kept++] = heap->limbo[slot];
		heap->limbo_count = (uint8_t)kept;
	}
}

/* False: a membarrier was refused half-way; what was taken is in limbo. */
static bool settle_lists(struct claim_batch *batch)
{
	if (!barrier())
		return false;
	each_list(batch, count);
	if (!barrier())
		return false;
	each_list(batch, look_for_head);
	if (!barrier())
		return false;
	each_list(batch, take_if_certain);
	compact(batch);
	return true;
}

static bool close_gates(struct claim_batch *batch)
{
	for (unsigned i = 0; i < batch->count; i++)
		owner_set(batch->heaps[i]->tag, TAG_CLOSED);
	return barrier();
}

/* Who is inside its slots now may be so for long: they are let be. Acquire; partner: done_sending (remote.c). That whoever comes
 * later finds the gate closed is membarrier 1. */
static void send_for(struct heap *heap)
{
	if (__atomic_load_n(&heap->sending, __ATOMIC_ACQUIRE) == 0)
		remote_flush(heap);
}

/* What dead heaps were sent meanwhile comes last: that may take long, and no heap of the batch stays locked for it. */
static void let_go(struct claim_batch *batch, bool claimed)
{
	for (unsigned i = 0; i < batch->count; i++) {
		struct heap *heap = batch->heaps[i];
		bool all = next_list(heap, 1) == CLASS_COUNT || heap->limbo_count == LIMBO_SLOTS;
		remote_drain(heap, false);
		if (claimed)
			owner_set(heap->claimed, all ? CLAIM_ASLEEP : CLAIM_PARTLY);
		else if (heap->claimed == CLAIM_NONE)
			open_gate(heap);
		if (claimed && all) {
			limits_forget(heap);
			pool_purge_begin(heap);
		}
		pool_settle(heap, true);
		pool_check_heap(heap);
		heap_unlock(heap);
	}
	for (unsigned i = 0; i < batch->count; i++)
		heap_look_after_dead(batch->heaps[i]);
}

void claim(struct claim_batch *batch)
{
	bool claimed = close_gates(batch);
	bool more = claimed;
	for (unsigned i = 0; i < batch->count && claimed; i++)
		send_for(batch->heaps[i]);
	while (more && take_lists(batch) > 0)
		more = settle_lists(batch);
	let_go(batch, claimed);
}
