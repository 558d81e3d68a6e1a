/* SPDX-License-Identifier: MIT */
/*
 * What the rest of the library asks of the typed tier: at a thread's end and in the child of a fork (process.c), when memory is to go back
 * (trim.c, limit.c), and for statistics.
 */
#ifndef STRATA_TYPED_TIER_H
#define STRATA_TYPED_TIER_H

#include <stddef.h>
#include <stdint.h>

/* Whether those who empty lists may run the program's destroy, or keep to types without. A plain malloc may not: its caller may hold what
 * the callback waits for; nor may a thread of ours, which the program does not know of. */
enum typed_callbacks { CALLBACKS_MAY_RUN, CALLBACKS_MAY_NOT, CALLBACKS_KINDS };

/* The thread ends: its lists serve others. */
void typed_thread_end(void);

/* In the child of a fork: what other threads' lists held is lost to it; their memory may have been caught half-way. */
void typed_fork_child(void);

/* All threads' lists and what waits for all goes to the tier below: everything, or of what is idle about PURGE_STEP. Bytes freed. */
size_t typed_trim(enum typed_callbacks callbacks);
size_t typed_maintain(enum typed_callbacks callbacks);

/* At exit, on request: a line for each type with live objects. */
void typed_print_live(void);

/* Sums over all types, as strata_type_stats has them. held: blocks that the typed tier has of the tiers below and the
 * program has not: cached objects, kept buffers, the lists' own arrays. */
struct typed_totals {
	uint64_t live_objects, live_bytes;
	uint64_t held_blocks, held_bytes;
	uint64_t hits, misses;
};
void typed_sum(struct typed_totals *totals);

#endif
