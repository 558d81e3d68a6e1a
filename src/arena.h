/* SPDX-License-Identifier: MIT */
/*
 * Arenas: pages claimed and returned by any thread, without a lock; and the shared lists on which arenas with free pages
 * wait, the fullest to be used first, so that the emptiest can be given back.
 *
 * Operation against operation: every pair may run at the same time, and a thread that stops anywhere inside stalls nobody.
 * What it has claimed stays claimed until it goes on.
 *
 *   claim / claim        the CAS on arena->free (or chunk->used) decides; the loser looks again
 *   claim / return       as two RMWs on the same word, in either order
 *   return / give back   giving back is a CAS from "all 64 free" to "none": a claim before it makes it fail
 *   purge / anything     purging claims the pages first: to others they are in use meanwhile
 *   relist / relist      see arena_relist
 */
#ifndef STRATA_ARENA_H
#define STRATA_ARENA_H

#include "layout.h"

#define NO_ARENA UINT32_MAX

/* Claims up to want pages of one arena, among them count neighbours (count <= want <= 64). Returns their bits, 0 when memory
 * is refused. */
uint64_t arena_claim_pages(unsigned want, unsigned count, arena_index *arena);

/* Claims count <= 64 neighbouring pages of one arena, the first at a multiple of alignment pages (a power of two <= 64).
 * *dirty, unless NULL: bit i says that page i of the span is not known to be zero. NO_PAGE when memory is refused. */
page_index arena_claim_span(unsigned count, unsigned alignment, uint64_t *dirty);

/* Claims exactly those pages, if they are free: growth in place. */
bool arena_claim_exactly(arena_index arena, uint64_t pages);

/* Returns pages that the caller has claimed; their tags are 0 again. */
void arena_return(arena_index arena, uint64_t pages);

/* Claims count neighbouring arenas, the first at a multiple of alignment arenas (a power of two). NO_ARENA when memory is
 * refused. With at_chunk-sized counts the search goes by whole chunks. */
arena_index arena_claim_whole(size_t count, size_t alignment);
bool arena_claim_whole_exactly(arena_index first, size_t count);
void arena_return_whole(arena_index first, size_t count);

/* Which pages of the arena are not known to be zero. For those who have claimed them. */
uint64_t arena_dirty_pages(arena_index arena);
void arena_mark_dirty(arena_index arena, uint64_t pages);
void arena_mark_clean(arena_index arena, uint64_t pages);

/* Gives back free pages that have been idle for idle_ms, at most limit bytes (and at most one arena more), going on where
 * the last call stopped. Returns the bytes given back. */
size_t arena_purge(size_t limit, uint32_t idle_ms);

struct arena_counters {
	uint64_t used_pages;  /* claimed by pools, runs and reserves */
	uint64_t dirty_pages; /* free, and costing memory */
	uint64_t purged_bytes; /* since the start */
};
struct arena_counters arena_count(void);

#endif
