/* SPDX-License-Identifier: MIT */
/*
 * Whole arenas: claimed and returned by any thread, for runs, and for arena.c to make arenas of pages of.
 *
 *   claim / claim   the CAS on chunk->used decides; whoever loses looks elsewhere, and lets go what he has of a longer range
 *   claim / return  as two RMWs on the same word, in either order
 *   purge / claim   purging claims the arena first, by the same word
 */
#ifndef STRATA_ARENA_WHOLE_H
#define STRATA_ARENA_WHOLE_H

#include "layout.h"

/* Claims count neighbouring arenas, the first at a multiple of alignment arenas (a power of two). NO_ARENA when memory is
 * refused. With counts above a chunk's the search goes by whole chunks, but in a short region. As for all that claim here, what of
 * them costs memory is counted as free until the caller says that it is taken (arena_count_taken). */
arena_index arena_claim_whole(size_t count, size_t alignment);

/* The same of at most a chunk, only where it costs memory already, on the calling thread's node; NO_ARENA: there is no such, or
 * nothing is kept by node. */
arena_index arena_claim_whole_near(unsigned count, size_t alignment);

bool arena_claim_whole_exactly(arena_index first, size_t count);
void arena_return_whole(arena_index first, size_t count);

/* Returns an arena of pages, none of which is in use: its pages are counted as free already. */
void arena_return_unused(arena_index arena);

/* For purging: claims neighbours of one chunk that are unused, all or none, and ends that claim. Their pages stay counted as
 * free. */
bool arena_claim_unused(arena_index first, unsigned count);
void arena_unclaim(arena_index first, unsigned count);

#endif
