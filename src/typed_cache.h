/* SPDX-License-Identifier: MIT */
/*
 * A thread's cache of typed objects: its beginning and end, and who may change it.
 *
 * Caches are type-stable: when its thread has ended one waits for the next thread, and its counters stay in the sums.
 */
#ifndef STRATA_TYPED_CACHE_H
#define STRATA_TYPED_CACHE_H

#include "typed_layout.h"
#include "typed_list.h"

/* The calling thread's cache, taking one if it has none, for a call that changes lists off the fast path; until cache_leave nobody
 * else claims it. Calls nest, by callbacks. NULL: none is to be had (check:1, a thread that ends, no memory), or someone has just
 * claimed it, for whom nobody waits: the call does without. */
struct type_cache *cache_enter(void);
void cache_leave(struct type_cache *cache);

/* The same without taking one. */
struct type_cache *cache_enter_own(void);

/* With the cache of a thread that ends, by that thread, or by whoever claimed it meanwhile: its lists serve others. Where no callback may
 * run, objects of types with one stay, for the next thread that has the cache. */
void cache_end(struct type_cache *cache, enum typed_callbacks callbacks);

/* Caches made so far are numbered 0 ... cache_count() - 1; cache_at may be NULL for one that is being made. */
uint32_t cache_count(void);
/* Their bytes, as committed. */
size_t cache_committed(void);
struct type_cache *cache_at(uint32_t number);

#endif
