/* SPDX-License-Identifier: MIT */
/*
 * Arenas of pages: their pages claimed and returned by any thread, without a lock, in the fullest arenas first, so that
 * the emptiest can be given back; on a machine of several nodes in those of the own node first. (What is above one arena:
 * arena_whole.h.) The region is ready (region_ready) when any of this is called.
 *
 * Operation against operation: every pair may run at the same time, and a thread that stops anywhere inside stalls nobody.
 * What it has claimed stays claimed until it goes on.
 *
 *   claim / claim        the CAS on arena->free decides; the loser looks again
 *   claim / return       as two RMWs on the same word, in either order
 *   return / give back   giving back is a CAS from "all 64 free" to "none": a claim before it makes it fail
 *   purge / anything     purging claims the pages first: to others they are in use meanwhile
 *   relist / relist      see arena_relist (arena_list.c)
 */
#ifndef STRATA_ARENA_H
#define STRATA_ARENA_H

#include "arena_count.h"
#include "layout.h"

/* Claims up to want pages of one arena, among them count neighbours (count <= want <= 64), on a heap's account unless that is NULL.
 * Returns their bits, 0 when memory is refused. */
uint64_t arena_claim_pages(unsigned want, unsigned count, struct page_account *account, arena_index *arena);

/* Claims count <= 64 neighbouring pages of one arena, the first at a multiple of alignment pages (a power of two <= 64).
 * *dirty, unless NULL: bit i says that page i of the span is not known to be zero. NO_PAGE when memory is refused. */
page_index arena_claim_span(unsigned count, unsigned alignment, uint64_t *dirty);

/* Claims exactly those pages, if they are free: growth in place. */
bool arena_claim_exactly(arena_index arena, uint64_t pages);

/* Returns pages that the caller has claimed; their tags are 0 again. */
void arena_return(arena_index arena, uint64_t pages);

/* The same on a heap's account. */
void arena_return_on(struct page_account *account, arena_index arena, uint64_t pages);

/* Puts back free pages that purging had claimed by their word: as arena_return, but they count as free and as idle since
 * they became so. */
void arena_put_back(arena_index arena, uint64_t pages);

#endif
