/* SPDX-License-Identifier: MIT */
#include "typed_depot.h"

#include "number_stack.h"
#include "os.h"
#include "reserve_once.h"

#include <string.h>

struct batch {
	_Atomic uint32_t next; /* in the stack: number_stack.h */
	/* Written by whoever has the batch to itself before it is put in, read by whoever has taken it out; push and pop order them. */
	uint32_t count;
	void *objects[BATCH_OBJECTS];
};

_Static_assert(sizeof(struct batch) == 256, "four cache lines");

struct depot {
	number_stack batches; /* changed by all */
	/* Added to by whoever puts a batch in, before, and taken from by whoever took one out, after: never less than there is. Read for
	 * bounds and statistics. Relaxed: they order nothing. */
	_Atomic uint64_t objects;
	_Atomic uint64_t kept;
	_Atomic uint64_t refills;      /* counted by whoever refills a list; relaxed likewise */
	_Atomic uint64_t seen_refills; /* as it was when the depot was last looked at: by whoever looks next; relaxed likewise, */
	_Atomic uint64_t seen_at;      /* and the clock's ms then */
} STRATA_ALIGNED(CACHE_LINE);

static STRATA_LARGE struct depot depots[RECORD_COUNT];

/* ---- Batches -------------------------------------------------------------------------------------------------------- */

/* Address space for 2 million objects on their way; memory as far as it is used. Batch 0 is never used. */
#define BATCH_LIMIT 65536u
#define BATCH_STEP 256u

static reserved_once batches;
/* Incremented by whoever makes a batch, in make_batch alone, which orders the commit of its step. */
static _Atomic uint32_t batches_made STRATA_ALIGNED(CACHE_LINE);
/* Changed by all. */
static number_stack batches_free;

static struct batch *batch_at(uint32_t number)
{
	return (struct batch *)reserved_at(&batches) + number;
}

static _Atomic uint32_t *next_of(uint32_t number)
{
	return &batch_at(number)->next;
}

static bool have_batches(void)
{
	return reserve_once(&batches, BATCH_LIMIT * sizeof(struct batch), 0) != NULL;
}

/* A step is committed by each who takes a batch of it for the first time: twice does no harm. Release: it is committed;
 * partner: the acquire of whoever makes the next batch, in the same exchange. */
static uint32_t make_batch(void)
{
	uint32_t made = atomic_load_explicit(&batches_made, memory_order_relaxed);
	do {
		if (made + 1 >= BATCH_LIMIT)
			return 0;
		uint32_t number = made + 1;
		uint32_t step = number / BATCH_STEP * BATCH_STEP;
		if ((number == 1 || number == step) &&
		    os_commit(batch_at(step), BATCH_STEP * sizeof(struct batch)) != 0)
			return 0;
	} while (!atomic_compare_exchange_weak_explicit(&batches_made, &made, made + 1, memory_order_acq_rel,
							memory_order_relaxed));
	return made + 1;
}

/* ---- Depots --------------------------------------------------------------------------------------------------------- */

static struct depot *depot_of(const strata_type *record)
{
	return &depots[record_index(record)];
}

static uint64_t kept_in(const strata_type *record, void *const *objects, unsigned count)
{
	uint64_t kept = 0;
	if (record->mark != 0)
		for (unsigned i = 0; i < count; i++)
			kept += kept_by_object(record, objects[i]);
	return kept;
}

bool typed_depot_put(const strata_type *record, void *const *objects, unsigned count, size_t most)
{
	struct depot *depot = depot_of(record);
	if (atomic_load_explicit(&depot->objects, memory_order_relaxed) + count > most || !have_batches())
		return false;
	uint32_t number = number_stack_pop(&batches_free, next_of);
	if (number == 0 && (number = make_batch()) == 0)
		return false;
	struct batch *batch = batch_at(number);
	batch->count = count;
	memcpy(batch->objects, objects, count * sizeof *objects);
	atomic_fetch_add_explicit(&depot->kept, kept_in(record, objects, count), memory_order_relaxed);
	atomic_fetch_add_explicit(&depot->objects, count, memory_order_relaxed);
	number_stack_push(&depot->batches, number, next_of);
	return true;
}

unsigned typed_depot_take(const strata_type *record, void *objects[BATCH_OBJECTS])
{
	struct depot *depot = depot_of(record);
	if ((uint32_t)atomic_load_explicit(&depot->batches, memory_order_relaxed) == 0)
		return 0;
	uint32_t number = number_stack_pop(&depot->batches, next_of);
	if (number == 0)
		return 0;
	struct batch *batch = batch_at(number);
	unsigned count = batch->count;
	memcpy(objects, batch->objects, count * sizeof *objects);
	number_stack_push(&batches_free, number, next_of);
	atomic_fetch_sub_explicit(&depot->objects, count, memory_order_relaxed);
	atomic_fetch_sub_explicit(&depot->kept, kept_in(record, objects, count), memory_order_relaxed);
	return count;
}

void typed_depot_count_refill(const strata_type *record)
{
	atomic_fetch_add_explicit(&depot_of(record)->refills, 1, memory_order_relaxed);
}

size_t typed_depot_committed(void)
{
	uint32_t made = atomic_load_explicit(&batches_made, memory_order_relaxed);
	return made != 0 ? round_up(made + 1, BATCH_STEP) * sizeof(struct batch) : 0;
}

bool typed_depot_is_idle(const strata_type *record, uint64_t now, uint64_t idle_ms)
{
	struct depot *depot = depot_of(record);
	if (!has_passed(now, atomic_load_explicit(&depot->seen_at, memory_order_relaxed), idle_ms))
		return false;
	atomic_store_explicit(&depot->seen_at, now, memory_order_relaxed);
	uint64_t refills = atomic_load_explicit(&depot->refills, memory_order_relaxed);
	return atomic_exchange_explicit(&depot->seen_refills, refills, memory_order_relaxed) == refills;
}

struct typed_depot_counters typed_depot_count(const strata_type *record)
{
	struct depot *depot = depot_of(record);
	return (struct typed_depot_counters){
		.objects = atomic_load_explicit(&depot->objects, memory_order_relaxed),
		.kept = atomic_load_explicit(&depot->kept, memory_order_relaxed),
		.refills = atomic_load_explicit(&depot->refills, memory_order_relaxed),
	};
}

void typed_depot_reset_counters(const strata_type *record)
{
	atomic_store(&depot_of(record)->refills, 0);
	atomic_store(&depot_of(record)->seen_refills, 0);
}

uint64_t typed_depot_forget(const strata_type *record)
{
	struct depot *depot = depot_of(record);
	atomic_store(&depot->batches, 0);
	atomic_store(&depot->kept, 0);
	return atomic_exchange(&depot->objects, 0);
}

void typed_depot_forget_batches(void)
{
	atomic_store(&batches_free, 0);
	atomic_store(&batches_made, 0);
}
