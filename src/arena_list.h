/* SPDX-License-Identifier: MIT */
/*
 * The shared lists on which arenas with free pages wait, one for each bucket of fullness. They are hints: whoever takes an
 * arena from a list claims pages in it by its free word, and that word alone decides.
 */
#ifndef STRATA_ARENA_LIST_H
#define STRATA_ARENA_LIST_H

#include "layout.h"

/* Most free pages that an arena of the bucket can have. */
extern STRATA_HIDDEN const uint8_t arena_bucket_most[BUCKET_COUNT];

/* Puts the arena on the list where this free word belongs, which it had a moment ago, and takes it off the others. */
void arena_relist(arena_index arena, uint64_t free);

/* To be called by whoever changed the arena's free word. */
void arena_word_changed(arena_index arena, uint64_t before, uint64_t after);

/* Of an arena in which no such run of free pages was found, two or more; and after pages of it have come back, with what is free then. */
void arena_note_lack(arena_index arena, unsigned count);
void arena_note_room(arena_index arena, uint64_t free);

/* A walk over the arenas that may be in a bucket and, if count is above 1, may have so many free pages in a row, lowest address first.
 * It begins with those set and the rest 0. */
struct arena_walk {
	unsigned bucket;
	unsigned count;
	unsigned passed;    /* chunks with none that may, though the bucket is not empty: beyond some it ends */
	uint32_t word;      /* of the summary of that bucket */
	uint64_t chunks;    /* of that word, still to visit */
	uint32_t chunk;
	uint64_t arenas;    /* of that chunk, still to visit */
};

/* NO_ARENA at the end. */
arena_index arena_walk_next(struct arena_walk *walk);

/* The same of those on one node: the same for the whole of the walk. */
arena_index arena_walk_next_on(unsigned node, struct arena_walk *walk);

#endif
