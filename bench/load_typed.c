/* SPDX-License-Identifier: MIT */
/*
 * Objects of an interpreter's shapes, created, filled to typical sizes and dropped: lists that grow as items are appended,
 * dicts with a zeroed table, tuples. "typed/" takes them from typed free lists where strata is preloaded, and by malloc
 * plus initialisation elsewhere; "plain/" by malloc plus initialisation everywhere. So the ratio of strata to a peer on
 * typed/ is what the lists bring over that peer, and typed/ to plain/ of strata what they bring over its own malloc.
 * An operation is one object.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "bench.h"
#include "shapes.h"

#include <strata/typed.h>

#include <dlfcn.h>
#include <string.h>

/* The headers, as CPython has them. */
struct header {
	uint64_t references;
	const void *type;
	size_t count;
};

struct list {
	struct header header;
	void **items;
	size_t capacity;
};

struct entry {
	uint64_t hash;
	void *key, *value;
};

struct dict {
	struct header header;
	struct entry *table;
	size_t slots;
};

struct tuple {
	struct header header;
	void *items[];
};

static const char *const shape_names[SHAPES] = {"list", "dict", "tuple"};

/* ---- strata's calls, if it is there ----------------------------------------------------------------------------- */

#define CALL(name) __typeof__(&name) name##_

static struct {
	strata_type *types[SHAPES]; /* NULL: not there */
	CALL(strata_list_alloc);
	CALL(strata_list_reserve);
	CALL(strata_list_free);
	CALL(strata_dict_alloc);
	CALL(strata_dict_resize);
	CALL(strata_dict_release);
	CALL(strata_dict_free);
	CALL(strata_tuple_alloc);
	CALL(strata_tuple_free);
} strata;

static const struct strata_type_info infos[SHAPES] = {
	[LIST] = {
		.name = "list",
		.shape = STRATA_LIST,
		.size = sizeof(struct list),
		.item_size = sizeof(void *),
		.buffer_offset = offsetof(struct list, items),
		.capacity_offset = offsetof(struct list, capacity),
	},
	[DICT] = {
		.name = "dict",
		.shape = STRATA_DICT,
		.size = sizeof(struct dict),
		.item_size = sizeof(struct entry),
		.buffer_offset = offsetof(struct dict, table),
		.capacity_offset = offsetof(struct dict, slots),
	},
	[TUPLE] = {.name = "tuple", .shape = STRATA_TUPLE, .size = sizeof(struct tuple), .item_size = sizeof(void *)},
};

#define FIND(name) (strata.name##_ = (__typeof__(&name))dlsym(RTLD_DEFAULT, #name))

static void find_strata(void)
{
	__typeof__(&strata_type_register) enroll =
		(__typeof__(&strata_type_register))dlsym(RTLD_DEFAULT, "strata_type_register");

	if (!enroll || !FIND(strata_list_alloc) || !FIND(strata_list_reserve) || !FIND(strata_list_free) ||
	    !FIND(strata_dict_alloc) || !FIND(strata_dict_resize) || !FIND(strata_dict_release) ||
	    !FIND(strata_dict_free) || !FIND(strata_tuple_alloc) || !FIND(strata_tuple_free))
		return;
	for (int shape = 0; shape < SHAPES; shape++)
		strata.types[shape] = enroll(&infos[shape], sizeof infos[shape]);
}

/* ---- Objects ---------------------------------------------------------------------------------------------------- */

static inline void *must(void *block)
{
	if (__builtin_expect(!block, 0))
		bench_fail("no block for an object");
	return block;
}

static inline void *initialised(void *object, const void *type)
{
	*(struct header *)object = (struct header){1, type, 0};
	return object;
}

/* The item of a place: follows from the object, so that a check finds what was overwritten. */
static inline void *item_of(const void *object, size_t place)
{
	return (void *)((uintptr_t)object ^ (place << 48));
}

static inline struct list *list_new(bool typed)
{
	struct list *list;

	if (typed)
		return initialised(must(strata.strata_list_alloc_(strata.types[LIST], 0)), &infos[LIST]);
	list = initialised(must(malloc(sizeof *list)), &infos[LIST]);
	list->items = NULL;
	list->capacity = 0;
	return list;
}

/* CPython's growth: 4, 8, 16, 24, 32, 40, 52 ... */
static void list_grow(struct list *list, bool typed)
{
	size_t needed = list->header.count + 1, capacity;

	if (typed) {
		if (strata.strata_list_reserve_(strata.types[LIST], list, needed))
			bench_fail("no room for an item");
		return;
	}
	capacity = (needed + (needed >> 3) + 6) & ~(size_t)3;
	list->items = must(realloc(list->items, capacity * sizeof list->items[0]));
	list->capacity = capacity;
}

static inline void list_append(struct list *list, void *item, bool typed)
{
	if (__builtin_expect(list->header.count == list->capacity, 0))
		list_grow(list, typed);
	list->items[list->header.count++] = item;
}

static inline void list_drop(struct list *list, bool typed)
{
	if (typed) {
		strata.strata_list_free_(strata.types[LIST], list);
		return;
	}
	free(list->items);
	free(list);
}

#define LEAST_SLOTS 8u

static inline struct dict *dict_new(bool typed)
{
	struct dict *dict;

	if (typed)
		return initialised(must(strata.strata_dict_alloc_(strata.types[DICT], LEAST_SLOTS)), &infos[DICT]);
	dict = initialised(must(malloc(sizeof *dict)), &infos[DICT]);
	dict->table = must(calloc(LEAST_SLOTS, sizeof dict->table[0]));
	dict->slots = LEAST_SLOTS;
	return dict;
}

static void dict_grow(struct dict *dict, bool typed)
{
	void *old = dict->table;
	size_t slots = dict->slots;

	if (typed) {
		if (strata.strata_dict_resize_(strata.types[DICT], dict, 2 * slots, &old, &slots))
			bench_fail("no room for entries");
	} else {
		dict->table = must(calloc(2 * slots, sizeof dict->table[0]));
		dict->slots = 2 * slots;
	}
	memcpy(dict->table, old, dict->header.count * sizeof dict->table[0]);
	if (typed)
		strata.strata_dict_release_(strata.types[DICT], old, slots);
	else
		free(old);
}

/* Entries stand in the order in which they came, as in CPython's; a third of the slots stays free. */
static inline void dict_set(struct dict *dict, size_t number, void *key, bool typed)
{
	if (__builtin_expect(3 * dict->header.count >= 2 * dict->slots, 0))
		dict_grow(dict, typed);
	dict->table[dict->header.count++] = (struct entry){number, key, key};
}

static inline void dict_drop(struct dict *dict, bool typed)
{
	if (typed) {
		strata.strata_dict_free_(strata.types[DICT], dict);
		return;
	}
	free(dict->table);
	free(dict);
}

static inline struct tuple *tuple_new(size_t length, bool typed)
{
	struct tuple *tuple;

	if (typed)
		tuple = must(strata.strata_tuple_alloc_(strata.types[TUPLE], length));
	else
		tuple = must(malloc(sizeof *tuple + length * sizeof tuple->items[0]));
	return initialised(tuple, &infos[TUPLE]);
}

static inline void tuple_drop(struct tuple *tuple, bool typed)
{
	if (typed)
		strata.strata_tuple_free_(strata.types[TUPLE], tuple, tuple->header.count);
	else
		free(tuple);
}

/* ---- Made and dropped ------------------------------------------------------------------------------------------- */

/* number tells the length: in turn, not at random, so that it is not the processor's guessing which is measured. */
static inline void *make(struct bench_thread *thread, enum shape shape, size_t number, bool typed)
{
	size_t length = lengths[shape][number % 16];
	void *object = shape == LIST ? (void *)list_new(typed) :
		       shape == DICT ? (void *)dict_new(typed) : (void *)tuple_new(length, typed);

	for (size_t i = 0; i < length; i++) {
		void *item = item_of(object, i + 1);

		if (shape == LIST)
			list_append(object, item, typed);
		else if (shape == DICT)
			dict_set(object, i, item, typed);
		else
			((struct tuple *)object)->items[i] = item;
	}
	if (shape == TUPLE)
		((struct tuple *)object)->header.count = length;
	if (__builtin_expect(thread->checking, 0))
		bench_live_add(sizeof(struct header) + length * sizeof(void *));
	return object;
}

static void verify(const void *object, enum shape shape)
{
	const struct header *header = object;
	size_t found = 0;

	if (header->references != 1 || header->type != &infos[shape])
		bench_fail("object %p was overwritten", object);
	for (size_t i = 0; i < header->count && shape != DICT; i++)
		found += (shape == LIST ? ((const struct list *)object)->items : ((const struct tuple *)object)->items)[i] ==
			 item_of(object, i + 1);
	for (size_t i = 0; shape == DICT && i < ((const struct dict *)object)->slots; i++) {
		const struct entry *entry = &((const struct dict *)object)->table[i];

		found += entry->key && entry->key == entry->value;
	}
	if (found != header->count)
		bench_fail("items of object %p were overwritten", object);
	bench_live_sub(sizeof *header + header->count * sizeof(void *));
}

static inline void drop(struct bench_thread *thread, enum shape shape, void *object, bool typed)
{
	if (__builtin_expect(thread->checking, 0))
		verify(object, shape);
	if (shape == LIST)
		list_drop(object, typed);
	else if (shape == DICT)
		dict_drop(object, typed);
	else
		tuple_drop(object, typed);
}

/* ---- Loads ------------------------------------------------------------------------------------------------------ */

#define INLINE static inline __attribute__((always_inline))

/* count objects are made, then dropped in the same order. */
INLINE void burst(struct bench_thread *thread, enum shape shape, bool typed)
{
	void **objects = thread->own;
	size_t count = thread->load->count;

	for (size_t turn = 0; turn < thread->load->repeat; turn++) {
		for (size_t i = 0; i < count; i++)
			objects[i] = make(thread, shape, i + turn, typed);
		if (turn == 0)
			bench_at_peak(thread);
		for (size_t i = 0; i < count; i++)
			drop(thread, shape, objects[i], typed);
		bench_empty();
	}
	thread->ops += count * thread->load->repeat;
}

/* count objects live; one after the other is replaced, as if at random. */
INLINE void steady(struct bench_thread *thread, enum shape shape, bool typed)
{
	void **objects = thread->own;
	size_t count = thread->load->count, repeat = thread->load->repeat;

	for (size_t i = 0; i < count; i++)
		objects[i] = make(thread, shape, i, typed);
	for (size_t i = 0; i < repeat; i++) {
		void **place = &objects[scattered(i) % count];

		drop(thread, shape, *place, typed);
		*place = make(thread, shape, i, typed);
	}
	bench_at_peak(thread);
	for (size_t i = 0; i < count; i++)
		drop(thread, shape, objects[i], typed);
	bench_empty();
	thread->ops += count + repeat;
}

/* In places that all threads share, so that most are dropped by another thread; at the end each empties them once. */
INLINE void shared(struct bench_thread *thread, enum shape shape, bool typed)
{
	void **objects = bench_data(thread->run);
	size_t count = thread->load->count;
	void *old;

	for (size_t i = 0; i < thread->load->repeat; i++) {
		void *mine = make(thread, shape, i, typed);

		old = __atomic_exchange_n(&objects[(scattered(i) + thread->index * 97) % count], mine, __ATOMIC_ACQ_REL);
		if (old)
			drop(thread, shape, old, typed);
	}
	bench_at_peak(thread);
	for (size_t i = 0; i < count; i++)
		if ((old = __atomic_exchange_n(&objects[i], NULL, __ATOMIC_ACQ_REL)) != NULL)
			drop(thread, shape, old, typed);
	thread->ops += thread->load->repeat;
}

#define WORK(kind, shape)                                                   \
	static void kind##_##shape(struct bench_thread *thread)             \
	{                                                                   \
		if (thread->load->size && strata.types[shape])              \
			kind(thread, shape, true);                          \
		else                                                        \
			kind(thread, shape, false);                         \
	}

WORK(burst, LIST)
WORK(burst, DICT)
WORK(burst, TUPLE)
WORK(steady, LIST)
WORK(steady, DICT)
WORK(steady, TUPLE)
WORK(shared, LIST)
WORK(shared, DICT)
WORK(shared, TUPLE)

static void typed_set_up(struct bench_run *run)
{
	if (!strata.types[LIST])
		find_strata();
	bench_set_data(run, bench_own(bench_load_of(run)->count * sizeof(void *)));
}

static void typed_thread_set_up(struct bench_thread *thread)
{
	thread->own = bench_own(thread->load->count * sizeof(void *));
}

typedef void work_function(struct bench_thread *);

static void add(const char *kind, work_function *const work[SHAPES], unsigned threads, size_t count, size_t repeat)
{
	struct bench_load load = {
		.set = BENCH_MORE,
		.threads = threads,
		.count = count,
		.repeat = repeat,
		.set_up = typed_set_up,
		.thread_set_up = typed_thread_set_up,
	};

	for (int shape = 0; shape < SHAPES; shape++) {
		load.work = work[shape];
		for (load.size = 0; load.size < 2; load.size++)
			bench_register(&load, "%s/%s/%s/threads:%u", load.size ? "typed" : "plain", shape_names[shape], kind,
			               threads);
	}
}

void load_typed_register(void)
{
	static work_function *const bursts[SHAPES] = {burst_LIST, burst_DICT, burst_TUPLE};
	static work_function *const steadies[SHAPES] = {steady_LIST, steady_DICT, steady_TUPLE};
	static work_function *const shareds[SHAPES] = {shared_LIST, shared_DICT, shared_TUPLE};

	for (unsigned threads = 1; threads <= 16; threads *= 4) {
		add("burst", bursts, threads, 128, threads > 4 ? 80 : 320);
		add("steady", steadies, threads, 1024, threads > 4 ? 10000 : 40000);
	}
	add("pair", bursts, 1, 1, 40000);
	add("burst-1000", bursts, 1, 1000, 40);
	add("burst-10000", bursts, 1, 10000, 4);
	for (unsigned threads = 2; threads <= 16; threads *= threads == 2 ? 2 : 4)
		add("shared", shareds, threads, 4096, threads > 4 ? 10000 : 40000);
}
