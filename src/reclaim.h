/* SPDX-License-Identifier: MIT */
/*
 * What threads that sleep do without, taken back by those who are at work: who sleeps, and in which order they are looked at. How their
 * bins are claimed is in claim.c. Called by the clock (decay.c), and for all threads by trim.c.
 */
#ifndef STRATA_RECLAIM_H
#define STRATA_RECLAIM_H

#include "layout.h"

/* Takes home what is cached by threads that have not been seen at work for idle_ms, and by others on their behalf: of a few
 * heaps, and at most budget bytes, or one bin; the next call goes on. Returns the bytes taken. */
size_t reclaim_idle(size_t budget, uint32_t idle_ms);

/* The same, of all threads that are not seen at work during the call. */
size_t reclaim_all(void);

#endif
