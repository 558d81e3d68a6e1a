/* SPDX-License-Identifier: MIT */
/*
 * Typed free lists of dicts: tables are kept, and zero.
 */
#include "typed_support.h"

struct slot {
	uint64_t hash;
	void *key, *value;
};

struct dict {
	size_t slots;
	uint64_t used;
	struct slot *table;
};

static struct dict *dicts[2000];

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

/* Types that come and go leave room for others, of which there were none: here, no tuples of a size to be reused. */
static void types_that_come_and_go_leave_room(void **state)
{
	struct strata_type_info list = {.name = "list", .shape = STRATA_LIST, .size = 32, .item_size = 8, .buffer_offset = 16,
	                                .capacity_offset = 24};
	struct strata_type_info tuple = {.name = "tuple", .shape = STRATA_TUPLE, .size = 16, .item_size = 8};

	(void)state;
	for (int i = 0; i < 3000; i++) {
		strata_type *type = fixed("comes and goes", 24);
		strata_type *other;

		tuple.max_length = 1 + (size_t)i % 8;
		other = strata_type_register(&tuple, sizeof tuple);
		assert_non_null(other);
		get(type, 0, 1);
		put(type, 0, 1);
		unregister(other);
		unregister(type);
	}
	for (size_t length = 8; length < 200; length += 60) {
		strata_type *types[2] = {strata_type_register(&list, sizeof list)};

		tuple.max_length = length;
		types[1] = strata_type_register(&tuple, sizeof tuple);
		for (size_t i = 0; i < 2; i++) {
			assert_non_null(types[i]);
			unregister(types[i]);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(dicts_keep_their_entries),
	    cmocka_unit_test(a_freed_dict_keeps_its_table),
	    cmocka_unit_test(many_dicts_are_zero),
	    cmocka_unit_test(resize_fails_and_leaves_the_dict),
	    cmocka_unit_test(types_that_come_and_go_leave_room),
	};

	return cmocka_run_group_tests(tests, nothing_is_idle, NULL);
}
