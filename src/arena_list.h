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

/* A walk over the arenas that may be in a bucket, lowest address first. It begins with the bucket set and the rest 0. */
struct arena_walk {
	unsigned bucket;
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
