/* SPDX-License-Identifier: MIT */
/*
 * Typed free lists of lists: buffers grow and are kept.
 */
#include "typed_support.h"

struct list {
	uint64_t mark;
	void **items;
	size_t count;
	size_t capacity;
};

static struct list *lists[2000];

static struct strata_type_info list_info(void)
{
	return (struct strata_type_info){
	    .name = "list",
	    .shape = STRATA_LIST,
	    .size = sizeof(struct list),
	    .item_size = sizeof(void *),
	    .buffer_offset = offsetof(struct list, items),
	    .capacity_offset = offsetof(struct list, capacity),
	};
}

static strata_type *list_type(size_t keep)
{
	struct strata_type_info info = list_info();

	info.keep_bytes = keep;
	return registered(info);
}

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
	/* The first is freed by the slow path, for there is no room yet. */
	for (int turn = 0; turn < 3; turn++) {
		struct list *list = new_list(type, 65);

		assert_true(list->capacity > 64);
		strata_list_free(type, list);
		list = new_list(type, 0);
		assert_int_equal(list->capacity, 0);
		assert_null(list->items);
		strata_list_free(type, list);
	}
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
	struct strata_type_info info = list_info();
	strata_type *type;

	(void)state;
	info.construct = make_list;
	info.reset = reset_list;
	info.destroy = destroy_list;
	type = registered(info);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lists_keep_what_is_appended),
	    cmocka_unit_test(a_freed_list_keeps_its_buffer),
	    cmocka_unit_test(a_long_buffer_is_not_kept),
	    cmocka_unit_test(kept_buffers_are_bounded),
	    cmocka_unit_test(bounds_are_narrowed_below_what_is_kept),
	    cmocka_unit_test(reserve_fails_and_leaves_the_list),
	    cmocka_unit_test(a_list_may_have_callbacks),
	};

	return cmocka_run_group_tests(tests, nothing_is_idle, NULL);
}
