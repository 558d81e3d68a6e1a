/* SPDX-License-Identifier: MIT */
/*
 * Typed free lists: what they are made of, for the typed_ files alone. What the rest of the library may ask of them is in typed_tier.h, the
 * public side, and the promises, in include/strata/typed.h.
 *
 *   record   64 bytes that a handle points to; a type has one for each of its free lists
 *   list     64 bytes of one thread for one record: a stack of pointers to free objects
 *   cache    all lists of one thread
 *   depot    for each record, batches of objects that any thread may take (typed_depot.h)
 *
 * Records and lists have the same size and order, so that list = record + (cache - records): one thread-local word is all
 * that the fast path adds to the handle. While a thread has no cache that word is 0, and the record itself is read as the
 * list: its first words are NULL, which is a list both empty and full. So are the lists of a type that was unregistered.
 */
#ifndef STRATA_TYPED_LAYOUT_H
#define STRATA_TYPED_LAYOUT_H

#include "compiler.h"
#include "idle_look.h"
#include "typed_tier.h"

#include <strata/typed.h>

/* Records of all types. A fixed type has one; a list or dict two, of which the first is a stub, for calls that take it for
 * another shape; a tuple a stub and one for each length. */
#define RECORD_COUNT 1024u

/* Written by whoever registers the type, before the handle is known to anyone else; then only lengths and mark, set to 0 by whoever
 * unregisters it, which the program orders after all calls, and all but type by whoever registers another one in its place.
 * Threads that look through all records read type first (type_of), and the rest once they walk. */
struct strata_type {
	void *none[3];            /* NULL: see above */
	size_t lengths;           /* in a tuple's stub: how many lengths have lists; else 0 */
	struct type *type;
	uint32_t size;            /* bytes that the program asked for */
	uint32_t mark;            /* of a list or dict: its shape; else 0 */
	uint32_t keep;            /* items of the largest buffer that a free object keeps */
	uint32_t code;            /* of the size class (class * 2); 0: above MEDIUM_MAX, or aligned beyond the classes */
	uint32_t item_size;
	uint16_t buffer_offset;
	uint16_t capacity_offset;
} STRATA_ALIGNED(CACHE_LINE);

_Static_assert(sizeof(strata_type) == CACHE_LINE, "a record is as large as a list");

/*
 * One thread's free objects of one record. Only the owner touches it; others read it for statistics, and write it when the
 * type is unregistered, which the program orders after all calls, or while they have claimed the cache (typed_claim.c).
 *
 *   bottom <= cursor <= limit    all NULL: no array yet
 *   bottom[-1] == NULL           so that free may look at the top of an empty stack
 *   limit is NULL for a type with reset, so that each free takes the slow path; the true one is in struct list_cold
 *   bottom is LIST_CLOSED, and limit NULL, while the list is closed: each call takes the slow path, which opens it again
 */
struct type_list {
	void **cursor;            /* one above the top */
	void **bottom;
	void **limit;
	uint64_t hits;
	uint64_t kept;            /* what the objects' buffers hold: items << KEPT_SHIFT, plus the number of buffers */
	uint64_t kept_limit;
	/* Of a closed list; written by whoever claims, and by the owner that opens it. Read for statistics: rest by an acquire in
	 * list_count, partners the releases in list_claim and of bottom in list_close; gone as list_kept says. */
	void **rest;              /* what is left lies from here to cursor */
	uint64_t gone;            /* of kept: what those held that were taken */
} STRATA_ALIGNED(CACHE_LINE);

#define KEPT_SHIFT 24
#define KEPT_ITEMS_MOST (((size_t)1 << (63 - KEPT_SHIFT)) - 1)
_Static_assert(UINT32_MAX <= KEPT_ITEMS_MOST, "what one buffer adds does not wrap");
#define LIST_CLOSED ((void **)UINTPTR_MAX)

/* The rest of a list, off the fast path; as above. */
struct list_cold {
	void **limit;
	void **bottom;            /* of a closed list: the array's */
	uint32_t capacity;        /* of the array */
	uint32_t missed;          /* allocations that found the list empty, and for which its limit has not yet grown */
	uint64_t seen_hits;       /* when the list was last looked at for idleness */
	/* Counted by the calling thread, whichever list the object was on: only sums over all caches mean something. */
	uint64_t constructed;     /* objects taken from the tier below */
	uint64_t returned;        /* and given back */
	int64_t buffer_items;     /* in buffers made less freed; of tuples longer than any list: bytes */
} STRATA_ALIGNED(CACHE_LINE);

enum cache_claim {
	CACHE_OPEN,
	CACHE_CLAIMED, /* someone who is not the owner changes its lists */
	CACHE_LEFT,    /* and meanwhile its owner has ended: who claimed it does the rest */
};

struct type_cache {
	struct type_list lists[RECORD_COUNT];
	struct list_cold colds[RECORD_COUNT];
	uint32_t number;
	uint32_t slow_calls;      /* counted by the owner; read by whoever looks whether it sleeps */
	uint64_t last_pass;       /* when the lists were last looked at for idleness, ms */
	/* Sums over the lists, at most the settings typed_cache and typed_objects. Changed by the owner, and by whoever unregisters or
	 * claims; read by the owner. Relaxed: they order nothing. */
	_Atomic int64_t limit_bytes;
	_Atomic int64_t limit_objects;
	/* 1: some thread's; 0: waits in the stack of dead caches. Written by the thread that takes it or ends, or by whoever claimed it
	 * then; read by whoever claims, and by the child of a fork, which is alone. */
	_Atomic uint32_t live;
	/* How many calls the owner is in that change lists off the fast path: 0, or more within callbacks. Written by the owner, its
	 * release at the end read by the acquire of whoever claims; the claimer's membarrier orders it with claim. */
	uint32_t inside;
	/* enum cache_claim: OPEN -> CLAIMED and back by whoever claims, CLAIMED -> LEFT by the owner that ends, LEFT -> OPEN by whoever
	 * claimed. Sequentially consistent exchanges; what they release is the lists. Partners: the acquires in cache_enter and
	 * typed_thread_end, and each exchange. */
	_Atomic uint32_t claim;
	struct idle_look look;      /* of the lists: typed_claim.c */
	_Atomic uint32_t next_dead; /* in the stack of dead caches: number_stack.h */
};

/* A type's state: a phase, and above it how many walks over its lists there are without the program having called for them.
 *
 *   NONE -> LIVE              registers; release: the type and its records. Partners: the acquires in type_walk_begin and in
 *                             type_is_registered
 *   LIVE +- WALKER            walks; release at the end: what was done to the lists. Partner: the acquire in close_type
 *   LIVE -> CLOSING -> GONE   unregisters, when nobody walks; release: records and lists. Partner: reuse_type
 *   CLOSING -> LIVE           does not, since objects are live; release: likewise. Partner: the acquire in type_walk_begin
 *   GONE -> NONE              registers another one in its place
 *   CLOSING -> NONE           in the child of a fork, which is alone, when another thread was unregistering: for good
 */
enum type_phase { TYPE_NONE, TYPE_LIVE, TYPE_CLOSING, TYPE_GONE, TYPE_PHASE_MASK = 0xff };
#define TYPE_WALKER 0x100u

/* Written by whoever registers, in phase NONE; read by those to whom the state says LIVE or CLOSING. Besides, reuse_type reads
 * record_room in phase GONE, which a place keeps for good with its records; strata_type_stats_read all without asking, as its
 * caller may not unregister the type meanwhile; and so does the child of a fork (forget_depots), which is alone; and read_registered
 * (typed_stats.c), by the epoch. */
struct type {
	_Atomic uint32_t state; /* changed by all as above */
	/* Odd from when an unregistering is sure until the place is registered anew. Written by whoever does these; read by whoever sums up
	 * counters without a walk, which would make the program's unregistering fail: he drops what he read if it changed meanwhile, as
	 * with a sequence lock. */
	_Atomic uint32_t epoch;
	enum strata_shape shape;
	strata_type *records;
	uint32_t record_count;         /* of the type, */
	uint32_t record_room;          /* and of the place that it has */
	uint32_t buffer_weight;        /* bytes of a buffer that bounds reckon with, for each object */
	size_t alignment;
	strata_construct_callback *construct;
	strata_object_callback *reset;
	strata_object_callback *destroy;
	void *context;
	/* Bounds of a list. Written by strata_type_set_bounds at any time, read on slow paths. Relaxed: either will do. */
	_Atomic size_t cache_objects;
	_Atomic size_t cache_bytes;
	char name[32];
};

extern STRATA_HIDDEN strata_type type_records[RECORD_COUNT];

/* NULL: the record has no type yet. Acquire: what the record is; partner: the release in fill_records. */
static inline struct type *type_of(const strata_type *record)
{
	return __atomic_load_n(&record->type, __ATOMIC_ACQUIRE);
}

/* The calling thread's cache less the records; 0: it has none. */
extern STRATA_TLS uintptr_t typed_base;

STRATA_FAST struct type_list *list_at(uintptr_t base, const strata_type *record)
{
	return (struct type_list *)(base + (uintptr_t)record);
}

static inline size_t record_index(const strata_type *record)
{
	return (size_t)(record - type_records);
}

static inline struct type_list *cache_list(struct type_cache *cache, const strata_type *record)
{
	return &cache->lists[record_index(record)];
}

static inline struct list_cold *cache_cold(struct type_cache *cache, const strata_type *record)
{
	return &cache->colds[record_index(record)];
}

/* What the calling thread knows of itself, off the fast path. */
struct typed_thread {
	struct type_cache *cache;
	struct type_cache *leaving; /* the one that its end is just emptying: still its own in the child of a fork meanwhile */
	bool claims; /* from others' caches: not again from within a callback */
	bool passes; /* over what is idle: nor that */
	bool ended; /* its cache has been given up: what it still frees goes to the tier below */
};
extern STRATA_TLS struct typed_thread typed_self;

static inline struct list_cold *cache_own_cold(const strata_type *record)
{
	return typed_self.cache != NULL ? cache_cold(typed_self.cache, record) : NULL;
}

/* ---- Buffers of lists and dicts ------------------------------------------------------------------------------------- */

STRATA_FAST void **buffer_of(const strata_type *record, void *object)
{
	return (void **)((char *)object + record->buffer_offset);
}

STRATA_FAST size_t *capacity_of(const strata_type *record, void *object)
{
	return (size_t *)((char *)object + record->capacity_offset);
}

/* What a buffer of so many items adds to type_list.kept. */
STRATA_FAST uint64_t kept_by(size_t capacity)
{
	return ((uint64_t)capacity << KEPT_SHIFT) + (capacity != 0);
}

static inline uint64_t kept_by_object(const strata_type *record, void *object)
{
	return record->mark != 0 ? kept_by(*capacity_of(record, object)) : 0;
}

static inline uint64_t kept_items(uint64_t kept)
{
	return kept >> KEPT_SHIFT;
}

static inline size_t next_power_of_two(size_t n)
{
	return n <= 1 ? 1 : (size_t)2 << (63 - __builtin_clzll(n - 1));
}

/* ---- Types ---------------------------------------------------------------------------------------------------------- */

/* Live, or being unregistered. Acquire: the type is complete; partner: the release in strata_type_register. */
static inline bool type_is_registered(const struct type *type)
{
	uint32_t phase = atomic_load_explicit(&type->state, memory_order_acquire) & TYPE_PHASE_MASK;
	return phase == TYPE_LIVE || phase == TYPE_CLOSING;
}

/* A walk over a type's lists without the program having called for it, or the type's unregistering: lies on the stack of
 * the thread that does it. Callbacks may begin others meanwhile. */
struct type_walk {
	struct type *type;
	struct type_walk *outer;
	bool closes; /* unregisters */
};

/* May the calling thread walk over the type's lists, unasked? If so, it says when it is done. type may be NULL: no. */
bool type_walk_begin(struct type_walk *walk, struct type *type, enum typed_callbacks callbacks);
void type_walk_end(struct type_walk *walk);

/* Types registered so far, those that were unregistered among them; and how many records they have. */
unsigned type_count(void);
unsigned type_record_count(void);
struct type *type_at(unsigned number);

/* Objects of the type that the program has. */
uint64_t type_count_live(const struct type *type);

/* In the child of a fork: only the calling thread walks, if it forked in a callback. Whether others did: they may have been
 * caught half-way. */
bool type_fork_child(void);

#endif
