/* SPDX-License-Identifier: MIT */
/*
 * Pages that a partly used pool does without go back to the system, and the pool stays in use. By whoever holds the heap.
 */
#ifndef STRATA_POOL_PURGE_H
#define STRATA_POOL_PURGE_H

#include "layout.h"

/* The next of the heap's pools: those from which nothing was taken, and to which nothing came home, since the last round, which
 * was at least idle_ms ago; at most limit bytes, and at most one pool more. The heap is locked. Returns the bytes. */
size_t pool_purge_idle(struct heap *heap, uint32_t idle_ms, size_t limit);

/* The same of a heap whose thread sleeps, whatever happened to its pools: begun by whoever finds that it sleeps, and gone on with
 * until it is over, which others may ask as a hint. */
void pool_purge_begin(struct heap *heap);
bool pool_purge_is_over(const struct heap *heap);
size_t pool_purge_rest(struct heap *heap, size_t limit);

/* All pools of the heap, which is locked, now. Returns the bytes. */
size_t pool_purge_all(struct heap *heap);

#endif
