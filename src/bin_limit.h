/* SPDX-License-Identifier: MIT */
/*
 * How much a bin may hold: a page's worth at first, doubled each time it is met full, as long as the settings cache and
 * cache_all allow. Called by who holds the heap.
 */
#ifndef STRATA_BIN_LIMIT_H
#define STRATA_BIN_LIMIT_H

#include "layout.h"

/* Doubles a limit, from one block on. False: the bin, the heap or all heaps together hold enough. */
bool limit_double(struct heap *heap, unsigned class);

/* When all bins together may hold too much: half of what this one could hold more is taken from its limit. */
void limit_lower(struct heap *heap, unsigned class);

void limit_raise(struct heap *heap, unsigned class, int32_t by);

/* With empty bins: every class begins anew. */
void limits_reset(struct heap *heap);

/* The heap's limits no longer count among those of all; they begin anew, around what its bins hold. */
void limits_forget(struct heap *heap);
void limits_renew(struct heap *heap);

/* In the child of a fork: of all heaps only this one (or none) has limits that count. */
void limits_count_only(const struct heap *heap);

#endif
