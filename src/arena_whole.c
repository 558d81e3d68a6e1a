/* SPDX-License-Identifier: MIT */
#include "arena_whole.h"

#include "arena_count.h"
#include "arena_node.h"
#include "bit_word.h"
#include "huge.h"
#include "region.h"
#include "run.h"
#include "walk.h"

#include <errno.h>

/* All chunks below have every arena in use; a hint, lowered by whoever gives back, raised by whoever searches. */
static _Atomic uint32_t lowest_chunk;

static void unused_again(uint32_t at)
{
	uint32_t lowest = atomic_load_explicit(&lowest_chunk, memory_order_relaxed);
	while (at < lowest && !atomic_compare_exchange_weak(&lowest_chunk, &lowest, at))
		;
}

/* The bits of chunk number at that the range [first, first + count) covers. */
static uint64_t bits_in_chunk(size_t at, arena_index first, size_t count)
{
	size_t from = size_max(first, at * CHUNK_ARENAS);
	size_t to = size_min((size_t)first + count, (at + 1) * CHUNK_ARENAS);
	return bits_below((unsigned)(to - from)) << (from % CHUNK_ARENAS);
}

static size_t last_chunk(arena_index first, size_t count)
{
	return ((size_t)first + count - 1) / CHUNK_ARENAS;
}

static void release_range(arena_index first, size_t count)
{
	for (size_t at = first / CHUNK_ARENAS; at <= last_chunk(first, count); at++)
		atomic_fetch_and(&region.chunks[at].used, ~bits_in_chunk(at, first, count));
}

/* What memory a whole arena has on another node goes back for as much on the own one: in all it is the same, and near for as long as it is
 * used; else threads of both nodes would have pages on either of them in it. */
static STRATA_NOINLINE void bring_near(arena_index first, size_t count)
{
	unsigned here = numa_here();
	for (arena_index index = first; index < first + count && here != ANY_NODE; index++)
		if (arena_costly_pages(index) != 0 && arena_node(index) != here &&
		    huge_purge(page_start(index * ARENA_PAGES), ARENA_SIZE, false) == 0)
			arena_count_purged(index, ALL_BITS, true);
	arena_node_note(first, count);
}

/* 0, -EBUSY: somebody has one of them, or -ENOMEM: they cannot be made memory. */
static int claim_range(arena_index first, size_t count)
{
	if (first + count > region.arena_limit || region_extend(first + (arena_index)count) != 0)
		return -ENOMEM;
	size_t last = last_chunk(first, count);
	for (size_t at = first / CHUNK_ARENAS; at <= last; at++) {
		if (claim_bits(&region.chunks[at].used, bits_in_chunk(at, first, count)))
			continue;
		if (at > first / CHUNK_ARENAS)
			release_range(first, at * CHUNK_ARENAS - first);
		return -EBUSY;
	}
	walk_untagged(first * ARENA_PAGES, count * ARENA_PAGES);
	arena_count_claim_whole(first, count);
	if (count > 1)
		huge_refuse(first, count);
	if (unlikely(numa_nodes() > 1))
		bring_near(first, count);
	return 0;
}

bool arena_claim_whole_exactly(arena_index first, size_t count)
{
	return claim_range(first, count) == 0;
}

/* count <= 64 arenas within one chunk; only among those in allowed. */
static arena_index claim_within(uint32_t at, unsigned count, size_t alignment, uint64_t allowed)
{
	struct chunk *chunk = &region.chunks[at];
	uint64_t aligned = alignment > 1 ? multiples_of((unsigned)size_min(alignment, 64)) : ALL_BITS;
	uint64_t firsts;
	while ((firsts = first_of_runs(~atomic_load(&chunk->used) & allowed, count) & aligned) != 0) {
		arena_index first = at * CHUNK_ARENAS + bit_lowest(firsts);
		int result = claim_range(first, count);
		if (result == 0)
			return first;
		if (result == -ENOMEM)
			break;
	}
	return NO_ARENA;
}

/* Which arenas are looked for. */
struct choice {
	unsigned count;
	size_t alignment;
	bool dirty_only; /* those that may cost memory already, */
	unsigned node;   /* and of that node */
};

static uint64_t allowed_in(uint32_t at, const struct choice *choice)
{
	if (!choice->dirty_only)
		return ALL_BITS;
	uint64_t dirty = atomic_load(&region.chunks[at].dirty);
	return dirty != 0 ? dirty & arena_node_mask(at, choice->node) : 0;
}

static arena_index search_committed(uint32_t from, uint32_t to, const struct choice *choice)
{
	bool all_full = true;
	for (uint32_t at = from; at < to; at++) {
		struct chunk *chunk = &region.chunks[at];
		if (all_full && atomic_load(&chunk->used) != ALL_BITS) {
			all_full = false;
			atomic_store_explicit(&lowest_chunk, at, memory_order_relaxed);
		}
		uint64_t allowed = allowed_in(at, choice);
		arena_index first = allowed != 0 ? claim_within(at, choice->count, choice->alignment, allowed) : NO_ARENA;
		if (first != NO_ARENA)
			return first;
	}
	return NO_ARENA;
}

static uint32_t committed_chunks(void)
{
	return (region_arenas() + CHUNK_ARENAS - 1) / CHUNK_ARENAS;
}

/* Unused arenas that cost memory already. */
static arena_index search_dirty(unsigned count, size_t alignment, unsigned node)
{
	struct choice choice = { count, alignment, true, node };
	if (!arena_any_dirty_unused())
		return NO_ARENA;
	return search_committed(atomic_load_explicit(&lowest_chunk, memory_order_relaxed), committed_chunks(), &choice);
}

static arena_index search_any(unsigned count, size_t alignment)
{
	struct choice choice = { count, alignment, false, ANY_NODE };
	uint32_t committed = committed_chunks();
	uint32_t start = atomic_load_explicit(&lowest_chunk, memory_order_relaxed);
	arena_index first = search_committed(start, committed, &choice);
	if (first == NO_ARENA)
		first = search_committed(0, (uint32_t)size_min(start, committed), &choice);
	for (; first == NO_ARENA && committed < region.arena_limit / CHUNK_ARENAS; committed++) {
		if (region_extend(committed * CHUNK_ARENAS + count) != 0)
			break;
		first = claim_within(committed, count, alignment, ALL_BITS);
	}
	return first;
}

/* More than a chunk, or aligned to more: from the beginning of a chunk (or of as many as the alignment says). */
static arena_index search_chunks(size_t count, size_t alignment)
{
	size_t step = size_max(alignment, CHUNK_ARENAS);
	size_t start = (round_up(region_base, step * ARENA_SIZE) - region_base) / ARENA_SIZE;
	for (size_t first = start; first + count <= region.arena_limit; first += step) {
		bool committed = first < region_arenas();
		if (committed && count >= CHUNK_ARENAS && atomic_load(&region.chunks[first / CHUNK_ARENAS].used) != 0)
			continue;
		int result = claim_range((arena_index)first, count);
		if (result == 0)
			return (arena_index)first;
		if (result == -ENOMEM)
			break;
	}
	return NO_ARENA;
}

static uint64_t used_in(size_t chunk)
{
	return chunk * CHUNK_ARENAS < region_arenas() ? atomic_load(&region.chunks[chunk].used) : 0;
}

/* Where address space is short what is lost at the end of each chunk matters, and there are not too many arenas to look at one after the
 * other. */
#define SHORT_REGION ((size_t)16 << 30)

static size_t arenas_at_most(void)
{
	return atomic_load_explicit(&region_most.arenas, memory_order_relaxed);
}

static bool is_short(void)
{
	return arenas_at_most() * ARENA_SIZE <= SHORT_REGION;
}

/* The lowest row of unused arenas, across the borders of chunks. */
static arena_index search_everywhere(size_t count, size_t alignment)
{
	size_t unused = 0;
	uint64_t used = 0;
	for (size_t end = 1, most = arenas_at_most(); end <= most; end++) {
		if (end % CHUNK_ARENAS == 1)
			used = used_in(end / CHUNK_ARENAS);
		unused = (used & arena_bit((arena_index)(end - 1))) != 0 ? 0 : unused + 1;
		if (unused < count || (end - count) % alignment != 0)
			continue;
		int result = claim_range((arena_index)(end - count), count);
		if (result == 0)
			return (arena_index)(end - count);
		if (result == -ENOMEM)
			break;
	}
	return NO_ARENA;
}

/* Dirty ones first, of the own node before others; then what a run in the cache has, which nobody may want again. */
static arena_index claim_at_most_chunk(size_t count, size_t alignment)
{
	unsigned whole = (unsigned)count;
	arena_index first = arena_claim_whole_near(whole, alignment);
	if (first == NO_ARENA)
		first = search_dirty(whole, alignment, ANY_NODE);
	if (first == NO_ARENA && run_give_up_for(count))
		first = search_dirty(whole, alignment, ANY_NODE);
	if (first == NO_ARENA && count > 1 && is_short())
		first = search_everywhere(count, alignment);
	return first != NO_ARENA ? first : search_any(whole, alignment);
}

arena_index arena_claim_whole(size_t count, size_t alignment)
{
	if (region_ready() != 0 || count > region.arena_limit)
		return NO_ARENA;
	if (count <= CHUNK_ARENAS && alignment <= CHUNK_ARENAS)
		return claim_at_most_chunk(count, alignment);
	if (alignment <= CHUNK_ARENAS && is_short())
		return search_everywhere(count, alignment);
	return search_chunks(count, alignment);
}

arena_index arena_claim_whole_near(unsigned count, size_t alignment)
{
	unsigned here = numa_here();
	return here != ANY_NODE ? search_dirty(count, alignment, here) : NO_ARENA;
}

void arena_return_whole(arena_index first, size_t count)
{
	walk_untagged(first * ARENA_PAGES, count * ARENA_PAGES);
	arena_count_return_whole(first, count);
	release_range(first, count);
	unused_again(first / CHUNK_ARENAS);
}

void arena_return_unused(arena_index index)
{
	arena_count_unused(index);
	arena_unclaim(index, 1);
	unused_again(index / CHUNK_ARENAS);
}

bool arena_claim_unused(arena_index first, unsigned count)
{
	return claim_bits(&chunk_of(first)->used, bits_in_chunk(first / CHUNK_ARENAS, first, count));
}

void arena_unclaim(arena_index first, unsigned count)
{
	release_range(first, count);
}
