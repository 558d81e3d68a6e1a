/* SPDX-License-Identifier: MIT */
/*
 * The bins of sleeping threads, claimed without their cooperation. claim.c says why that is right, reclaim.c who sleeps.
 */
#ifndef STRATA_CLAIM_H
#define STRATA_CLAIM_H

#include "layout.h"

/* Heaps that are claimed together, since a membarrier serves all. */
#define CLAIM_HEAPS 16u

struct claim_batch {
	struct heap *heaps[CLAIM_HEAPS];
	unsigned count;
	unsigned next_heap, next_class; /* where the next round goes on */
	size_t budget; /* bytes that may be taken, or one bin */
	size_t taken;
	bool full; /* the next bin would go beyond the budget */
};

/* False: it is not wanted, or the system has refused it. */
bool claim_possible(void);

/* A membarrier: a point in the program of each thread. False: the system has refused it; for good, as claim_possible says from then on,
 * unless it was short of memory. */
bool claim_barrier(void);

/* A heap of a thread that seems to sleep, if it is alive and nobody is in it. There must be room. */
void claim_add(struct claim_batch *batch, struct heap *heap);

/* Takes home what the heaps' bins and outgoing batches hold. */
void claim(struct claim_batch *batch);

/* With heap locked, by its owner or when that has left it: its bins hold what is left to them, and their limits begin anew. */
void claim_end(struct heap *heap);

/* Whether the heap may be claimed; the owner bars it while it forks. 0, or -EBUSY: someone is in it, or has claimed it. */
int claim_bar(struct heap *heap);
void claim_allow(struct heap *heap);

/* In the child of a fork: forgets what was claimed of a heap whose bins are emptied. */
void claim_drop(struct heap *heap);

#endif
