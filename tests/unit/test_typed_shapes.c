/* SPDX-License-Identifier: MIT */
/*
 * The shapes of typed free lists that have items: tuples by length, lists whose buffers are kept and grow, dicts with
 * zeroed tables. What follows from caching is left out under check:1.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <strata/typed.h>

#include "support.h"

struct tuple {
	uint64_t mark, length;
	void *items[];
};

struct list {
	uint64_t mark;
	void **items;
	size_t count;
	size_t capacity;
};

struct slot {
	uint64_t hash;
	void *key, *value;
};

struct dict {
	size_t slots;
	uint64_t used;
	struct slot *table;
};

static struct tuple *tuples[300];
static struct list *lists[2000];
static struct dict *dicts[2000];

static strata_type *registered(struct strata_type_info info)
{
	strata_type *type = strata_type_register(&info, sizeof info);

	assert_non_null(type);
	return type;
}

static strata_type *tuple_type(size_t max_length)
{
	return registered((struct strata_type_info){
	    .name = "tuple",
	    .shape = STRATA_TUPLE,
	    .size = sizeof(struct tuple),
	    .item_size = sizeof(void *),
	    .max_length = max_length,
	});
}

static strata_type *list_type(size_t keep)
{
	return registered((struct strata_type_info){
	    .name = "list",
	    .shape = STRATA_LIST,
	    .size = sizeof(struct list),
	    .item_size = sizeof(void *),
	    .buffer_offset = offsetof(struct list, items),
	    .capacity_offset = offsetof(struct list, capacity),
	    .keep_bytes = keep,
	});
}

static strata_type *dict_type(void)
{
	return registered((struct strata_type_info){
	    .name = "dict",
	    .shape = STRATA_DICT,
	    .size = sizeof(struct dict),
	    .item_size = sizeof(struct slot),
	    .buffer_offset = offsetof(struct dict, table),
	    .capacity_offset = offsetof(struct dict, slots),
	});
}

static struct strata_type_stats stats_of(const strata_type *type)
{
	struct strata_type_stats stats;

	assert_int_equal(strata_type_stats_read(type, &stats, sizeof stats), 0);
	return stats;
}

static void unregister(strata_type *type)
{
	size_t live = 99;

	assert_int_equal(stats_of(type).live_objects, 0);
	assert_int_equal(stats_of(type).live_bytes, 0);
	assert_int_equal(strata_type_unregister(type, &live), 0);
	assert_int_equal(live, 0);
}

/* ---- Tuples --------------------------------------------------------------------------------------------------------- */

static size_t tuple_bytes(size_t length)
{
	return sizeof(struct tuple) + length * sizeof(void *);
}

static void tuples_of_every_length_hold_their_items(void **state)
{
	static const size_t longest[] = {0, 1, 3, 20, 100, 256};

	(void)state;
	for (size_t m = 0; m < sizeof longest / sizeof *longest; m++) {
		strata_type *type = tuple_type(longest[m]);

		for (int turn = 0; turn < 3; turn++) {
			for (size_t length = 0; length < 300; length++) {
				tuples[length] = strata_tuple_alloc(type, length);
				assert_non_null(tuples[length]);
				assert_true(is_aligned(tuples[length], 16));
				pattern_write(tuples[length], tuple_bytes(length), length);
			}
			assert_int_equal(stats_of(type).live_objects, 300);
			assert_true(stats_of(type).live_bytes >= 300 * tuple_bytes(150) - 300 * 8);
			for (size_t length = 0; length < 300; length++) {
				assert_true(pattern_holds(tuples[length], tuple_bytes(length), length));
				strata_tuple_free(type, tuples[length], length);
			}
		}
		unregister(type);
	}
}

static void each_length_has_its_list(void **state)
{
	strata_type *type = tuple_type(0);

	(void)state;
	if (checked_mode())
		skip();
	for (size_t length = 0; length <= 30; length++)
		tuples[length] = strata_tuple_alloc(type, length);
	for (size_t length = 0; length <= 30; length++)
		strata_tuple_free(type, tuples[length], length);
	assert_int_equal(stats_of(type).cached_objects, 21);
	for (size_t length = 0; length <= 20; length++)
		assert_ptr_equal(strata_tuple_alloc(type, length), tuples[length]);
	assert_int_equal(stats_of(type).hits, 21);
	assert_int_equal(stats_of(type).live_objects, 21);
	for (size_t length = 0; length <= 20; length++)
		strata_tuple_free(type, tuples[length], length);
	unregister(type);
}

static void a_tuple_that_is_too_long_is_refused(void **state)
{
	strata_type *type = tuple_type(0);

	(void)state;
	errno = 0;
	assert_null(strata_tuple_alloc(type, opaque(SIZE_MAX)));
	assert_int_equal(errno, ENOMEM);
	assert_null(strata_tuple_alloc(type, opaque(SIZE_MAX / 8)));
	assert_null(strata_tuple_alloc(type, opaque(PTRDIFF_MAX / 8)));
	unregister(type);
}

/* ---- Lists ---------------------------------------------------------------------------------------------------------- */

static void append(strata_type *type, struct list *list, void *item)
{
	if (list->count == list->capacity)
		assert_int_equal(strata_list_reserve(type, list, list->count + 1), 0);
	list->items[list->count++] = item;
}

static struct list *new_list(strata_type *type, size_t items)
{
	struct list *list = strata_list_alloc(type, items);

	assert_non_null(list);
	assert_true(list->capacity >= items);
	assert_int_equal(list->capacity == 0, list->items == NULL);
	list->count = 0;
	list->mark = (uintptr_t)list;
	return list;
}

static void lists_keep_what_is_appended(void **state)
{
	strata_type *type = list_type(0);
	size_t buffers = 0;

	(void)state;
	for (int turn = 0; turn < 3; turn++) {
		struct list *list = new_list(type, 0);
		void **before = NULL;

		for (uintptr_t i = 0; i < 100000; i++) {
			append(type, list, (void *)i);
			buffers += list->items != before;
			before = list->items;
		}
		for (uintptr_t i = 0; i < 100000; i++)
			assert_ptr_equal(list->items[i], (void *)i);
		assert_int_equal(list->mark, (uintptr_t)list);
		assert_true(stats_of(type).live_bytes >= 800000);
		strata_list_free(type, list);
	}
	/* Linear: the buffer has moved a number of times that grows with the logarithm. */
	assert_true(buffers <= 3 * 60);
	unregister(type);
}

static void a_freed_list_keeps_its_buffer(void **state)
{
	strata_type *type = list_type(0);
	struct strata_type_stats stats;

	(void)state;
	if (checked_mode())
		skip();
	struct list *list = new_list(type, 16);
	void **items = list->items;
	assert_true(list->capacity >= 16 && list->capacity <= 20);
	size_t bytes = list->capacity * sizeof(void *);
	assert_int_equal(stats_of(type).live_bytes, 32 + bytes);
	strata_list_free(type, list);
	stats = stats_of(type);
	assert_int_equal(stats.live_bytes, 0);
	assert_int_equal(stats.cached_bytes, 32 + bytes);
	assert_ptr_equal(new_list(type, 0), list);
	assert_ptr_equal(list->items, items);
	strata_list_free(type, list);
	assert_int_equal(strata_type_trim(type), 32 + bytes);
	unregister(type);
}

static void a_long_buffer_is_not_kept(void **state)
{
	strata_type *type = list_type(512);

	(void)state;
	struct list *list = new_list(type, 65);
	assert_true(list->capacity > 64);
	strata_list_free(type, list);
	list = new_list(type, 0);
	assert_int_equal(list->capacity, 0);
	assert_null(list->items);
	strata_list_free(type, list);
	unregister(type);
}

/* Buffers kept count for cache_bytes: all of a list, and what waits for all, with the usual 512 KiB each. */
static void kept_buffers_are_bounded(void **state)
{
	strata_type *type = list_type(4096);

	(void)state;
	for (int turn = 0; turn < 4; turn++) {
		for (size_t i = 0; i < 2000; i++)
			lists[i] = new_list(type, 500);
		for (size_t i = 0; i < 2000; i++)
			strata_list_free(type, lists[i]);
	}
	assert_true(stats_of(type).cached_bytes <= 2 * 512 * KIB + 31 * 4200);
	if (!checked_mode())
		assert_true(stats_of(type).cached_bytes >= 100 * KIB);
	unregister(type);
}

/* What is left on the list then holds more in buffers than it may: lists are freed all the same, those without one too. */
static void bounds_are_narrowed_below_what_is_kept(void **state)
{
	strata_type *type = list_type(0);

	(void)state;
	for (size_t i = 0; i < 140; i++)
		lists[i] = new_list(type, i < 100 ? 128 : 0);
	for (size_t i = 0; i < 100; i++)
		strata_list_free(type, lists[i]);
	assert_int_equal(strata_type_set_bounds(type, 50, 0), 0);
	for (size_t i = 100; i < 140; i++)
		strata_list_free(type, lists[i]);
	assert_true(stats_of(type).cached_objects <= 100);
	unregister(type);
}

static void reserve_fails_and_leaves_the_list(void **state)
{
	strata_type *type = list_type(0);
	struct list *list = new_list(type, 3);
	void **items = list->items;
	size_t capacity = list->capacity;

	(void)state;
	list->items[0] = list;
	assert_int_equal(strata_list_reserve(type, list, opaque(SIZE_MAX)), ENOMEM);
	assert_int_equal(strata_list_reserve(type, list, opaque(SIZE_MAX / 16)), ENOMEM);
	assert_ptr_equal(list->items, items);
	assert_int_equal(list->capacity, capacity);
	assert_ptr_equal(list->items[0], list);
	strata_list_free(type, list);
	errno = 0;
	assert_null(strata_list_alloc(type, opaque(SIZE_MAX / 2)));
	assert_int_equal(errno, ENOMEM);
	unregister(type);
}

/* ---- Dicts ---------------------------------------------------------------------------------------------------------- */

static struct dict *new_dict(strata_type *type, size_t slots)
{
	struct dict *dict = strata_dict_alloc(type, slots);

	assert_non_null(dict);
	assert_true(dict->slots >= slots);
	assert_int_equal(dict->slots & (dict->slots - 1), 0);
	assert_int_equal(dict->slots == 0, dict->table == NULL);
	assert_true(all_zero(dict->table, dict->slots * sizeof(struct slot)));
	dict->used = 0;
	return dict;
}

static void insert(struct slot *table, size_t slots, struct slot slot)
{
	size_t at = slot.hash & (slots - 1);

	while (table[at].key)
		at = (at + 1) & (slots - 1);
	table[at] = slot;
}

static void set(strata_type *type, struct dict *dict, uintptr_t key)
{
	if (3 * (dict->used + 1) > 2 * dict->slots) {
		void *old;
		size_t old_slots;

		assert_int_equal(strata_dict_resize(type, dict, dict->slots ? 2 * dict->slots : 8, &old, &old_slots), 0);
		assert_true(all_zero(dict->table, dict->slots * sizeof(struct slot)));
		for (size_t i = 0; i < old_slots; i++)
			if (((struct slot *)old)[i].key)
				insert(dict->table, dict->slots, ((struct slot *)old)[i]);
		strata_dict_release(type, old, old_slots);
	}
	insert(dict->table, dict->slots, (struct slot){key * 0x9e3779b97f4a7c15u >> 20, (void *)key, (void *)~key});
	dict->used++;
}

static bool holds(const struct dict *dict, uintptr_t key)
{
	size_t at = (key * 0x9e3779b97f4a7c15u >> 20) & (dict->slots - 1);

	while (dict->table[at].key && dict->table[at].key != (void *)key)
		at = (at + 1) & (dict->slots - 1);
	return dict->table[at].key && dict->table[at].value == (void *)~key;
}

static void dicts_keep_their_entries(void **state)
{
	static const uintptr_t sizes[] = {0, 1, 5, 6, 20, 100, 3000, 50000};
	strata_type *type = dict_type();

	(void)state;
	for (int turn = 0; turn < 3; turn++)
		for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
			struct dict *dict = new_dict(type, turn * 8);

			for (uintptr_t key = 1; key <= sizes[s]; key++)
				set(type, dict, key);
			for (uintptr_t key = 1; key <= sizes[s]; key++)
				assert_true(holds(dict, key));
			assert_int_equal(stats_of(type).live_objects, 1);
			strata_dict_free(type, dict);
		}
	unregister(type);
}

static void a_freed_dict_keeps_its_table(void **state)
{
	strata_type *type = dict_type();

	(void)state;
	if (checked_mode())
		skip();
	struct dict *dict = new_dict(type, 5);
	struct slot *table = dict->table;
	assert_int_equal(dict->slots, 8);
	memset(table, 0xaa, 8 * sizeof *table);
	strata_dict_free(type, dict);
	assert_ptr_equal(new_dict(type, 8), dict);
	assert_ptr_equal(dict->table, table);
	strata_dict_free(type, dict);
	assert_int_equal(stats_of(type).cached_bytes, 32 + 192);
	unregister(type);
}

static void many_dicts_are_zero(void **state)
{
	strata_type *type = dict_type();

	(void)state;
	for (int turn = 0; turn < 4; turn++) {
		for (size_t i = 0; i < 2000; i++) {
			dicts[i] = new_dict(type, i % 50);
			memset(dicts[i]->table, 0x55, dicts[i]->slots * sizeof(struct slot));
		}
		for (size_t i = 0; i < 2000; i++)
			strata_dict_free(type, dicts[i]);
	}
	unregister(type);
}

static void resize_fails_and_leaves_the_dict(void **state)
{
	strata_type *type = dict_type();
	struct dict *dict = new_dict(type, 8);
	struct slot *table = dict->table;
	void *old = NULL;
	size_t old_slots = 0;

	(void)state;
	assert_int_equal(strata_dict_resize(type, dict, opaque(SIZE_MAX), &old, &old_slots), ENOMEM);
	assert_int_equal(strata_dict_resize(type, dict, opaque(SIZE_MAX / 32), &old, &old_slots), ENOMEM);
	assert_ptr_equal(dict->table, table);
	assert_int_equal(dict->slots, 8);
	strata_dict_release(type, NULL, 0);
	strata_dict_free(type, dict);
	errno = 0;
	assert_null(strata_dict_alloc(type, opaque(SIZE_MAX)));
	assert_int_equal(errno, ENOMEM);
	unregister(type);
}

/* ---- Callbacks ------------------------------------------------------------------------------------------------------ */

static size_t made, unmade;

static int make_list(void *object, size_t size, void *context)
{
	struct list *list = object;

	(void)context;
	assert_int_equal(size, sizeof *list);
	assert_null(list->items);
	assert_int_equal(list->capacity, 0);
	list->mark = 7;
	made++;
	return 0;
}

static void reset_list(void *object, size_t size, void *context)
{
	struct list *list = object;

	(void)size;
	(void)context;
	memset(list->items, 0, list->capacity * sizeof *list->items);
	list->count = 0;
}

static void destroy_list(void *object, size_t size, void *context)
{
	(void)size;
	(void)context;
	assert_int_equal(((struct list *)object)->mark, 7);
	unmade++;
}

static void a_list_may_have_callbacks(void **state)
{
	struct strata_type_info info = {
	    .name = "called",
	    .shape = STRATA_LIST,
	    .size = sizeof(struct list),
	    .item_size = sizeof(void *),
	    .buffer_offset = offsetof(struct list, items),
	    .capacity_offset = offsetof(struct list, capacity),
	    .construct = make_list,
	    .reset = reset_list,
	    .destroy = destroy_list,
	};
	strata_type *type = registered(info);

	(void)state;
	for (int turn = 0; turn < 50; turn++) {
		struct list *list = strata_list_alloc(type, 8);

		assert_non_null(list);
		assert_int_equal(list->mark, 7);
		if (turn > 0 && !checked_mode())
			assert_true(all_zero(list->items, list->capacity * sizeof *list->items));
		memset(list->items, 0x33, list->capacity * sizeof *list->items);
		strata_list_free(type, list);
	}
	assert_int_equal(made, checked_mode() ? 50 : 1);
	unregister(type);
	assert_int_equal(unmade, made);
}

/* However slow the machine: lists that shrink when idle are in test_typed.c. */
static int nothing_is_idle(void **state)
{
	struct strata_option option;

	(void)state;
	if (strata_option_get("decay_ms", &option) != 0)
		return 1;
	option.number = INT32_MAX;
	return strata_option_set("decay_ms", &option);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tuples_of_every_length_hold_their_items),
	    cmocka_unit_test(each_length_has_its_list),
	    cmocka_unit_test(a_tuple_that_is_too_long_is_refused),
	    cmocka_unit_test(lists_keep_what_is_appended),
	    cmocka_unit_test(a_freed_list_keeps_its_buffer),
	    cmocka_unit_test(a_long_buffer_is_not_kept),
	    cmocka_unit_test(kept_buffers_are_bounded),
	    cmocka_unit_test(bounds_are_narrowed_below_what_is_kept),
	    cmocka_unit_test(reserve_fails_and_leaves_the_list),
	    cmocka_unit_test(dicts_keep_their_entries),
	    cmocka_unit_test(a_freed_dict_keeps_its_table),
	    cmocka_unit_test(many_dicts_are_zero),
	    cmocka_unit_test(resize_fails_and_leaves_the_dict),
	    cmocka_unit_test(a_list_may_have_callbacks),
	};

	return cmocka_run_group_tests(tests, nothing_is_idle, NULL);
}
