/* SPDX-License-Identifier: MIT */
#include "typed_list.h"

#include "core.h"
#include "options.h"
#include "typed_below.h"
#include "typed_depot.h"

#include <string.h>

/* ---- One list ------------------------------------------------------------------------------------------------------- */

/* The owner changes bottom and cursor together only with bottom NULL in between (set_array): whoever reads the same bottom
 * before and after has a cursor that belongs to it, or the NULL of between two arrays at the same place. Acquire: what is
 * read after them is no older; partners: the releases in set_array, list_close and list_claim. Of a closed list that was opened and
 * closed again in between cursor and rest may be of two arrays: this is a number for statistics, or a hint. */
unsigned list_count(const struct type_list *list)
{
	for (unsigned tries = 0; tries < 8; tries++) {
		void **bottom = __atomic_load_n(&list->bottom, __ATOMIC_ACQUIRE);
		void **rest = __atomic_load_n(&list->rest, __ATOMIC_ACQUIRE);
		void **cursor = __atomic_load_n(&list->cursor, __ATOMIC_ACQUIRE);
		void **from = bottom == LIST_CLOSED ? rest : bottom;
		if (bottom != NULL && cursor >= from && bottom == others_read(list->bottom))
			return (unsigned)(cursor - from);
		if (bottom == NULL && cursor == NULL)
			return 0;
	}
	return 0;
}

/* Acquire: gone is no older; partner: the release in list_open. */
uint64_t list_kept(const struct type_list *list)
{
	uint64_t kept = __atomic_load_n(&list->kept, __ATOMIC_ACQUIRE);
	uint64_t gone = others_read(list->gone);
	return kept > gone ? kept - gone : 0;
}

/* Release: who sees one of the three sees those before; partners: the acquires in list_count. */
static void set_array(struct type_list *list, void **bottom, void **cursor)
{
	__atomic_store_n(&list->bottom, NULL, __ATOMIC_RELEASE);
	__atomic_store_n(&list->cursor, cursor, __ATOMIC_RELEASE);
	__atomic_store_n(&list->bottom, bottom, __ATOMIC_RELEASE);
}

void list_push(const strata_type *record, struct type_list *list, void *object)
{
	owner_add(list->kept, kept_by_object(record, object));
	owner_set(*list->cursor, object);
	owner_publish(list->cursor, list->cursor + 1);
}

void *list_pop(const strata_type *record, struct type_list *list)
{
	void *object = list->cursor[-1];
	owner_publish(list->cursor, list->cursor - 1);
	owner_add(list->kept, -kept_by_object(record, object));
	return object;
}

/* Takes the newest objects off. */
static unsigned list_take(const strata_type *record, struct type_list *list, void **objects, unsigned most)
{
	unsigned count = 0;
	while (count < most && list->cursor != list->bottom)
		objects[count++] = list_pop(record, list);
	return count;
}

/* ---- Bounds --------------------------------------------------------------------------------------------------------- */

/* What all lists may hold by their limits, and what the depots hold; bytes by weight. Changed and read by all on slow paths.
 * Relaxed: a bound, which orders nothing. */
static _Atomic int64_t all_bytes STRATA_ALIGNED(CACHE_LINE);

void list_count_all(int64_t bytes)
{
	atomic_fetch_add_explicit(&all_bytes, bytes, memory_order_relaxed);
}

size_t list_weight(const strata_type *record)
{
	return below_block_size(record) + record->type->buffer_weight;
}

/* Most objects of one list, and of one depot. */
static size_t bound_of(const strata_type *record)
{
	size_t objects = atomic_load_explicit(&record->type->cache_objects, memory_order_relaxed);
	size_t bytes = atomic_load_explicit(&record->type->cache_bytes, memory_order_relaxed);
	return size_min(objects, bytes / list_weight(record));
}

static size_t room(size_t bound, int64_t used)
{
	return used < 0 ? bound : bound > (size_t)used ? bound - (size_t)used : 0;
}

static size_t limit_of(const struct type_list *list, const struct list_cold *cold)
{
	return list->bottom != NULL ? (size_t)(cold->limit - list->bottom) : 0;
}

static size_t allowed_step(struct type_cache *cache, const strata_type *record, size_t limit, size_t step)
{
	size_t weight = list_weight(record);
	int64_t bytes = atomic_load_explicit(&cache->limit_bytes, memory_order_relaxed);
	int64_t objects = atomic_load_explicit(&cache->limit_objects, memory_order_relaxed);
	int64_t all = atomic_load_explicit(&all_bytes, memory_order_relaxed);
	step = size_min(step, room(bound_of(record), (int64_t)limit));
	step = size_min(step, room(options()->typed_cache_bytes, bytes) / weight);
	step = size_min(step, room(options()->typed_objects, objects));
	return size_min(step, room(options()->typed_all_bytes, all) / weight);
}

/* The sums of the limits, by so many objects more. */
static void count_limit(struct type_cache *cache, const strata_type *record, int64_t objects)
{
	int64_t bytes = objects * (int64_t)list_weight(record);
	atomic_fetch_add_explicit(&cache->limit_objects, objects, memory_order_relaxed);
	atomic_fetch_add_explicit(&cache->limit_bytes, bytes, memory_order_relaxed);
	list_count_all(bytes);
}

static void set_limit(struct type_cache *cache, const strata_type *record, size_t limit)
{
	struct type_list *list = cache_list(cache, record);
	struct list_cold *cold = cache_cold(cache, record);
	count_limit(cache, record, (int64_t)limit - (int64_t)limit_of(list, cold));
	cold->limit = list->bottom + limit;
	owner_set(list->limit, record->type->reset != NULL ? NULL : cold->limit);
	if (record->mark != 0) {
		size_t items = size_min(limit * record->type->buffer_weight / record->item_size, KEPT_ITEMS_MOST);
		list->kept_limit = ((items + 1) << KEPT_SHIFT) - 1;
	}
}

/* In front of the first object lies a NULL. */
static bool make_array(struct type_list *list, struct list_cold *cold, size_t capacity)
{
	size_t limit = limit_of(list, cold);
	size_t count = (size_t)(list->cursor - list->bottom);
	void **array = core_allocate((capacity + 1) * sizeof *array, 1, false);
	if (array == NULL)
		return false;
	array[0] = NULL;
	if (count > 0)
		memcpy(array + 1, list->bottom, count * sizeof *array);
	void **old = list->bottom;
	set_array(list, array + 1, array + 1 + count);
	cold->limit = list->bottom + limit;
	owner_set(cold->capacity, (uint32_t)capacity);
	if (old != NULL)
		core_free(old - 1, "strata_type_free");
	return true;
}

bool list_raise_limit(struct type_cache *cache, const strata_type *record)
{
	struct type_list *list = cache_list(cache, record);
	struct list_cold *cold = cache_cold(cache, record);
	size_t limit = limit_of(list, cold);
	size_t step = limit < BATCH_OBJECTS ? BATCH_OBJECTS - limit : size_min(limit, cold->missed);
	step = allowed_step(cache, record, limit, step);
	if (step == 0)
		return false;
	if (limit + step > cold->capacity && !make_array(list, cold, size_max(limit + step, 2 * (size_t)cold->capacity)))
		return false;
	cold->missed -= (uint32_t)size_min(cold->missed, step);
	set_limit(cache, record, limit + step);
	return true;
}

void list_lower_limit(struct type_cache *cache, const strata_type *record)
{
	struct type_list *list = cache_list(cache, record);
	struct list_cold *cold = cache_cold(cache, record);
	size_t bound = bound_of(record);
	if (likely(limit_of(list, cold) <= bound))
		return;
	while ((size_t)(list->cursor - list->bottom) > bound)
		list_spill(cache, record);
	/* destroy may have used the type meanwhile: the array may be gone, or another one. */
	if (limit_of(list, cold) > bound)
		set_limit(cache, record, bound);
}

/* ---- Emptying and filling ------------------------------------------------------------------------------------------- */

static void give_up_array(struct type_cache *cache, const strata_type *record)
{
	struct type_list *list = cache_list(cache, record);
	struct list_cold *cold = cache_cold(cache, record);
	void **bottom = list->bottom;
	set_limit(cache, record, 0);
	set_array(list, NULL, NULL);
	owner_set(list->limit, NULL);
	cold->limit = NULL;
	cold->missed = 0;
	owner_set(cold->capacity, 0);
	core_free(bottom - 1, "strata_type_free");
}

/* destroy may free more objects of this type, which then go onto this list: as many are taken as there were. */
size_t list_empty(struct type_cache *cache, const strata_type *record)
{
	struct type_list *list = cache_list(cache, record);
	size_t bytes = 0;
	list_open(cache, record);
	if (list->bottom == NULL)
		return 0;
	for (size_t left = (size_t)(list->cursor - list->bottom); left > 0 && list->cursor != list->bottom; left--)
		bytes += below_unmake(record, list_pop(record, list));
	if (list->bottom != NULL && list->cursor == list->bottom)
		give_up_array(cache, record);
	return bytes;
}

void list_reset(struct type_list *list)
{
	owner_set(list->cursor, NULL);
	owner_set(list->bottom, NULL);
	owner_set(list->limit, NULL);
	owner_set(list->hits, 0);
	owner_set(list->kept, 0);
	owner_set(list->kept_limit, 0);
	owner_set(list->rest, NULL);
	owner_set(list->gone, 0);
}

static bool put_in_depot(const strata_type *record, void *const *objects, unsigned count)
{
	int64_t bytes = (int64_t)(count * list_weight(record));
	int64_t all = atomic_load_explicit(&all_bytes, memory_order_relaxed);
	if (room(options()->typed_all_bytes, all) < (size_t)bytes || !typed_depot_put(record, objects, count, bound_of(record)))
		return false;
	list_count_all(bytes);
	return true;
}

unsigned list_take_from_depot(const strata_type *record, void *objects[BATCH_OBJECTS])
{
	unsigned count = typed_depot_take(record, objects);
	if (count > 0)
		list_count_all(-(int64_t)(count * list_weight(record)));
	return count;
}

size_t list_put_away(const strata_type *record, void **objects, unsigned count)
{
	unsigned right = 0;
	size_t bytes = 0;
	for (unsigned i = 0; i < count; i++)
		if (likely(below_looks_right(record, objects[i], "strata_type_free")))
			objects[right++] = objects[i];
	if (right == 0 || put_in_depot(record, objects, right))
		return 0;
	for (unsigned i = 0; i < right; i++)
		bytes += below_unmake(record, objects[i]);
	return bytes;
}

void list_spill(struct type_cache *cache, const strata_type *record)
{
	void *objects[BATCH_OBJECTS];
	list_put_away(record, objects, list_take(record, cache_list(cache, record), objects, BATCH_OBJECTS));
}

bool list_refill(struct type_cache *cache, const strata_type *record)
{
	struct type_list *list = cache_list(cache, record);
	struct list_cold *cold = cache_cold(cache, record);
	void *objects[BATCH_OBJECTS];
	if (typed_depot_count(record).objects == 0)
		return false;
	/* Also of one that was claimed. */
	if (limit_of(list, cold) < BATCH_OBJECTS && !list_raise_limit(cache, record) && list->bottom == NULL)
		return false;
	unsigned count = list_take_from_depot(record, objects);
	if (count == 0)
		return false;
	typed_depot_count_refill(record);
	while (count > 0 && list->cursor != cold->limit)
		list_push(record, list, objects[--count]);
	while (count > 0)
		below_unmake(record, objects[--count]);
	return list->cursor != list->bottom;
}

/* ---- Claimed by another thread (typed_claim.c) ------------------------------------------------------------------------ */

/* The newest stays: a call that was under way when the list was closed may yet take it, or put another one above it. */
#define CLAIM_LEAVES 1u

unsigned list_count_claimable(const struct type_list *list)
{
	unsigned count = list_count(list);
	return count > CLAIM_LEAVES ? count - CLAIM_LEAVES : 0;
}

bool list_close(struct type_cache *cache, const strata_type *record)
{
	struct type_list *list = cache_list(cache, record);
	if (list->bottom == LIST_CLOSED || list_count_claimable(list) == 0)
		return false;
	cache_cold(cache, record)->bottom = list->bottom;
	owner_set(list->gone, 0);
	owner_set(list->rest, list->bottom);
	__atomic_store_n(&list->bottom, LIST_CLOSED, __ATOMIC_RELEASE);
	owner_set(list->limit, NULL);
	return true;
}

/* The call under way may put one object more onto the list, for which there was room. */
static void lower_claimed_limit(struct type_cache *cache, const strata_type *record, size_t left)
{
	struct list_cold *cold = cache_cold(cache, record);
	size_t limit = (size_t)(cold->limit - cold->bottom);
	if (limit <= left + 1)
		return;
	count_limit(cache, record, (int64_t)(left + 1) - (int64_t)limit);
	cold->limit = cold->bottom + left + 1;
}

/* Acquire: the slots, and the objects that they point to. The membarriers order them; partner for ThreadSanitizer: owner_publish. */
unsigned list_claim(struct type_cache *cache, const strata_type *record, void **objects, unsigned most)
{
	struct type_list *list = cache_list(cache, record);
	if (list->bottom != LIST_CLOSED)
		return 0;
	void **cursor = __atomic_load_n(&list->cursor, __ATOMIC_ACQUIRE);
	size_t count = cursor > list->rest ? (size_t)(cursor - list->rest) : 0;
	unsigned taken = count > CLAIM_LEAVES ? (unsigned)size_min(count - CLAIM_LEAVES, most) : 0;
	uint64_t gone = 0;
	for (unsigned i = 0; i < taken; i++) {
		objects[i] = others_read(list->rest[i]);
		gone += kept_by_object(record, objects[i]);
	}
	owner_set(list->gone, list->gone + gone);
	__atomic_store_n(&list->rest, list->rest + taken, __ATOMIC_RELEASE);
	lower_claimed_limit(cache, record, count - taken);
	return taken;
}

void list_open(struct type_cache *cache, const strata_type *record)
{
	struct type_list *list = cache_list(cache, record);
	struct list_cold *cold = cache_cold(cache, record);
	if (likely(list->bottom != LIST_CLOSED))
		return;
	size_t count = (size_t)(list->cursor - list->rest);
	for (size_t i = 0; i < count; i++)
		owner_set(cold->bottom[i], list->rest[i]);
	uint64_t kept = list->kept - list->gone;
	owner_set(list->gone, 0);
	__atomic_store_n(&list->kept, kept, __ATOMIC_RELEASE);
	set_array(list, cold->bottom, cold->bottom + count);
	set_limit(cache, record, limit_of(list, cold));
}
