/* SPDX-License-Identifier: MIT */
/*
 * Frees across threads. A block of another heap waits in a batch of the freeing thread, by owner; a full batch goes into the
 * owner's inbox by one compare-and-swap. Nobody writes to what was handed over until the owner, or who drains for it, has
 * taken it. It does not enter the freeing thread's own bins, which would have two threads write to one cache line ever after,
 * and let blocks pile up where nobody allocates; but for larger ones, to half of what the bin may hold (serves_here in core.c).
 *
 *   hand over / hand over   CAS on owner->inbox
 *   hand over / drain       CAS against exchange: the batch is in the one taken, or in the next
 *   drain / drain           under owner->busy
 */
#ifndef STRATA_REMOTE_H
#define STRATA_REMOTE_H

#include "check.h"
#include "layout.h"

/* The heap whose owner the calling thread last found asleep, and has not seen awake since; 0: none. */
extern STRATA_TLS uint32_t remote_sleeper;

/* Frees a block whose page has the tag of another heap. */
void remote_free(struct heap *heap, void *block, page_tag tag);

/* The same where there is next to nothing to do: a small block, for which the newest carrier has room. heap: the one that the fast
 * path uses, the empty one too. False, and nothing done: it is another case. */
bool remote_free_carried(struct heap *heap, const void *block, page_tag tag);

/* The same with heap locked by its owner: nobody hands over its batches meanwhile. */
void remote_free_locked(struct heap *heap, void *block, page_tag tag);

/* The same from a thread that has no heap any more: straight into the inbox. */
void remote_free_directly(void *block, page_tag tag);

/* Adds what waits in the heap's batches. Read while the owner may be at work: as of some moment for each batch. */
void remote_count_outgoing(const struct heap *heap, uint64_t *bytes, uint64_t *blocks);

/* With heap locked by its owner, or left by it, or claimed: hands over all that waits in its batches. */
void remote_flush(struct heap *heap);

/* With heap locked: takes what its inbox holds, home, or (for the owner) into the bins that have room, or grow. */
void remote_drain(struct heap *heap, bool into_bins);

/* In the child of a fork: counts anew what the inbox holds. */
void remote_recount(struct heap *heap);

/* Drains the inbox of a heap whose thread sleeps, or is gone; lets it be if someone is in the heap. */
void remote_drain_for(struct heap *heap);

/* A block came home to a heap whose tag its page has not: its pool has been adopted since (it is sent on), or it was freed
 * twice (a message, and false). */
bool remote_reject(void *block, page_tag tag);

static inline void remote_corrupt(void *block)
{
	misuse("free", block, "free list corrupt (written after free)");
}

/* Whether it may point to a block: within the region, at a multiple of 8. Turned by three bits, an offset that is none exceeds all
 * others. */
static inline bool remote_may_be_block(uintptr_t base, size_t span, const void *link)
{
	size_t offset = (uintptr_t)link - base;
	return (offset >> 3 | offset << 61) < span / 8;
}

/* A pointer to a free block that stood in the free block given; it must not leave the region, else it was overwritten. */
static inline void *remote_link(void *block, void *link)
{
	if (unlikely(link != NULL && !remote_may_be_block(region_base, others_read(region_span), link))) {
		remote_corrupt(block);
		return NULL;
	}
	return link;
}

#endif
