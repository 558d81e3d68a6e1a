/* SPDX-License-Identifier: MIT */
/*
 * Objects of the shapes of an interpreter's list, dict, tuple and string: documents are built of them, kept for a
 * while, and dropped one by one. Lists grow by realloc. An operation is one object.
 */
#include "bench.h"

#define DOCUMENTS 32u /* live at once */
#define CHILDREN  6u
#define DEPTH     4u
#define DICT_TABLE 232u /* bytes */

enum shape {
	STRING,
	TUPLE,
	LIST,
	DICT,
};

/* The header of every object. The blocks are full of what the load itself needs, so it verifies the mark. */
struct object {
	uint64_t mark; /* follows from the address */
	uint32_t shape, count;
	size_t size;
	struct object **items; /* LIST and DICT: a block of its own */
	struct object *inside[];
};

static const size_t string_lengths[] = {3, 5, 8, 8, 12, 17, 24, 60};

static uint64_t mark_of(const void *at)
{
	return (uint64_t)(uintptr_t)at * UINT64_C(0x9e3779b97f4a7c15);
}

static void *must(void *block)
{
	if (!block)
		bench_fail("no block for an object");
	return block;
}

static struct object *object_new(struct bench_thread *thread, size_t size, enum shape shape)
{
	struct object *object = must(malloc(size));

	object->mark = mark_of(object);
	object->shape = shape;
	object->count = 0;
	object->size = size;
	object->items = NULL;
	if (thread->checking)
		bench_live_add(size);
	thread->ops++;
	return object;
}

/* Bytes in the block of items. */
static size_t items_size(const struct object *object)
{
	if (object->shape == DICT)
		return DICT_TABLE;
	return object->shape == LIST ? (object->count + 3) / 4 * 4 * sizeof object->items[0] : 0;
}

static struct object *build(struct bench_thread *thread, unsigned depth)
{
	uint64_t random = bench_random(thread);
	enum shape shape = depth ? (enum shape)(TUPLE + random % 3) : STRING;
	struct object *object;

	if (shape == STRING)
		return object_new(thread, sizeof *object + 25 + string_lengths[random % 8], STRING);
	if (shape == TUPLE) {
		object = object_new(thread, sizeof *object + CHILDREN * sizeof object->inside[0], TUPLE);
		for (; object->count < CHILDREN; object->count++)
			object->inside[object->count] = build(thread, depth - 1);
		return object;
	}
	object = object_new(thread, sizeof *object + (shape == DICT ? 24 : 16), shape);
	if (shape == DICT)
		object->items = must(malloc(DICT_TABLE));
	for (; object->count < CHILDREN; object->count++) {
		if (shape == LIST && object->count % 4 == 0)
			object->items = must(realloc(object->items, (object->count + 4) * sizeof object->items[0]));
		object->items[object->count] = build(thread, depth - 1);
	}
	if (thread->checking)
		bench_live_add(items_size(object));
	return object;
}

static void drop(struct bench_thread *thread, struct object *object)
{
	struct object **items = object->shape == TUPLE ? object->inside : object->items;

	if (object->mark != mark_of(object))
		bench_fail("object %p was overwritten", (void *)object);
	for (uint32_t i = 0; i < object->count; i++)
		drop(thread, items[i]);
	if (thread->checking) {
		bench_live_sub(object->size);
		if (object->items)
			bench_live_sub(items_size(object));
	}
	free(object->items);
	free(object);
}

static void objects_work(struct bench_thread *thread)
{
	struct object *documents[DOCUMENTS];

	for (unsigned i = 0; i < DOCUMENTS; i++)
		documents[i] = build(thread, DEPTH);
	bench_at_peak(thread);
	for (size_t i = 0; i < thread->load->repeat; i++) {
		unsigned at = (unsigned)(bench_random(thread) % DOCUMENTS);

		drop(thread, documents[at]);
		documents[at] = build(thread, DEPTH);
	}
	for (unsigned i = 0; i < DOCUMENTS; i++)
		drop(thread, documents[i]);
	bench_empty();
}

static void add(enum bench_set set, unsigned threads)
{
	struct bench_load load = {
		.set = set,
		.threads = threads,
		.repeat = 32,
		.work = objects_work,
	};

	bench_register(&load, threads == 1 ? "objects" : "objects/threads:%u", threads);
}

void load_objects_register(void)
{
	add(BENCH_MAIN, 1);
	add(BENCH_MORE, 4);
	add(BENCH_MORE, 16);
}
