/* SPDX-License-Identifier: MIT */
/*
 * How much a bin may hold: a page's worth at first, doubled when it is met full, but beyond a few blocks only when what was
 * brought home for want of room was wanted again; and as long as the settings cache and cache_all allow. Called by whoever
 * holds the heap.
 */
#ifndef STRATA_BIN_LIMIT_H
#define STRATA_BIN_LIMIT_H

#include "layout.h"

/* Of a bin that is full: doubles its limit, from one block on, up to a few blocks. False: bring some home. */
bool bin_limit_overflow(struct heap *heap, unsigned class);

/* Of a bin that is empty: doubles its limit if blocks were brought home for want of room since it last was. */
void bin_limit_refill(struct heap *heap, unsigned class);

/* Of a bin that nobody wanted: halves its limit, down to a few blocks. */
void bin_limit_halve(struct heap *heap, unsigned class);

/* When all bins together may hold too much: half of what this one could hold more is taken from its limit. */
void bin_limit_lower(struct heap *heap, unsigned class);

/* When the heap has fallen so far that its bins may hold less than their limits say: the one that may hold most, else 0. What was brought
 * home from it is taken from its limit. */
unsigned bin_limit_largest_if_fallen(const struct heap *heap);
void bin_limit_give_up_spare(struct heap *heap, unsigned class);

/* Of an empty bin: it holds nothing from then on, so that each call comes to the heap; and it does again. Not of blocks above 4 KiB, whose
 * bins begin like that. */
bool bin_limit_may_close(unsigned class);
bool bin_limit_is_closed(const struct heap *heap, unsigned class);
void bin_limit_close(struct heap *heap, unsigned class);
void bin_limit_open(struct heap *heap, unsigned class);

/* How many blocks a refill may add, and that it did, above the top; the limit then is at least what the bin has. */
unsigned bin_limit_headroom(const struct heap *heap, unsigned class);
void bin_limit_filled(struct heap *heap, unsigned class, unsigned count);

/* With empty bins: every class begins anew. */
void bin_limits_reset(struct heap *heap);

/* The heap's limits no longer count among those of all; they begin anew, around what its bins hold. */
void bin_limits_forget(struct heap *heap);
void bin_limits_renew(struct heap *heap);

/* In the child of a fork: of all heaps only this one (or none) has limits that count. */
void bin_limits_count_only(const struct heap *heap);

#endif
