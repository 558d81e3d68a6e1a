/* SPDX-License-Identifier: MIT */
/*
 * On which node of the machine an arena's memory lies: that of the thread which claimed it when none of its pages cost memory,
 * and so touched it first. It stays there until all of it went back to the system. A preference in the order of searches, and
 * no more: whatever the words say, an arena that has room is found, and an arena of another node serves.
 */
#ifndef STRATA_ARENA_NODE_H
#define STRATA_ARENA_NODE_H

#include "layout.h"
#include "numa.h"

/* To be called by whoever has claimed these arenas whole, before he uses them, where there are several nodes. */
void arena_node_note(arena_index first, size_t count);

/* ANY_NODE: none, or not known. */
static inline unsigned arena_node(arena_index arena)
{
	unsigned number = atomic_load(&region.arenas[arena].node);
	return likely(number == 0) ? ANY_NODE : number - 1;
}

static inline _Atomic uint64_t *arena_node_word(uint32_t chunk, unsigned node)
{
	return &region.node_arenas[(size_t)chunk * numa_nodes() + node];
}

/* The chunk's arenas on that node; with ANY_NODE all of them. */
static inline uint64_t arena_node_mask(uint32_t chunk, unsigned node)
{
	return likely(node == ANY_NODE) ? ~UINT64_C(0) : atomic_load(arena_node_word(chunk, node));
}

#endif
