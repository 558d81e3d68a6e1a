/* SPDX-License-Identifier: MIT */
/*
 * What sleeping threads have cached, taken back without their cooperation. claim.c says why that is right.
 */
#ifndef STRATA_CLAIM_H
#define STRATA_CLAIM_H

#include "layout.h"

/* Heaps that are looked at, and claimed, at a time. */
#define CLAIM_HEAPS 16u

/* Takes home what is cached by threads that have not been seen at work for idle_ms, and by others on their behalf: of a few
 * heaps, and at most budget bytes, or one bin; the next call goes on. Returns the bytes taken. */
size_t claim_idle(size_t budget, uint32_t idle_ms);

/* The same, of all threads that are not seen at work during the call. */
size_t claim_all(void);

/* With heap locked, by its owner or when that has left it: what is in limbo goes home, and the heap is as if newly begun. */
void claim_end(struct heap *heap);

/* Whether the heap may be claimed; the owner bars it while it forks. 0, or -EBUSY: someone is in it. */
int claim_bar(struct heap *heap);
void claim_allow(struct heap *heap);

/* In the child of a fork: forgets what was claimed of a heap whose bins are emptied. */
void claim_drop(struct heap *heap);

#endif
