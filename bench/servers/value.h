/* SPDX-License-Identifier: MIT */
/*
 * The values of a JSON-like language: numbers, strings, tuples, lists and dicts, on typed free lists of strata or on plain
 * malloc. The example of how a program with object types of its own uses <strata/typed.h>.
 */
#ifndef BENCH_SERVERS_VALUE_H
#define BENCH_SERVERS_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum kind { NUMBER, STRING, TUPLE, LIST, DICT, KINDS };

/* In front of every value. count: bytes of a string, items, entries. */
struct value {
	uint32_t kind;
	uint32_t count;
};

struct number {
	struct value head;
	double number;
};

struct string {
	struct value head;
	char text[];
};

struct tuple {
	struct value head;
	struct value *items[];
};

struct list {
	struct value head;
	struct value **items;
	size_t capacity;
};

struct slot {
	uint64_t hash;
	struct string *key; /* NULL: free */
	struct value *value;
};

struct dict {
	struct value head;
	struct slot *table;
	size_t slots; /* a power of two, or 0 */
};

/* Before the first value: on typed free lists, or (typed false) on malloc. False: strata is not loaded. */
bool value_begin(bool typed);

/* After the last one: false when values live that nobody dropped (typed free lists know). */
bool value_end(void);

/* Each ends the process when memory is refused. A value belongs to whoever made it until it is put into another. */
struct value *number_new(double number);
struct value *string_new(const char *text, size_t bytes);
struct value *tuple_new(struct value *const *items, size_t count);
struct value *list_new(void);
void list_append(struct value *list, struct value *item);
struct value *dict_new(void);

/* A key that is there gets the new value. */
void dict_set(struct value *dict, struct value *key, struct value *value);
struct value *dict_get(const struct value *dict, const char *key);

/* Drops a value with all that is in it; by any thread. */
void value_drop(struct value *value);

/* How many values it is made of, itself and keys included. */
size_t value_count(const struct value *value);

#endif
