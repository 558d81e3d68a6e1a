/* SPDX-License-Identifier: MIT */
/*
 * Statistics: sums over the heaps' own counters, read without stopping anyone. Heaps are never unmapped, so the walk needs no
 * protection; what moves from one heap to another while it goes on may be counted twice or not at all.
 */
#ifndef STRATA_STATS_H
#define STRATA_STATS_H

#include "layout.h"

#include <strata/strata.h>

/* Sums for each class, over all heaps. */
struct class_stats {
	uint64_t out;    /* blocks that left their pools: live, in a bin, or on their way home */
	uint64_t cached; /* of them, in bins */
};

struct heap_sums {
	struct class_stats classes[CLASS_COUNT];
	uint64_t travelling_bytes; /* freed by others, on the way home */
	uint64_t travelling_blocks;
	int64_t quarantined_bytes; /* in quarantine */
	int64_t quarantined_blocks;
	int64_t used_pages;        /* that the totals of the arenas do not know of yet */
	int64_t dirty_pages;
	uint64_t pools;
	uint64_t threads;
};

void stats_sum(struct heap_sums *sums);

/* Prints the totals on stderr. */
void stats_print(void);

#endif
