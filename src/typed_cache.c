/* SPDX-License-Identifier: MIT */
#include "typed_cache.h"

#include "number_stack.h"
#include "options.h"
#include "os.h"
#include "typed_below.h"
#include "thread.h"
#include "typed_depot.h"

#include <string.h>

STRATA_TLS uintptr_t typed_base;
STRATA_TLS struct typed_thread typed_self;

/* ---- The registry of caches ----------------------------------------------------------------------------------------- */

#define CACHE_LIMIT 65536u

/* Each written once, by whoever made the cache; read by all. Release: it is committed and knows its number; partner: the acquire
 * in cache_at. */
static STRATA_LARGE _Atomic(struct type_cache *) caches[CACHE_LIMIT];

/* Incremented by whoever makes a cache, before it is in its place. Relaxed: it says only how far to look. */
static _Atomic uint32_t caches_made;

uint32_t cache_count(void)
{
	uint32_t count = atomic_load_explicit(&caches_made, memory_order_relaxed);
	return count < CACHE_LIMIT ? count : CACHE_LIMIT;
}

struct type_cache *cache_at(uint32_t number)
{
	return atomic_load_explicit(&caches[number], memory_order_acquire);
}

/* Dead caches, by number plus 1. */
static number_stack dead_stack STRATA_ALIGNED(CACHE_LINE);

static _Atomic uint32_t *next_of(uint32_t number)
{
	return &cache_at(number - 1)->next_dead;
}

static struct type_cache *revive(void)
{
	uint32_t number = number_stack_pop(&dead_stack, next_of);
	return number != 0 ? cache_at(number - 1) : NULL;
}

static void bury(struct type_cache *cache)
{
	number_stack_push(&dead_stack, cache->number + 1, next_of);
}

static size_t cache_size(void)
{
	return round_up(sizeof(struct type_cache), os_page_size());
}

size_t cache_committed(void)
{
	return cache_count() * cache_size();
}

static struct type_cache *create(void)
{
	size_t size = cache_size();
	struct type_cache *cache = os_reserve(size, os_page_size());
	if (cache == NULL)
		return NULL;
	uint32_t number = CACHE_LIMIT;
	if (os_commit(cache, size) == 0 && cache_count() < CACHE_LIMIT)
		number = atomic_fetch_add(&caches_made, 1);
	if (number >= CACHE_LIMIT) {
		os_release(cache, size);
		return NULL;
	}
	cache->number = number;
	atomic_store_explicit(&caches[number], cache, memory_order_release);
	return cache;
}

static struct type_cache *attach(void)
{
	if (typed_self.ended || options()->check || thread_attach() == NULL)
		return NULL;
	struct type_cache *cache = revive();
	if (cache == NULL && (cache = create()) == NULL)
		return NULL;
	cache->last_pass = os_clock_ms();
	atomic_store(&cache->live, 1);
	typed_self.cache = cache;
	typed_base = (uintptr_t)cache - (uintptr_t)type_records;
	return cache;
}

/* Of two that come at the same time one sees the other: the owner says that it is inside and then looks at claim; whoever claims says
 * so, and looks at inside after a membarrier. Within another call of the owner's claim means nothing: who claims sees that. */
struct type_cache *cache_enter(void)
{
	struct type_cache *cache = likely(typed_self.cache != NULL) ? typed_self.cache : attach();
	if (unlikely(cache == NULL))
		return NULL;
	owner_set(cache->inside, cache->inside + 1);
	compiler_fence();
	if (likely(cache->inside > 1 || atomic_load_explicit(&cache->claim, memory_order_acquire) == CACHE_OPEN))
		return cache;
	cache_leave(cache);
	return NULL;
}

void cache_leave(struct type_cache *cache)
{
	__atomic_store_n(&cache->inside, cache->inside - 1, __ATOMIC_RELEASE);
}

struct type_cache *cache_enter_own(void)
{
	return typed_self.cache != NULL ? cache_enter() : NULL;
}

/* ---- A thread's end, fork ------------------------------------------------------------------------------------------- */

/* The lists of a type that is being unregistered are left to whoever does that. destroy may fork: the child ends this thread
 * as well, and buries the cache here. Release: the lists, to whoever is about to claim the cache. */
void cache_end(struct type_cache *cache, enum typed_callbacks callbacks)
{
	typed_self.leaving = cache;
	for (unsigned i = 0; i < type_record_count(); i++) {
		const strata_type *record = &type_records[i];
		struct type_walk walk;
		if (others_read(cache->lists[i].bottom) == NULL || !type_walk_begin(&walk, type_of(record), callbacks))
			continue;
		list_open(cache, record);
		while (cache->lists[i].cursor != cache->lists[i].bottom)
			list_spill(cache, record);
		list_empty(cache, record);
		type_walk_end(&walk);
	}
	typed_self.leaving = NULL;
	atomic_store(&cache->live, 0);
	__atomic_store_n(&cache->inside, 0, __ATOMIC_RELEASE);
	bury(cache);
}

/* Claimed by another thread just now: that is not waited for, it does the rest. */
void typed_thread_end(void)
{
	struct type_cache *cache = typed_self.cache;
	typed_self.ended = true;
	typed_self.cache = NULL;
	typed_base = 0;
	if (cache == NULL)
		return;
	owner_set(cache->inside, 1);
	compiler_fence();
	uint32_t claimed = CACHE_CLAIMED;
	if (likely(atomic_load_explicit(&cache->claim, memory_order_acquire) == CACHE_OPEN) ||
	    !atomic_compare_exchange_strong(&cache->claim, &claimed, CACHE_LEFT))
		cache_end(cache, CALLBACKS_MAY_RUN);
}

static void forget_lists(struct type_cache *cache)
{
	for (unsigned i = 0; i < RECORD_COUNT; i++) {
		struct type_list *list = &cache->lists[i];
		struct list_cold *cold = &cache->colds[i];
		if (list->cursor == NULL && list->bottom == NULL)
			continue;
		cold->returned += list_count(list);
		cold->buffer_items -= (int64_t)kept_items(list_kept(list));
		list->cursor = list->bottom = list->limit = cold->limit = NULL;
		list->kept = list->gone = 0;
		cold->capacity = cold->missed = 0;
	}
	list_count_all(-atomic_load(&cache->limit_bytes));
	atomic_store(&cache->limit_bytes, 0);
	atomic_store(&cache->limit_objects, 0);
}

static void forget_depots(void)
{
	for (unsigned i = 0; i < type_record_count(); i++) {
		const strata_type *record = &type_records[i];
		struct typed_depot_counters counters = typed_depot_count(record);
		if ((counters.objects == 0 && counters.kept == 0) || type_of(record) == NULL)
			continue;
		list_count_all(-(int64_t)(counters.objects * list_weight(record)));
		below_shared_cold(record)->buffer_items -= (int64_t)kept_items(counters.kept);
		below_shared_cold(record)->returned += typed_depot_forget(record);
	}
	typed_depot_forget_batches();
}

/* The stack of dead caches is made anew: a thread may have been caught between it and live. Depots are touched by threads
 * with a cache and by those that walk: if there were none, they are whole. */
void typed_fork_child(void)
{
	bool others = type_fork_child();
	atomic_store(&dead_stack, 0);
	for (uint32_t number = 0; number < cache_count(); number++) {
		struct type_cache *cache = cache_at(number);
		if (cache == NULL)
			continue;
		bool own = cache == typed_self.cache || cache == typed_self.leaving;
		bool claimed = atomic_exchange(&cache->claim, CACHE_OPEN) != CACHE_OPEN;
		if (!own || (claimed && cache->inside == 0))
			forget_lists(cache);
		if (own)
			continue;
		others |= atomic_exchange(&cache->live, 0) != 0;
		cache->inside = 0;
		bury(cache);
	}
	if (others)
		forget_depots();
}
