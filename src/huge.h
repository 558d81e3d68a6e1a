/* SPDX-License-Identifier: MIT */
/*
 * Huge pages, under huge:size: which groups of arenas, of 2 MiB each, the system may back with one. Asked by whoever takes an arena for
 * pages (arena.c), and told by whoever gives memory of arenas back.
 *
 * Memory of pools is filled without holes, from the lowest arena on, so that a huge page of it is used as a whole soon. That of runs need
 * not be: a program may touch one byte of each 2 MiB. So a group is made huge when the first of its arenas becomes one of pages, while
 * the others are unused, and none of it costs memory yet; and it is no longer huge from when a part of it goes back, without the rest:
 * else the system would fill what went with huge pages again, behind our back (khugepaged).
 */
#ifndef STRATA_HUGE_H
#define STRATA_HUGE_H

#include "layout.h"

#define HUGE_ARENAS ((unsigned)(HUGE_SIZE / ARENA_SIZE))

/* The caller has just claimed the arena whole, to make it one of pages, and has touched none of them. */
void huge_welcome(arena_index index);

/* os_purge, for memory of arenas: the caller has claimed the pages. */
int huge_purge(void *start, size_t size, bool lazily);

/* The caller has claimed the arenas, for a run: what it covers wholly is not to be huge, nor what it begins or ends in, unless others are
 * there already. What is in memory stays. */
void huge_refuse(arena_index first, size_t count);

/* The arenas are about to be mapped anew. */
void huge_forget(arena_index first, size_t count);

/* Of arenas to be purged in one call, count from this one on: as many that no huge page is torn, if that can be. more says how many there
 * are in a row. */
unsigned huge_count_untorn(arena_index first, unsigned count, unsigned more);

#endif
