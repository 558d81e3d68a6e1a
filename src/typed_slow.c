/* SPDX-License-Identifier: MIT */
#include "typed_slow.h"

#include "check.h"
#include "options.h"
#include "typed_below.h"
#include "typed_cache.h"
#include "typed_checked.h"
#include "typed_idle.h"

#include <errno.h>
#include <string.h>

/* A type that is being unregistered counts: its destroy may free its own. */
static bool is_registered(const strata_type *record)
{
	const struct type *type = record != NULL ? type_of(record) : NULL;
	return type != NULL && type_is_registered(type);
}

bool typed_is_registered(const strata_type *type, const char *function)
{
	bool registered = is_registered(type);
	if (unlikely(!registered)) {
		misuse(function, type, "type is not registered");
		errno = EINVAL;
	}
	return registered;
}

bool typed_is(const strata_type *type, enum strata_shape shape, const char *function)
{
	if (unlikely(!typed_is_registered(type, function)))
		return false;
	if (likely(type->type->shape == shape))
		return true;
	misuse(function, type, "type is of another shape");
	errno = EINVAL;
	return false;
}

void typed_free_twice(const char *function, void *object)
{
	misuse(function, object, "object freed twice");
}

/* ---- Any record ----------------------------------------------------------------------------------------------------- */

static void *take_from(struct type_cache *cache, const strata_type *record)
{
	struct type_list *list = cache_list(cache, record);
	typed_tick(cache);
	list_open(cache, record);
	if (list->cursor != list->bottom) {
		owner_add(list->hits, 1);
		return list_pop(record, list);
	}
	struct list_cold *cold = cache_cold(cache, record);
	cold->missed += cold->missed < UINT32_MAX;
	if (list_refill(cache, record))
		return list_pop(record, list);
	return below_make(record);
}

static void *take(const strata_type *record)
{
	struct type_cache *cache = cache_enter();
	if (unlikely(cache == NULL))
		return below_make(record);
	void *object = take_from(cache, record);
	cache_leave(cache);
	return object;
}

static bool has_room(struct type_cache *cache, const strata_type *record)
{
	return cache_list(cache, record)->cursor != cache_cold(cache, record)->limit;
}

/* A buffer longer than a free object may keep, or than all on the list may hold together. */
static void drop_large_buffer(struct type_cache *cache, const strata_type *record, void *object)
{
	struct type_list *list = cache_list(cache, record);
	size_t capacity = *capacity_of(record, object);
	if (capacity > record->keep || list->kept + kept_by(capacity) > list->kept_limit)
		below_drop_buffer(record, object);
}

static void put(struct type_cache *cache, const strata_type *record, void *object, const char *function)
{
	struct type_list *list = cache_list(cache, record);
	typed_tick(cache);
	list_open(cache, record);
	if (!has_room(cache, record)) {
		list_lower_limit(cache, record);
		if (!list_raise_limit(cache, record))
			list_spill(cache, record);
	}
	if (record->mark != 0)
		drop_large_buffer(cache, record, object);
	if (unlikely(!has_room(cache, record)))
		below_unmake(record, object);
	else if (unlikely(list->cursor[-1] == object))
		typed_free_twice(function, object);
	else
		list_push(record, list, object);
}

static void give(const strata_type *record, void *object, const char *function)
{
	int saved_errno = errno;
	if (unlikely(!below_looks_right(record, object, function)))
		return;
	if (record->type->reset != NULL)
		record->type->reset(object, record->size, record->type->context);
	struct type_cache *cache = cache_enter();
	if (likely(cache != NULL)) {
		put(cache, record, object, function);
		cache_leave(cache);
	} else {
		below_unmake(record, object);
	}
	errno = saved_errno;
}

/* ---- Fixed ---------------------------------------------------------------------------------------------------------- */

void *typed_alloc_slow(strata_type *type)
{
	if (unlikely(!typed_is(type, STRATA_FIXED, "strata_type_alloc")))
		return NULL;
	return unlikely(options()->check) ? typed_checked_allocate(type, 0) : take(type);
}

size_t typed_take_ready(const strata_type *type, void **objects, size_t count)
{
	struct type_cache *cache = cache_enter_own();
	if (cache == NULL)
		return 0;
	struct type_list *list = cache_list(cache, type);
	list_open(cache, type);
	size_t ready = size_min((size_t)(list->cursor - list->bottom), count);
	if (ready > 0) {
		owner_publish(list->cursor, list->cursor - ready);
		owner_add(list->hits, ready);
		memcpy(objects, list->cursor, ready * sizeof *objects);
	}
	cache_leave(cache);
	return ready;
}

void typed_free_slow(strata_type *type, void *object)
{
	if (unlikely(!typed_is(type, STRATA_FIXED, "strata_type_free")))
		return;
	if (unlikely(options()->check))
		typed_checked_free(type, object, 0, "strata_type_free");
	else
		give(type, object, "strata_type_free");
}

/* ---- Tuples --------------------------------------------------------------------------------------------------------- */

static bool tuple_size(const strata_type *type, size_t length, size_t *size)
{
	return !__builtin_mul_overflow(length, (size_t)type->item_size, size) &&
	       !__builtin_add_overflow(*size, type->size, size) && *size <= PTRDIFF_MAX;
}

void *typed_tuple_alloc_slow(strata_type *type, size_t length)
{
	size_t size;
	if (unlikely(!typed_is(type, STRATA_TUPLE, "strata_tuple_alloc")))
		return NULL;
	if (!tuple_size(type, length, &size)) {
		errno = ENOMEM;
		return NULL;
	}
	if (unlikely(options()->check))
		return typed_checked_allocate(type, length);
	return length < type->lengths ? take(type + 1 + length) : below_make_long(type, size);
}

static void give_long(const strata_type *type, void *tuple, size_t size)
{
	int saved_errno = errno;
	if (unlikely(!below_looks_right(type, tuple, "strata_tuple_free")))
		return;
	if (type->type->reset != NULL)
		type->type->reset(tuple, size, type->type->context);
	below_unmake_long(type, tuple, size);
	errno = saved_errno;
}

void typed_tuple_free_slow(strata_type *type, void *tuple, size_t length)
{
	size_t size;
	if (unlikely(!typed_is(type, STRATA_TUPLE, "strata_tuple_free")))
		return;
	if (unlikely(options()->check))
		typed_checked_free(type, tuple, length, "strata_tuple_free");
	else if (length < type->lengths)
		give(type + 1 + length, tuple, "strata_tuple_free");
	else if (tuple_size(type, length, &size))
		give_long(type, tuple, size);
	else
		misuse("strata_tuple_free", tuple, "object of another type");
}

/* ---- Lists and dicts ------------------------------------------------------------------------------------------------ */

static bool fit_dict(const strata_type *record, void *dict, size_t slots)
{
	void *table = slots <= PTRDIFF_MAX ? below_table(record, next_power_of_two(slots)) : NULL;
	if (table == NULL)
		return false;
	below_drop_buffer(record, dict);
	*buffer_of(record, dict) = table;
	*capacity_of(record, dict) = next_power_of_two(slots);
	return true;
}

void *typed_fit(strata_type *type, enum strata_shape shape, void *object, size_t items)
{
	bool fits = shape == STRATA_LIST ? strata_list_reserve(type, object, items) == 0 :
					   fit_dict(type + 1, object, items);
	if (likely(fits))
		return object;
	typed_buffered_free_slow(type, shape, object);
	errno = ENOMEM;
	return NULL;
}

void *typed_zero_table(void *dict, void *table, size_t bytes)
{
	if (bytes != 0)
		memset(table, 0, bytes);
	return dict;
}

void *typed_buffered_alloc_slow(strata_type *type, enum strata_shape shape, size_t items)
{
	if (unlikely(!typed_is(type, shape, shape == STRATA_LIST ? "strata_list_alloc" : "strata_dict_alloc")))
		return NULL;
	void *object = unlikely(options()->check) ? typed_checked_allocate(type + 1, 0) : take(type + 1);
	if (object == NULL)
		return NULL;
	size_t capacity = *capacity_of(type + 1, object);
	if (capacity < items)
		return typed_fit(type, shape, object, items);
	if (shape == STRATA_DICT)
		return typed_zero_table(object, *buffer_of(type + 1, object), capacity * type[1].item_size);
	return object;
}

void typed_buffered_free_slow(strata_type *type, enum strata_shape shape, void *object)
{
	const char *function = shape == STRATA_LIST ? "strata_list_free" : "strata_dict_free";
	if (unlikely(!typed_is(type, shape, function)))
		return;
	if (unlikely(options()->check))
		typed_checked_free(type + 1, object, 0, function);
	else
		give(type + 1, object, function);
}

/* Not by the fast path again: where bounds were narrowed, the list has too much in buffers even for an object without. */
void typed_free_without_buffer(strata_type *type, enum strata_shape shape, void *object)
{
	below_drop_buffer(type + 1, object);
	typed_buffered_free_slow(type, shape, object);
}
