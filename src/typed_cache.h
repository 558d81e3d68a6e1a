/* SPDX-License-Identifier: MIT */
/*
 * A thread's cache of typed objects: its beginning and end, its lists looked at when idle.
 *
 * Caches are type-stable: when its thread has ended one waits for the next thread, and its counters stay in the sums.
 */
#ifndef STRATA_TYPED_CACHE_H
#define STRATA_TYPED_CACHE_H

#include "typed.h"
#include "typed_list.h"

/* The calling thread's cache, taking one if it has none. NULL: none is to be had (check:1, a thread that ends, no memory). */
struct type_cache *cache_attach(void);

/* Caches made so far are numbered 0 ... cache_count() - 1; cache_at may be NULL for one that is being made. */
uint32_t cache_count(void);
struct type_cache *cache_at(uint32_t number);

/* Called on slow paths: looks now and then for idle lists, and empties them. */
void cache_tick(struct type_cache *cache);

/* All that may be freed in the type's lists of the calling thread and in its depots. Bytes freed. */
size_t cache_trim_type(struct type *type);

#endif
