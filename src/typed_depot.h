/* SPDX-License-Identifier: MIT */
/*
 * Depots: for each record a lock-free stack of batches of free objects that overflowed a thread's list, or were left by a
 * thread that ended (the magazines of Bonwick and Adams, "Magazines and Vmem", USENIX 2001).
 *
 * A batch is a type-stable record that has a number (number_stack.h).
 */
#ifndef STRATA_TYPED_DEPOT_H
#define STRATA_TYPED_DEPOT_H

#include "typed_layout.h"

#define BATCH_OBJECTS 31u

struct typed_depot_counters {
	uint64_t objects;
	uint64_t kept;    /* as type_list.kept */
	uint64_t refills; /* batches taken by threads whose list was empty */
};

/* Puts count <= BATCH_OBJECTS objects in; false: most objects would be exceeded, or memory is refused. */
bool typed_depot_put(const strata_type *record, void *const *objects, unsigned count, size_t most);

/* Takes a batch out; returns its length, 0: there is none. */
unsigned typed_depot_take(const strata_type *record, void *objects[BATCH_OBJECTS]);

/* The batch that was taken went to a list. */
void typed_depot_count_refill(const strata_type *record);

/* Bytes of records of batches, as committed. */
size_t typed_depot_committed(void);

/* Whether nobody has taken a batch since the last call that asked, which was idle_ms ago at least; else it did not ask. */
bool typed_depot_is_idle(const strata_type *record, uint64_t now, uint64_t idle_ms);

struct typed_depot_counters typed_depot_count(const strata_type *record);

/* The record has another type from now on. */
void typed_depot_reset_counters(const strata_type *record);

/* In the child of a fork: all of them are empty; what they held is lost. Returns how many objects that were. */
uint64_t typed_depot_forget(const strata_type *record);

/* And then, when all of them are: every batch may be made anew. */
void typed_depot_forget_batches(void);

#endif
