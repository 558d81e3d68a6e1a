/* SPDX-License-Identifier: MIT */
/*
 * The cold continuations of the two hot functions: first call, refill, housekeeping, frees that are not of this thread's
 * pools. Each is tail-called, so that the hot functions have no frame.
 */
#ifndef STRATA_SLOW_H
#define STRATA_SLOW_H

#include "compiler.h"

/* The bin was empty, or the size is above MEDIUM_MAX; or the thread's heap is hidden from its fast path (thread.h): before its first call,
 * while calls are diverted, with the profile or check:1 on. By the native rule, and by malloc's (16-byte alignment from 16 bytes
 * on). NULL and ENOMEM when memory is refused or size exceeds PTRDIFF_MAX. */
STRATA_NOINLINE void *allocate_slow(size_t size);
STRATA_NOINLINE void *allocate_slow_aligned16(size_t size);
/* For a call that returns there. */
void *allocate_slow_aligned16_for(size_t size, const void *caller);

/* By the native rule, for a tier that knows its blocks by their class: the heap profile does not make runs of them. */
STRATA_NOINLINE void *allocate_slow_of_class(size_t size);

/* As the first, zeroed. */
STRATA_NOINLINE void *allocate_zeroed_slow(size_t size);

/* NULL, another heap's block, a run, or no block at all; and every block while the thread's heap is hidden, as above. size: what the
 * caller says was requested, or ANY_SIZE. */
#define ANY_SIZE SIZE_MAX
STRATA_NOINLINE void free_other(void *block, size_t size);

/* The block on top of its bin, of the class with this code, is freed once more. Takes back what the caller did to the
 * credit, as does the next. */
STRATA_COLD void free_twice(void *block, size_t code);

/* The bin of the class with this code is as full as its limit allows. */
STRATA_NOINLINE void free_overflow(void *block, size_t code);

#endif
