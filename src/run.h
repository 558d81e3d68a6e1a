/* SPDX-License-Identifier: MIT */
/*
 * Page runs: blocks above 256 KiB, zeroed ones above 64 KiB, those aligned to more than a page, those that the heap profile samples, and
 * any where there is no heap to be had; each of pages of its own. Up to 256 KiB they share an
 * arena with others; above they take whole arenas, of which the tail that the block does not reach is never touched. From
 * 512 KiB on they move by remapping, not by copying. Above 2 MiB the documentation calls them direct mappings.
 */
#ifndef STRATA_RUN_H
#define STRATA_RUN_H

#include "layout.h"

/* size > 0 bytes at a multiple of alignment (a power of two), zero if wanted. NULL when memory is refused. */
void *run_allocate(size_t size, size_t alignment, bool zero);

/* Whether so many bytes at a multiple of alignment can be had at all: the region, if there is one, and the machine are large enough, and
 * alignment is none that runs refuse: above 4 GiB, since all memory in front of a block is made known to the records. */
bool run_may_fit(size_t size, size_t alignment);

/* Frees the run that begins at block. False: no run does, or it has been freed. */
bool run_free(void *block);

/* Gives up one run, if more wait in the cache than may be there. */
void run_give_up_surplus(void);

/* Gives up those that have waited in the cache for idle_ms, or are more than may be there; at most four times as many as it has room for.
 * Returns their bytes. */
size_t run_expire(uint32_t idle_ms);

/* Gives up the smallest run in the cache that has so many arenas, with its pages as they are, for whoever would otherwise take
 * arenas that never cost memory. False: there is none. */
bool run_give_up_for(size_t arenas);

size_t run_usable(const void *block);

/* The block's number in the heap profile (sample.h), in place of any that it had; 0 for none. By whoever holds it. */
void run_set_sample(void *block, uint32_t sample);
/* What was requested last of one that has a number. */
void run_note_size(const void *block, size_t size);
bool run_is_sampled(const void *block);

/* Makes the run at least size bytes without moving it; a smaller size gives memory back. False: it stays as it is. */
bool run_resize(void *block, size_t size);

/* Moves the run to a larger place, with room to grow; NULL: it stays where and as it is. */
void *run_move(void *block, size_t size);

#endif
