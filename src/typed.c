/* SPDX-License-Identifier: MIT */
/*
 * The typed calls, as include/strata/typed.h promises them. The way to the common return is here, a test or two and a push
 * or pop on the thread's own list; all else is in typed_slow.c. tests/fastpath counts the instructions.
 */
#include "typed_layout.h"

#include "fast.h"
#include "typed_below.h"
#include "typed_slow.h"

#include <errno.h>
#include <string.h>

/* ---- Fixed ---------------------------------------------------------------------------------------------------------- */

/* The list's address is formed in each instruction (forget), which is one less than forming it once. */
STRATA_FAST void *pop(uintptr_t base, const strata_type *record, void **cursor)
{
	forget(base);
	owner_add(list_at(base, record)->hits, 1);
	forget(base);
	owner_move(list_at(base, record)->cursor, -1);
	return cursor[-1];
}

STRATA_FAST void push(uintptr_t base, const strata_type *record, void **cursor, void *object)
{
	owner_set(*cursor, object);
	forget(base);
	owner_move(list_at(base, record)->cursor, 1);
}

STRATA_FAST bool is_empty(uintptr_t base, const strata_type *record, void **cursor)
{
	forget(base);
	return cursor <= racy_read(list_at(base, record)->bottom);
}

STRATA_FAST bool is_full(uintptr_t base, const strata_type *record, void **cursor)
{
	forget(base);
	return cursor >= racy_read(list_at(base, record)->limit);
}

STRATA_PUBLIC void *strata_type_alloc(strata_type *type)
{
	uintptr_t base = typed_base;
	void **cursor = list_at(base, type)->cursor;
	if (unlikely(is_empty(base, type, cursor)))
		return typed_alloc_slow(type);
	return pop(base, type, cursor);
}

STRATA_PUBLIC void strata_type_free(strata_type *type, void *object)
{
	uintptr_t base = typed_base;
	void **cursor = list_at(base, type)->cursor;
	if (unlikely(is_full(base, type, cursor))) {
		typed_free_slow(type, object);
		return;
	}
	if (unlikely(cursor[-1] == object)) {
		typed_free_twice("strata_type_free", object);
		return;
	}
	push(base, type, cursor, object);
}

STRATA_PUBLIC size_t strata_type_alloc_batch(strata_type *type, size_t count, void **objects)
{
	size_t had = 0;
	while (had < count) {
		had += typed_take_ready(type, objects + had, count - had);
		if (had < count && (objects[had++] = typed_alloc_slow(type)) == NULL)
			return had - 1;
	}
	return had;
}

STRATA_PUBLIC void strata_type_free_batch(strata_type *type, void *const *objects, size_t count)
{
	for (size_t i = 0; i < count; i++)
		strata_type_free(type, objects[i]);
}

/* ---- Tuples --------------------------------------------------------------------------------------------------------- */

/* From a tuple's handle to the list of a length. */
STRATA_FAST uintptr_t list_offset(size_t length)
{
	return (length + 1) * sizeof(struct type_list);
}

STRATA_PUBLIC void *strata_tuple_alloc(strata_type *type, size_t length)
{
	if (unlikely(length >= type->lengths))
		return typed_tuple_alloc_slow(type, length);
	uintptr_t base = typed_base + list_offset(length);
	void **cursor = list_at(base, type)->cursor;
	if (unlikely(is_empty(base, type, cursor)))
		return typed_tuple_alloc_slow(type, length);
	return pop(base, type, cursor);
}

STRATA_PUBLIC void strata_tuple_free(strata_type *type, void *tuple, size_t length)
{
	if (unlikely(length >= type->lengths)) {
		typed_tuple_free_slow(type, tuple, length);
		return;
	}
	uintptr_t base = typed_base + list_offset(length);
	void **cursor = list_at(base, type)->cursor;
	if (unlikely(is_full(base, type, cursor))) {
		typed_tuple_free_slow(type, tuple, length);
		return;
	}
	if (unlikely(cursor[-1] == tuple)) {
		typed_free_twice("strata_tuple_free", tuple);
		return;
	}
	push(base, type, cursor, tuple);
}

/* ---- Lists and dicts ------------------------------------------------------------------------------------------------ */

/* type + 1 is looked at only once the handle is known to be of the shape. */
STRATA_FAST void *take_buffered(strata_type *type, enum strata_shape shape, size_t items)
{
	if (unlikely(type->mark != (uint32_t)shape))
		return typed_buffered_alloc_slow(type, shape, items);
	const strata_type *record = type + 1;
	uintptr_t base = typed_base;
	struct type_list *list = list_at(base, record);
	void **cursor = list->cursor;
	if (unlikely(cursor <= racy_read(list->bottom)))
		return typed_buffered_alloc_slow(type, shape, items);
	void *object = cursor[-1];
	size_t capacity = *capacity_of(record, object);
	owner_add(list->kept, -kept_by(capacity));
	pop(base, record, cursor);
	if (unlikely(capacity < items))
		return typed_fit(type, shape, object, items);
	return shape == STRATA_DICT ? typed_zero_table(object, *buffer_of(record, object), capacity * record->item_size) : object;
}

STRATA_FAST void give_buffered(strata_type *type, enum strata_shape shape, void *object)
{
	if (unlikely(type->mark != (uint32_t)shape)) {
		typed_buffered_free_slow(type, shape, object);
		return;
	}
	const strata_type *record = type + 1;
	uintptr_t base = typed_base;
	struct type_list *list = list_at(base, record);
	void **cursor = list->cursor;
	if (unlikely(cursor >= racy_read(list->limit))) {
		typed_buffered_free_slow(type, shape, object);
		return;
	}
	size_t capacity = *capacity_of(record, object);
	uint64_t kept = list->kept + kept_by(capacity);
	if (unlikely(capacity > record->keep || kept > list->kept_limit)) {
		typed_free_without_buffer(type, shape, object);
		return;
	}
	if (unlikely(cursor[-1] == object)) {
		typed_free_twice(shape == STRATA_LIST ? "strata_list_free" : "strata_dict_free", object);
		return;
	}
	owner_set(list->kept, kept);
	push(base, record, cursor, object);
}

STRATA_PUBLIC void *strata_list_alloc(strata_type *type, size_t items)
{
	return take_buffered(type, STRATA_LIST, items);
}

STRATA_PUBLIC void strata_list_free(strata_type *type, void *list)
{
	give_buffered(type, STRATA_LIST, list);
}

/* The type is of another shape, or none. */
static STRATA_NOINLINE int misused(const strata_type *type, enum strata_shape shape, const char *function)
{
	typed_is(type, shape, function);
	return EINVAL;
}

STRATA_PUBLIC int strata_list_reserve(strata_type *type, void *list, size_t items)
{
	const strata_type *record = type + 1;
	if (unlikely(type->mark != STRATA_LIST))
		return misused(type, STRATA_LIST, "strata_list_reserve");
	void **buffer = buffer_of(record, list);
	size_t *capacity = capacity_of(record, list);
	if (items <= *capacity)
		return 0;
	size_t got;
	void *grown = below_grow(record, *buffer, *capacity, items, &got);
	if (grown == NULL)
		return ENOMEM;
	*buffer = grown;
	*capacity = got;
	return 0;
}

STRATA_PUBLIC void *strata_dict_alloc(strata_type *type, size_t slots)
{
	return take_buffered(type, STRATA_DICT, slots);
}

STRATA_PUBLIC void strata_dict_free(strata_type *type, void *dict)
{
	give_buffered(type, STRATA_DICT, dict);
}

STRATA_PUBLIC int strata_dict_resize(strata_type *type, void *dict, size_t slots, void **old_table, size_t *old_slots)
{
	const strata_type *record = type + 1;
	if (unlikely(type->mark != STRATA_DICT))
		return misused(type, STRATA_DICT, "strata_dict_resize");
	if (slots > PTRDIFF_MAX)
		return ENOMEM;
	size_t rounded = next_power_of_two(slots);
	void *table = below_table(record, rounded);
	if (table == NULL)
		return ENOMEM;
	*old_table = *buffer_of(record, dict);
	*old_slots = *capacity_of(record, dict);
	*buffer_of(record, dict) = table;
	*capacity_of(record, dict) = rounded;
	return 0;
}

STRATA_PUBLIC void strata_dict_release(strata_type *type, void *table, size_t slots)
{
	if (table == NULL || !typed_is(type, STRATA_DICT, "strata_dict_release"))
		return;
	below_count_items(type + 1, -(int64_t)slots);
	fast_free(table);
}
