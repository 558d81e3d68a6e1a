/* SPDX-License-Identifier: MIT */
/*
 * Pages in a row, of one arena or many, as runs have them: what they cost, and how they are cleared and marked. For whoever has claimed
 * them.
 */
#ifndef STRATA_PAGE_RANGE_H
#define STRATA_PAGE_RANGE_H

#include "layout.h"

/* The part of the arena that a range of pages covers. */
uint64_t range_in_arena(arena_index index, size_t first_page, size_t pages);

/* Does that to each arena's part. */
void range_mark(page_index first, size_t pages, void (*mark)(arena_index, uint64_t));

/* Clears those of an arena's pages, from first on, that have a bit; those of a range that are not known to be zero. */
void range_zero_bits(page_index first, uint64_t pages);
void range_zero_dirty(page_index first, size_t pages);

/* How many of the pages cost memory already; whether all of them do. */
size_t range_count_costly(page_index first, size_t pages);
bool range_is_costly(page_index first, size_t pages);

/* Gives them back to the system, if that takes them. */
void range_purge(page_index first, size_t pages);

#endif
