/* SPDX-License-Identifier: MIT */
/*
 * CPython's own lists and tuples, with the free lists that it has for them, made, filled and dropped as load_typed.c does it:
 * "cpython/" beside "typed/". In one thread, since that one holds the interpreter's lock; the collector is off. Each item is
 * counted as a reference, which ours are not. Its dicts hash and compare their keys: no like comparison, and left out.
 * Where there is no libpython that they know they fail, and say so.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "bench.h"
#include "shapes.h"

#include <dlfcn.h>
#include <stdio.h>

/* Of its stable interface. An object is opaque, but for what every build of it begins with. */
struct object {
	intptr_t references;
	void *type;
	intptr_t count;
	struct object *items[]; /* of a tuple */
};

static struct {
	void (*initialize)(int);
	int (*collector_off)(void);
	struct object *(*integer)(long);
	struct object *(*list_new)(intptr_t);
	int (*list_append)(struct object *, struct object *);
	struct object *(*list_item)(struct object *, intptr_t);
	struct object *(*tuple_new)(intptr_t);
	void (*drop)(struct object *);
	struct object *item;
	int (*lock_take)(void);
	void *(*leave)(void);
} python;

static bool find_python(void)
{
	static const struct {
		const char *name;
		void *to;
	} calls[] = {
		{"Py_InitializeEx", &python.initialize}, {"PyGC_Disable", &python.collector_off},
		{"PyLong_FromLong", &python.integer},    {"PyList_New", &python.list_new},
		{"PyList_Append", &python.list_append},  {"PyList_GetItem", &python.list_item},
		{"PyTuple_New", &python.tuple_new},      {"Py_DecRef", &python.drop},
		{"PyGILState_Ensure", &python.lock_take}, {"PyEval_SaveThread", &python.leave},
	};
	void *library = NULL;

	/* 3.12 and later share some objects without counting them, and lay them out anew. */
	for (int minor = 11; minor >= 10 && !library; minor--) {
		char name[32];

		snprintf(name, sizeof name, "libpython3.%d.so.1.0", minor);
		library = dlopen(name, RTLD_NOW | RTLD_GLOBAL);
	}
	for (size_t i = 0; library && i < sizeof calls / sizeof *calls; i++) {
		void *found = dlsym(library, calls[i].name);

		if (!found)
			return false;
		*(void **)calls[i].to = found;
	}
	return library != NULL;
}

static void cpython_set_up(struct bench_run *run)
{
	(void)run;
	if (!find_python())
		bench_fail("no libpython 3.10 or 3.11 (Debian package libpython3.11)");
	python.initialize(0);
	python.collector_off();
	python.item = python.integer(1 << 20);
	python.leave();
}

/* The thread keeps the lock; the process ends without taking the interpreter down. */
static void cpython_thread_set_up(struct bench_thread *thread)
{
	thread->own = bench_own(thread->load->count * sizeof(void *));
	python.lock_take();
}

static struct object *make(struct bench_thread *thread, enum shape shape, size_t number)
{
	size_t length = lengths[shape][number % 16];
	struct object *object = shape == LIST ? python.list_new(0) : python.tuple_new((intptr_t)length);

	if (!object)
		bench_fail("no block for an object");
	for (size_t i = 0; i < length; i++) {
		if (shape == LIST) {
			if (python.list_append(object, python.item))
				bench_fail("no room for an item");
		} else {
			python.item->references++;
			object->items[i] = python.item;
		}
	}
	if (thread->checking)
		bench_live_add(sizeof *object + length * sizeof(void *));
	return object;
}

static void drop(struct bench_thread *thread, enum shape shape, struct object *object)
{
	if (thread->checking) {
		for (intptr_t i = 0; i < object->count; i++)
			if ((shape == LIST ? python.list_item(object, i) : object->items[i]) != python.item)
				bench_fail("items of object %p were overwritten", (void *)object);
		bench_live_sub(sizeof *object + (size_t)object->count * sizeof(void *));
	}
	python.drop(object);
}

/* count objects are made, then dropped in the same order. */
static void burst(struct bench_thread *thread)
{
	enum shape shape = (enum shape)thread->load->size;
	struct object **objects = thread->own;
	size_t count = thread->load->count;

	for (size_t turn = 0; turn < thread->load->repeat; turn++) {
		for (size_t i = 0; i < count; i++)
			objects[i] = make(thread, shape, i + turn);
		if (turn == 0)
			bench_at_peak(thread);
		for (size_t i = 0; i < count; i++)
			drop(thread, shape, objects[i]);
	}
	thread->ops += count * thread->load->repeat;
}

/* count objects live; one after the other is replaced, as if at random. */
static void steady(struct bench_thread *thread)
{
	enum shape shape = (enum shape)thread->load->size;
	struct object **objects = thread->own;
	size_t count = thread->load->count, repeat = thread->load->repeat;

	for (size_t i = 0; i < count; i++)
		objects[i] = make(thread, shape, i);
	for (size_t i = 0; i < repeat; i++) {
		struct object **place = &objects[scattered(i) % count];

		drop(thread, shape, *place);
		*place = make(thread, shape, i);
	}
	bench_at_peak(thread);
	for (size_t i = 0; i < count; i++)
		drop(thread, shape, objects[i]);
	thread->ops += count + repeat;
}

static void add(const char *name, void (*work)(struct bench_thread *), size_t count, size_t repeat, enum shape shape)
{
	struct bench_load load = {
		.set = BENCH_MORE,
		.threads = 1,
		.size = shape,
		.count = count,
		.repeat = repeat,
		.set_up = cpython_set_up,
		.thread_set_up = cpython_thread_set_up,
		.work = work,
	};

	bench_register(&load, "cpython/%s/threads:1", name);
}

void load_cpython_register(void)
{
	add("list/pair", burst, 1, 40000, LIST);
	add("tuple/pair", burst, 1, 40000, TUPLE);
	add("list/burst", burst, 128, 320, LIST);
	add("tuple/burst", burst, 128, 320, TUPLE);
	add("list/steady", steady, 1024, 40000, LIST);
	add("tuple/steady", steady, 1024, 40000, TUPLE);
}
