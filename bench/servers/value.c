/* SPDX-License-Identifier: MIT */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "value.h"

#include <strata/typed.h>

#include <dlfcn.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- strata's calls, looked up so that the program also runs without it --------------------------------------------- */

#define CALLS(_)                                                                                                    \
	_(strata_type_register) _(strata_type_unregister) _(strata_type_alloc) _(strata_type_free)                   \
	_(strata_tuple_alloc) _(strata_tuple_free) _(strata_list_alloc) _(strata_list_reserve) _(strata_list_free)   \
	_(strata_dict_alloc) _(strata_dict_resize) _(strata_dict_release) _(strata_dict_free)

#define POINTER(name) static __typeof__(&name) call_##name;
CALLS(POINTER)

static bool find_calls(void)
{
	bool found = true;

#define FIND(name) found &= (call_##name = (__typeof__(&name))dlsym(RTLD_DEFAULT, #name)) != NULL;
	CALLS(FIND)
	return found;
}

/* ---- Types ---------------------------------------------------------------------------------------------------------- */

/* Strings are tuples of words: a free list for each length up to 16 words, 128 bytes of text. */
#define STRING_WORD 8u

static const struct strata_type_info infos[KINDS] = {
	[NUMBER] = {.name = "number", .size = sizeof(struct number)},
	[STRING] = {
		.name = "string",
		.shape = STRATA_TUPLE,
		.size = sizeof(struct string),
		.item_size = STRING_WORD,
		.max_length = 16,
	},
	[TUPLE] = {
		.name = "tuple",
		.shape = STRATA_TUPLE,
		.size = sizeof(struct tuple),
		.item_size = sizeof(struct value *),
	},
	[LIST] = {
		.name = "list",
		.shape = STRATA_LIST,
		.size = sizeof(struct list),
		.item_size = sizeof(struct value *),
		.buffer_offset = offsetof(struct list, items),
		.capacity_offset = offsetof(struct list, capacity),
	},
	[DICT] = {
		.name = "dict",
		.shape = STRATA_DICT,
		.size = sizeof(struct dict),
		.item_size = sizeof(struct slot),
		.buffer_offset = offsetof(struct dict, table),
		.capacity_offset = offsetof(struct dict, slots),
	},
};

static strata_type *types[KINDS];
static bool typed;

bool value_begin(bool on_typed_lists)
{
	typed = on_typed_lists;
	if (!typed)
		return true;
	if (!find_calls())
		return false;
	for (int kind = 0; kind < KINDS; kind++) {
		types[kind] = call_strata_type_register(&infos[kind], sizeof infos[kind]);
		if (!types[kind])
			return false;
	}
	return true;
}

bool value_end(void)
{
	bool none = true;

	for (int kind = 0; typed && kind < KINDS; kind++) {
		size_t live = 0;
		int error;

		/* A connection's thread that has said that it ends may be at its lists yet. */
		while ((error = call_strata_type_unregister(types[kind], &live)) == EAGAIN)
			sched_yield();
		if (error != 0) {
			fprintf(stderr, "%zu values of type %s live\n", live, infos[kind].name);
			none = false;
		}
	}
	return none;
}

static void *must(void *block)
{
	if (!block) {
		fprintf(stderr, "no memory for a value\n");
		abort();
	}
	return block;
}

static struct value *headed(void *object, enum kind kind, size_t count)
{
	struct value *value = object;

	value->kind = kind;
	value->count = (uint32_t)count;
	return value;
}

/* ---- Numbers, strings, tuples --------------------------------------------------------------------------------------- */

struct value *number_new(double number)
{
	struct number *object = must(typed ? call_strata_type_alloc(types[NUMBER]) : malloc(sizeof *object));

	object->number = number;
	return headed(object, NUMBER, 0);
}

static size_t words_of(size_t bytes)
{
	return (bytes + STRING_WORD - 1) / STRING_WORD;
}

struct value *string_new(const char *text, size_t bytes)
{
	struct string *string = must(typed ? call_strata_tuple_alloc(types[STRING], words_of(bytes)) :
					     malloc(sizeof *string + words_of(bytes) * STRING_WORD));

	memcpy(string->text, text, bytes);
	return headed(string, STRING, bytes);
}

struct value *tuple_new(struct value *const *items, size_t count)
{
	struct tuple *tuple = must(typed ? call_strata_tuple_alloc(types[TUPLE], count) :
					   malloc(sizeof *tuple + count * sizeof tuple->items[0]));

	if (count > 0)
		memcpy(tuple->items, items, count * sizeof tuple->items[0]);
	return headed(tuple, TUPLE, count);
}

/* ---- Lists ---------------------------------------------------------------------------------------------------------- */

struct value *list_new(void)
{
	struct list *list = must(typed ? call_strata_list_alloc(types[LIST], 0) : malloc(sizeof *list));

	if (!typed) {
		list->items = NULL;
		list->capacity = 0;
	}
	return headed(list, LIST, 0);
}

static void make_room(struct list *list)
{
	size_t needed = list->head.count + (size_t)1;

	if (typed) {
		if (call_strata_list_reserve(types[LIST], list, needed) != 0)
			must(NULL);
		return;
	}
	list->capacity = (needed + (needed >> 3) + 6) & ~(size_t)3;
	list->items = must(realloc(list->items, list->capacity * sizeof list->items[0]));
}

void list_append(struct value *value, struct value *item)
{
	struct list *list = (struct list *)value;

	if (list->head.count == list->capacity)
		make_room(list);
	list->items[list->head.count++] = item;
}

/* ---- Dicts ---------------------------------------------------------------------------------------------------------- */

#define LEAST_SLOTS 8u

struct value *dict_new(void)
{
	struct dict *dict = must(typed ? call_strata_dict_alloc(types[DICT], LEAST_SLOTS) : malloc(sizeof *dict));

	if (!typed) {
		dict->table = must(calloc(LEAST_SLOTS, sizeof dict->table[0]));
		dict->slots = LEAST_SLOTS;
	}
	return headed(dict, DICT, 0);
}

/* FNV-1a. */
static uint64_t hash_of(const char *text, size_t bytes)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < bytes; i++)
		hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
	return hash;
}

/* The key's slot, or the free one where it belongs. */
static struct slot *find(const struct dict *dict, uint64_t hash, const char *text, size_t bytes)
{
	size_t at = hash & (dict->slots - 1);

	for (;; at = (at + 1) & (dict->slots - 1)) {
		struct slot *slot = &dict->table[at];

		if (!slot->key || (slot->hash == hash && slot->key->head.count == bytes &&
		                   memcmp(slot->key->text, text, bytes) == 0))
			return slot;
	}
}

static void grow(struct dict *dict)
{
	void *old = dict->table;
	size_t slots = dict->slots;

	if (typed) {
		if (call_strata_dict_resize(types[DICT], dict, 2 * slots, &old, &slots) != 0)
			must(NULL);
	} else {
		dict->table = must(calloc(2 * slots, sizeof dict->table[0]));
		dict->slots = 2 * slots;
	}
	for (size_t i = 0; i < slots; i++) {
		const struct slot *slot = &((struct slot *)old)[i];

		if (slot->key)
			*find(dict, slot->hash, slot->key->text, slot->key->head.count) = *slot;
	}
	if (typed)
		call_strata_dict_release(types[DICT], old, slots);
	else
		free(old);
}

void dict_set(struct value *value, struct value *key, struct value *item)
{
	struct dict *dict = (struct dict *)value;
	struct string *string = (struct string *)key;
	uint64_t hash = hash_of(string->text, key->count);
	struct slot *slot;

	if (3 * (dict->head.count + (size_t)1) > 2 * dict->slots)
		grow(dict);
	slot = find(dict, hash, string->text, key->count);
	if (slot->key) {
		value_drop(&slot->key->head);
		value_drop(slot->value);
		dict->head.count--;
	}
	*slot = (struct slot){hash, string, item};
	dict->head.count++;
}

struct value *dict_get(const struct value *value, const char *key)
{
	const struct slot *slot = find((const struct dict *)value, hash_of(key, strlen(key)), key, strlen(key));

	return slot->key ? slot->value : NULL;
}

/* ---- All kinds ------------------------------------------------------------------------------------------------------ */

static void free_value(struct value *value)
{
	if (!typed) {
		if (value->kind == LIST)
			free(((struct list *)value)->items);
		else if (value->kind == DICT)
			free(((struct dict *)value)->table);
		free(value);
		return;
	}
	switch (value->kind) {
	case NUMBER:
		call_strata_type_free(types[NUMBER], value);
		break;
	case STRING:
		call_strata_tuple_free(types[STRING], value, words_of(value->count));
		break;
	case TUPLE:
		call_strata_tuple_free(types[TUPLE], value, value->count);
		break;
	case LIST:
		call_strata_list_free(types[LIST], value);
		break;
	default:
		call_strata_dict_free(types[DICT], value);
	}
}

static size_t items_of(const struct value *value, struct value *const **items)
{
	*items = value->kind == TUPLE ? ((const struct tuple *)value)->items :
		 value->kind == LIST  ? ((const struct list *)value)->items :
					NULL;
	return *items ? value->count : 0;
}

static size_t table_of(const struct value *value, const struct slot **table)
{
	*table = value->kind == DICT ? ((const struct dict *)value)->table : NULL;
	return *table ? ((const struct dict *)value)->slots : 0;
}

void value_drop(struct value *value)
{
	struct value *const *items;
	const struct slot *table;
	size_t count = items_of(value, &items), slots = table_of(value, &table);

	for (size_t i = 0; i < count; i++)
		value_drop(items[i]);
	for (size_t i = 0; i < slots; i++) {
		if (!table[i].key)
			continue;
		free_value(&table[i].key->head);
		value_drop(table[i].value);
	}
	free_value(value);
}

size_t value_count(const struct value *value)
{
	struct value *const *items;
	const struct slot *table;
	size_t count = items_of(value, &items), slots = table_of(value, &table), total = 1;

	for (size_t i = 0; i < count; i++)
		total += value_count(items[i]);
	for (size_t i = 0; i < slots; i++)
		if (table[i].key)
			total += 1 + value_count(table[i].value);
	return total;
}
