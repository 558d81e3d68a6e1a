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

/* What the calling thread knows of itself. */
struct typed_thread {
	struct type_cache *cache;
	bool ended; /* its cache has been given up: what it still frees goes to the tier below */
};
extern STRATA_TLS struct typed_thread typed_self;

/* The calling thread's cache, taking one if it has none. NULL: none is to be had (check:1, a thread that ends, no memory). */
struct type_cache *cache_attach(void);

/* Caches made so far are numbered 0 ... cache_count() - 1; cache_at may be NULL for one that is being made. */
uint32_t cache_count(void);
struct type_cache *cache_at(uint32_t number);

static inline struct list_cold *cache_own_cold(const strata_type *record)
{
	return typed_self.cache != NULL ? cache_cold(typed_self.cache, record) : NULL;
}

/* Called on slow paths: looks now and then for idle lists, and empties them. */
void cache_tick(struct type_cache *cache);

/* All that may be freed in the type's lists of the calling thread and in its depots. Bytes freed. */
size_t cache_trim_type(struct type *type);

#endif
