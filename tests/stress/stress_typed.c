/* SPDX-License-Identifier: MIT */
/*
 * Proves: objects of every shape on typed free lists keep their contents while 24 threads at a time, each of which lives
 * for a short while and dies leaving objects to others, exchange them through shared slots, so that most are freed by a
 * thread that did not allocate them; constructed parts stay constructed, kept tables are zero; each object that was
 * constructed is destroyed once; at the end nothing lives and every type can be unregistered. Meanwhile threads trim,
 * change bounds and read counts, and one takes from the lists of all others, over and over. Runs for STRATA_STRESS_SECONDS (2).
 */
#include "stress.h"

#include <strata/typed.h>

#include <sched.h>
#include <stddef.h>
#include <string.h>

#define THREADS 24
#define SLOTS 2000
#define STEPS 20000 /* of one thread's life */

enum kind { PLAIN, BUILT, RESET, LARGE, TUPLE, LIST, DICT, KINDS };

struct object {
	uint64_t mark; /* BUILT, RESET: as constructed */
	enum kind kind;
	uint32_t length;
	uint64_t seed;
	unsigned char *buffer; /* LIST, DICT */
	size_t capacity;
	unsigned char contents[];
};

#define MARK UINT64_C(0x636f6e7374727563)
#define SLOT_BYTES 24u

static const size_t contents_size[KINDS] = {[PLAIN] = 40, [BUILT] = 100, [RESET] = 20, [LARGE] = 5000};

static strata_type *types[KINDS];
static _Atomic(struct object *) slots[SLOTS];
static atomic_size_t constructed, destroyed, exchanged, lives;

static int construct(void *memory, size_t size, void *context)
{
	struct object *object = memory;

	(void)size;
	object->mark = MARK ^ (uintptr_t)context;
	atomic_fetch_add_explicit(&constructed, 1, memory_order_relaxed);
	return 0;
}

static void check_mark(const struct object *object, const void *context)
{
	if (object->mark != (MARK ^ (uintptr_t)context))
		fatal("stress_typed: %p is not as it was constructed", (const void *)object);
}

static void reset(void *memory, size_t size, void *context)
{
	check_mark(memory, context);
	memset((char *)memory + sizeof(struct object), 0, size - sizeof(struct object));
}

static void destroy(void *memory, size_t size, void *context)
{
	(void)size;
	check_mark(memory, context);
	((struct object *)memory)->mark = 0;
	atomic_fetch_add_explicit(&destroyed, 1, memory_order_relaxed);
}

static void register_types(void)
{
	struct strata_type_info info[KINDS] = {
	    [PLAIN] = {.name = "plain"},
	    [BUILT] = {.name = "built", .construct = construct, .destroy = destroy, .context = &constructed},
	    [RESET] = {.name = "reset", .construct = construct, .reset = reset, .destroy = destroy, .context = &destroyed},
	    [LARGE] = {.name = "large", .cache_bytes = 100000},
	    [TUPLE] = {.name = "tuple", .shape = STRATA_TUPLE, .item_size = 8},
	    [LIST] = {.name = "list", .shape = STRATA_LIST, .item_size = 8},
	    [DICT] = {.name = "dict", .shape = STRATA_DICT, .item_size = SLOT_BYTES},
	};

	for (int kind = 0; kind < KINDS; kind++) {
		info[kind].size = sizeof(struct object) + contents_size[kind];
		info[kind].buffer_offset = offsetof(struct object, buffer);
		info[kind].capacity_offset = offsetof(struct object, capacity);
		types[kind] = strata_type_register(&info[kind], sizeof info[kind]);
		if (!types[kind])
			fatal("stress_typed: no type %s", info[kind].name);
	}
}

/* ---- One object ----------------------------------------------------------------------------------------------------- */

static unsigned char *contents_of(struct object *object, size_t *size)
{
	switch (object->kind) {
	case LIST:
		*size = object->length * (size_t)8;
		return object->buffer;
	case DICT:
		*size = object->capacity * SLOT_BYTES;
		return object->buffer;
	case TUPLE:
		*size = object->length * (size_t)8;
		return object->contents;
	default:
		*size = contents_size[object->kind];
		return object->contents;
	}
}

static void grow_dict(struct object *dict)
{
	void *old;
	size_t old_slots;

	if (strata_dict_resize(types[DICT], dict, dict->capacity * 2 + 8, &old, &old_slots) != 0)
		fatal("stress_typed: no table");
	if (!all_zero(dict->buffer, dict->capacity * SLOT_BYTES))
		fatal("stress_typed: a new table is not zero");
	strata_dict_release(types[DICT], old, old_slots);
}

static struct object *new_buffered(enum kind kind, uint32_t length, uint64_t *random)
{
	size_t ahead = random_below(random, 2) * length;
	struct object *object;

	if (kind == LIST) {
		object = strata_list_alloc(types[LIST], ahead);
		if (object && strata_list_reserve(types[LIST], object, length) != 0)
			fatal("stress_typed: no room for items");
		return object;
	}
	object = strata_dict_alloc(types[DICT], ahead);
	if (object && object->buffer && !all_zero(object->buffer, object->capacity * SLOT_BYTES))
		fatal("stress_typed: a kept table is not zero");
	if (object && random_below(random, 4) == 0)
		grow_dict(object);
	return object;
}

static struct object *new_object(uint64_t *random)
{
	enum kind kind = (enum kind)random_below(random, KINDS);
	uint32_t length = (uint32_t)random_below(random, random_below(random, 20) ? 24 : 300);
	struct object *object;
	size_t size;

	if (kind == TUPLE)
		object = strata_tuple_alloc(types[TUPLE], length);
	else if (kind == LIST || kind == DICT)
		object = new_buffered(kind, length, random);
	else
		object = strata_type_alloc(types[kind]);
	if (!object)
		fatal("stress_typed: no object");
	if (kind == BUILT || kind == RESET)
		check_mark(object, kind == BUILT ? &constructed : &destroyed);
	object->kind = kind;
	object->length = length;
	object->seed = random_next(random);
	unsigned char *contents = contents_of(object, &size);
	if (size)
		pattern_write(contents, size, object->seed);
	return object;
}

static void drop(struct object *object)
{
	size_t size;
	unsigned char *contents = contents_of(object, &size);
	enum kind kind = object->kind;

	if (size && !pattern_holds(contents, size, object->seed))
		fatal("stress_typed: contents of %p (kind %d, %zu bytes) changed", (void *)object, (int)kind, size);
	if (kind == TUPLE)
		strata_tuple_free(types[TUPLE], object, object->length);
	else if (kind == LIST)
		strata_list_free(types[LIST], object);
	else if (kind == DICT)
		strata_dict_free(types[DICT], object);
	else
		strata_type_free(types[kind], object);
}

/* ---- Threads -------------------------------------------------------------------------------------------------------- */

static void now_and_then(uint64_t *random)
{
	strata_type *type = types[random_below(random, KINDS)];
	struct strata_type_stats stats;

	switch (random_below(random, 5)) {
	case 0:
		strata_type_trim(type);
		break;
	case 1:
		strata_type_set_bounds(type, random_below(random, 2000), 0);
		break;
	case 2:
		strata_type_stats_read(type, &stats, sizeof stats);
		break;
	case 3:
		strata_maintain();
		break;
	default:
		if (random_below(random, 20) == 0)
			strata_trim();
	}
}

/* All are allocated before the first is freed: lists overflow. */
static void burst(uint64_t *random)
{
	struct object *objects[300];
	size_t count = random_below(random, 300);

	for (size_t i = 0; i < count; i++)
		objects[i] = new_object(random);
	for (size_t i = 0; i < count; i++)
		drop(objects[i]);
}

static void *live(void *seed)
{
	uint64_t random = (uint64_t)(uintptr_t)seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	size_t steps = stress_scale(STEPS), done = 0;

	for (; done < steps && !stress_over(); done++) {
		struct object *object = random_below(&random, 3) ? new_object(&random) : NULL;
		struct object *former = atomic_exchange(&slots[random_below(&random, SLOTS)], object);

		if (former)
			drop(former);
		if (done % 1000 == 999)
			now_and_then(&random);
		if (done % 2000 == 1999)
			burst(&random);
	}
	atomic_fetch_add(&exchanged, done);
	return NULL;
}

/* One place for a thread after the other. */
static void *lives_after_lives(void *place)
{
	while (!stress_over())
		stress_join(stress_thread(live, (void *)(uintptr_t)(atomic_fetch_add(&lives, 1) + 1)));
	return place;
}

/* What the others have on their lists, wherever they are in their calls. */
static void *takes_from_all(void *argument)
{
	while (!stress_over()) {
		strata_trim();
		sched_yield();
	}
	return argument;
}

static void nothing_lives(void)
{
	for (int kind = 0; kind < KINDS; kind++) {
		struct strata_type_stats stats;
		size_t count = 0;

		strata_type_stats_read(types[kind], &stats, sizeof stats);
		if (stats.live_objects || stats.live_bytes)
			fatal("stress_typed: %zu objects of type %s, %zu bytes live at the end", (size_t)stats.live_objects,
			      stats.name, (size_t)stats.live_bytes);
		if (strata_type_unregister(types[kind], &count) != 0)
			fatal("stress_typed: type %s cannot be unregistered", stats.name);
	}
	if (constructed != destroyed)
		fatal("stress_typed: %zu constructed, %zu destroyed", (size_t)constructed, (size_t)destroyed);
}

int main(void)
{
	pthread_t threads[THREADS], taker;

	stress_begin("stress_typed");
	register_types();
	for (size_t i = 0; i < THREADS; i++)
		threads[i] = stress_thread(lives_after_lives, (void *)i);
	taker = stress_thread(takes_from_all, NULL);
	stress_run_for(1);
	stress_join(taker);
	for (size_t i = 0; i < THREADS; i++)
		stress_join(threads[i]);
	for (size_t i = 0; i < SLOTS; i++)
		if (slots[i])
			drop(slots[i]);
	nothing_lives();
	return stress_end("%zu objects exchanged by %zu threads", (size_t)exchanged, (size_t)lives);
}
