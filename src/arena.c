/* SPDX-License-Identifier: MIT */
#include "arena.h"

#include "arena_list.h"
#include "arena_whole.h"
#include "bit_word.h"
#include "check.h"
#include "huge.h"
#include "numa.h"
#include "os.h"
#include "region.h"
#include "walk.h"

/* A request for pages of one arena. */
struct request {
	unsigned count;     /* neighbours */
	unsigned alignment; /* of the first of them, in pages */
	unsigned want;      /* in all, if there are more */
	uint64_t dirty;     /* result: which of the arena's pages were dirty before */
	struct page_account *account; /* NULL: the totals are told at once */
};

/* Pages that cost memory already come first. */
static uint64_t choose(arena_index index, uint64_t free, const struct request *request)
{
	uint64_t any = first_of_runs(free, request->count);
	if (any == 0)
		return 0;
	if (request->alignment > 1)
		any &= multiples_of(request->alignment);
	uint64_t warm = free & arena_costly_pages(index);
	uint64_t firsts = any & first_of_runs(warm, request->count);
	if (firsts == 0)
		firsts = any;
	if (firsts == 0)
		return 0;
	uint64_t pages = bits_below(request->count) << bit_lowest(firsts);
	if (request->want > request->count) {
		uint64_t rest = (warm & ~pages) != 0 ? warm & ~pages : free & ~pages;
		pages |= lowest_bits(rest, request->want - request->count);
	}
	return pages;
}

/* What may be taken of an arena's free pages. */
enum taken { ANY_PAGE, WARM_PAGE };

STRATA_FAST uint64_t claim_in(arena_index index, struct request *request, enum taken taken)
{
	struct arena *arena = &region.arenas[index];
	uint64_t free = atomic_load(&arena->free);
	uint64_t pages;
	do {
		pages = choose(index, taken == WARM_PAGE ? free & arena_costly_pages(index) : free, request);
		if (pages == 0) {
			if (free == 0)
				arena_relist(index, 0);
			else if (request->count > 1 && first_of_runs(free, request->count) == 0)
				arena_note_lack(index, request->count);
			return 0;
		}
	} while (!atomic_compare_exchange_weak(&arena->free, &free, free & ~pages));
	request->dirty = arena_dirty_pages(index);
	walk_untagged_in(index, pages);
	arena_count_claim(index, pages, request->account);
	arena_mark_dirty(index, pages);
	arena_word_changed(index, free, free & ~pages);
	return pages;
}

static bool claim_exactly(arena_index index, uint64_t pages)
{
	struct arena *arena = &region.arenas[index];
	uint64_t free = atomic_load(&arena->free);
	do {
		if ((free & pages) != pages)
			return false;
	} while (!atomic_compare_exchange_weak(&arena->free, &free, free & ~pages));
	walk_untagged_in(index, pages);
	arena_count_claim(index, pages, NULL);
	arena_mark_dirty(index, pages);
	arena_word_changed(index, free, free & ~pages);
	return true;
}

bool arena_claim_exactly(arena_index index, uint64_t pages)
{
	if (!arena_charge(bit_count(pages)))
		return false;
	bool claimed = claim_exactly(index, pages);
	if (!claimed)
		arena_recharge(-(int64_t)bit_count(pages));
	return claimed;
}

/* Makes an arena that was claimed whole one of pages. */
static uint64_t claim_in_whole(arena_index index, struct request *request)
{
	uint64_t pages = choose(index, ALL_BITS, request);
	uint64_t rest = ~pages;
	/* The rest counts as free as it did. */
	arena_count_claim(index, pages, request->account);
	request->dirty = arena_dirty_pages(index);
	arena_mark_dirty(index, pages);
	atomic_store(&region.arenas[index].free, rest);
	arena_note_room(index, rest);
	if (rest != 0)
		arena_relist(index, rest);
	return pages;
}

/* So many arenas with too little room in a row are looked at, and then the next list is gone on with; counted over all lists. */
#define SPAN_TRIES 24

/* In line: one version for any node, which costs nothing for there being nodes. */
STRATA_FAST uint64_t claim_on_lists(struct request *request, arena_index *index, unsigned node, enum taken taken)
{
	unsigned tries = 0;
	for (unsigned bucket = 0; bucket < BUCKET_COUNT; bucket++) {
		if (arena_bucket_most[bucket] < request->count)
			continue;
		struct arena_walk walk = { .bucket = bucket, .count = request->count };
		while ((*index = node == ANY_NODE ? arena_walk_next(&walk) : arena_walk_next_on(node, &walk)) != NO_ARENA) {
			uint64_t pages = claim_in(*index, request, taken);
			if (pages != 0)
				return pages;
			if (++tries % SPAN_TRIES == 0)
				break;
		}
	}
	return 0;
}

static uint64_t claim_listed(struct request *request, arena_index *index)
{
	return claim_on_lists(request, index, ANY_NODE, ANY_PAGE);
}

static STRATA_NOINLINE uint64_t claim_listed_on(unsigned node, enum taken taken, struct request *request, arena_index *index)
{
	return claim_on_lists(request, index, node, taken);
}

static uint64_t claim_in_new_arena(struct request *request, arena_index *index)
{
	*index = arena_claim_whole(1, 1);
	if (*index == NO_ARENA)
		return 0;
	huge_welcome(*index);
	return claim_in_whole(*index, request);
}

/*
 * On a machine of several nodes: what is free on the own one; then what costs memory already on others, so that memory is not
 * added for the node's sake, and what may wait free is the same as without nodes; then new memory, in an arena of the own
 * node. Pages of other nodes' arenas that cost nothing are new memory, too, and would lie on the own node among those of the
 * other: they are left to its threads, unless nothing else is to be had.
 */
static STRATA_NOINLINE uint64_t claim_by_node(struct request *request, unsigned here, arena_index *index)
{
	uint64_t pages = claim_listed_on(here, ANY_PAGE, request, index);
	if (pages != 0)
		return pages;
	*index = arena_claim_whole_near(1, 1);
	if (*index != NO_ARENA)
		return claim_in_whole(*index, request);
	pages = claim_listed_on(ANY_NODE, WARM_PAGE, request, index);
	if (pages == 0)
		pages = claim_in_new_arena(request, index);
	return pages != 0 ? pages : claim_listed_on(ANY_NODE, ANY_PAGE, request, index);
}

static uint64_t claim_somewhere(struct request *request, arena_index *index)
{
	unsigned here = numa_here();
	if (unlikely(here != ANY_NODE))
		return claim_by_node(request, here, index);
	uint64_t pages = claim_listed(request, index);
	return pages != 0 ? pages : claim_in_new_arena(request, index);
}

static uint64_t claim_charged(struct request *request, arena_index *index)
{
	if (unlikely(!arena_charge(request->want))) {
		request->want = request->count;
		if (!arena_charge(request->want))
			return 0;
	}
	uint64_t pages = claim_somewhere(request, index);
	arena_recharge((int64_t)bit_count(pages) - request->want);
	return pages;
}

/* Where there is a limit nothing is claimed before it is charged. */
uint64_t arena_claim_pages(unsigned want, unsigned count, struct page_account *account, arena_index *index)
{
	struct request request = { .count = count, .alignment = 1, .want = want };
	if (account == NULL || unlikely(!arena_may_owe(account)))
		return claim_charged(&request, index);
	request.account = account;
	uint64_t pages = claim_somewhere(&request, index);
	owner_add(account->used, bit_count(pages));
	arena_flush_account(account, ARENA_PAGES);
	return pages;
}

page_index arena_claim_span(unsigned count, unsigned alignment, uint64_t *dirty)
{
	struct request request = { .count = count, .alignment = alignment, .want = count };
	arena_index index;
	uint64_t pages = claim_charged(&request, &index);
	if (pages == 0)
		return NO_PAGE;
	if (dirty != NULL)
		*dirty = (request.dirty & pages) >> bit_lowest(pages);
	return index * ARENA_PAGES + bit_lowest(pages);
}

/* An arena without a page in use stops being one of pages, unless someone claims first. */
static void give_back(arena_index index)
{
	uint64_t all = ALL_BITS;
	if (!atomic_compare_exchange_strong(&region.arenas[index].free, &all, 0))
		return;
	arena_relist(index, 0);
	arena_return_unused(index);
}

void arena_put_back(arena_index index, uint64_t pages)
{
	uint64_t before = atomic_fetch_or(&region.arenas[index].free, pages);
	uint64_t after = before | pages;
	ensure((before & pages) == 0);
	arena_note_room(index, after);
	if (after == ALL_BITS)
		give_back(index);
	else
		arena_word_changed(index, before, after);
}

void arena_return(arena_index index, uint64_t pages)
{
	walk_untagged_in(index, pages);
	arena_count_return(index, pages, NULL);
	arena_recharge(-(int64_t)bit_count(pages));
	atomic_store_explicit(&region.arenas[index].idle_since, (uint32_t)os_clock_ms(), memory_order_relaxed);
	arena_put_back(index, pages);
}

void arena_return_on(struct page_account *account, arena_index index, uint64_t pages)
{
	walk_untagged_in(index, pages);
	if (account->now == 0)
		account->now = (uint32_t)os_clock_ms();
	arena_count_return(index, pages, account);
	owner_add(account->used, -bit_count(pages));
	arena_flush_account(account, ARENA_PAGES);
	atomic_store_explicit(&region.arenas[index].idle_since, account->now, memory_order_relaxed);
	arena_put_back(index, pages);
}
