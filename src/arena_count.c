/* SPDX-License-Identifier: MIT */
#include "arena_count.h"

#include "bit_word.h"
#include "options.h"
#include "os.h"
#include "region.h"

/* Totals over the region, less what heaps have on their accounts; each on a line of its own. */
static _Atomic int64_t used_pages STRATA_ALIGNED(CACHE_LINE);
static _Atomic int64_t dirty_free_pages STRATA_ALIGNED(CACHE_LINE);
static _Atomic int64_t dirty_unused_arenas STRATA_ALIGNED(CACHE_LINE);
static _Atomic uint64_t purged_bytes;
static _Atomic uint64_t soiled_pages STRATA_ALIGNED(CACHE_LINE);

/* Release: the order in which pages are taken from one total and added to the other; partner: the acquires in charge_within. */
static void add(_Atomic int64_t *total, int64_t n)
{
	if (n != 0)
		atomic_fetch_add_explicit(total, n, memory_order_release);
}

static uint64_t given_pages(arena_index index)
{
	return atomic_load_explicit(&region.arenas[index].given, memory_order_relaxed);
}

static void clear_given(arena_index index, uint64_t pages)
{
	if (unlikely((given_pages(index) & pages) != 0))
		atomic_fetch_and_explicit(&region.arenas[index].given, ~pages, memory_order_relaxed);
}

void arena_mark_dirty(arena_index index, uint64_t pages)
{
	uint64_t costless = pages & ~arena_costly_pages(index);
	if (costless == 0)
		return;
	clear_given(index, pages);
	atomic_fetch_or_explicit(&region.arenas[index].dirty, pages, memory_order_relaxed);
	atomic_fetch_add_explicit(&soiled_pages, bit_count(costless), memory_order_relaxed);
}

void arena_mark_clean(arena_index index, uint64_t pages)
{
	clear_given(index, pages);
	if ((arena_dirty_pages(index) & pages) != 0)
		atomic_fetch_and_explicit(&region.arenas[index].dirty, ~pages, memory_order_relaxed);
}

/* What MADV_FREE took may still hold its contents. */
static void mark_given(arena_index index, uint64_t pages)
{
	atomic_fetch_or_explicit(&region.arenas[index].given, pages & arena_dirty_pages(index), memory_order_relaxed);
}

/* ---- What is in use, and the limit on it ------------------------------------------------------------------------------ */

/*
 * A page that is returned counts as dirty before it stops to count as used, and one that is claimed the other way about: what
 * both sum up to is never too little, and too much by no more than the pages on the move.
 *
 * Who sees less of one sees the more of the other that came before, since he acquires what was released. So where dirty is what it is after
 * a claim, and used is not, the exchange fails; and where pages were returned since as well, so that it does not, dirty is more by then.
 */
static bool charge_within(int64_t pages, int64_t limit)
{
	for (;;) {
		int64_t used = atomic_load_explicit(&used_pages, memory_order_acquire);
		int64_t dirty = atomic_load_explicit(&dirty_free_pages, memory_order_acquire);
		if (used + dirty + pages > limit)
			return false;
		if (!atomic_compare_exchange_weak_explicit(&used_pages, &used, used + pages, memory_order_acq_rel,
							   memory_order_relaxed))
			continue;
		dirty = atomic_load_explicit(&dirty_free_pages, memory_order_acquire);
		if (used + dirty + pages <= limit)
			return true;
		add(&used_pages, -pages);
	}
}

bool arena_charge(size_t pages)
{
	size_t limit = options()->limit_bytes;
	if (unlikely(limit != 0))
		return charge_within((int64_t)pages, (int64_t)(limit / PAGE_SIZE));
	add(&used_pages, (int64_t)pages);
	return true;
}

void arena_recharge(int64_t pages)
{
	add(&used_pages, pages);
}

/* ---- What heaps owe ------------------------------------------------------------------------------------------------- */

/* In the order of charge_within. */
static void flush(struct page_account *account)
{
	if (account->used > 0)
		add(&used_pages, account->used);
	add(&dirty_free_pages, account->dirty);
	if (account->used < 0)
		add(&used_pages, account->used);
	owner_set(account->dirty, 0);
	owner_set(account->used, 0);
}

bool arena_is_limited(void)
{
	return (options()->limit_bytes | options()->limit_soft_bytes | options()->emergency_bytes) != 0;
}

bool arena_may_owe(struct page_account *account)
{
	if (likely(!arena_is_limited()))
		return true;
	flush(account);
	return false;
}

static bool is_more(int32_t pages, unsigned most)
{
	return pages > (int32_t)most || -pages > (int32_t)most;
}

void arena_flush_account(struct page_account *account, unsigned most)
{
	if (is_more(account->used, most) || is_more(account->dirty, most) || unlikely(arena_is_limited()))
		flush(account);
}

/* ---- What is free and dirty ------------------------------------------------------------------------------------------- */

static void add_dirty(int32_t pages, struct page_account *account)
{
	if (account != NULL)
		owner_add(account->dirty, pages);
	else
		add(&dirty_free_pages, pages);
}

void arena_count_claim(arena_index index, uint64_t pages, struct page_account *account)
{
	add_dirty(-(int32_t)bit_count(pages & arena_costly_pages(index)), account);
}

void arena_count_return(arena_index index, uint64_t pages, struct page_account *account)
{
	add_dirty((int32_t)bit_count(pages & arena_costly_pages(index)), account);
}

void arena_count_claim_whole(arena_index first, size_t count)
{
	int64_t arenas = 0;
	for (arena_index index = first; index < first + count; index++) {
		if (arena_costly_pages(index) == 0)
			continue;
		arenas++;
		clear_bit(&chunk_of(index)->dirty, arena_bit(index));
	}
	add(&dirty_unused_arenas, -arenas);
}

void arena_count_taken(arena_index first, size_t count)
{
	int64_t dirty = 0;
	for (arena_index index = first; index < first + count; index++)
		dirty += bit_count(arena_costly_pages(index));
	add(&dirty_free_pages, -dirty);
}

void arena_count_return_whole(arena_index first, size_t count)
{
	int64_t dirty = 0;
	int64_t arenas = 0;
	uint32_t now = (uint32_t)os_clock_ms();
	for (arena_index index = first; index < first + count; index++) {
		uint64_t pages = arena_costly_pages(index);
		if (pages == 0)
			continue;
		dirty += bit_count(pages);
		arenas++;
		atomic_store_explicit(&region.arenas[index].idle_since, now, memory_order_relaxed);
		atomic_fetch_or(&chunk_of(index)->dirty, arena_bit(index));
	}
	add(&dirty_free_pages, dirty);
	add(&dirty_unused_arenas, arenas);
}

void arena_count_unused(arena_index index)
{
	if (arena_costly_pages(index) == 0)
		return;
	add(&dirty_unused_arenas, 1);
	atomic_fetch_or(&chunk_of(index)->dirty, arena_bit(index));
}

bool arena_any_dirty_unused(void)
{
	return atomic_load_explicit(&dirty_unused_arenas, memory_order_relaxed) > 0;
}

void arena_count_given_back(size_t bytes)
{
	atomic_fetch_add_explicit(&purged_bytes, bytes, memory_order_relaxed);
}

static unsigned note_purged(arena_index index, uint64_t pages, bool certainly)
{
	unsigned count = bit_count(pages & arena_costly_pages(index));
	if (certainly)
		arena_mark_clean(index, pages);
	else
		mark_given(index, pages);
	arena_count_given_back(count * PAGE_SIZE);
	return count;
}

void arena_mark_purged(arena_index index, uint64_t pages)
{
	note_purged(index, pages, true);
}

size_t arena_count_purged(arena_index index, uint64_t pages, bool certainly)
{
	unsigned count = note_purged(index, pages, certainly);
	add(&dirty_free_pages, -(int64_t)count);
	return count * PAGE_SIZE;
}

size_t arena_count_purged_used(arena_index index, uint64_t pages, bool certainly)
{
	unsigned count = note_purged(index, pages, certainly);
	arena_recharge(-(int64_t)count);
	return count * PAGE_SIZE;
}

void arena_count_clean(arena_index index)
{
	clear_bit(&chunk_of(index)->dirty, arena_bit(index));
	add(&dirty_unused_arenas, -1);
}

struct arena_counters arena_count(void)
{
	int64_t used;
	int64_t dirty;
	arena_totals(&used, &dirty);
	return arena_counters_of(used, dirty);
}

void arena_totals(int64_t *used, int64_t *dirty)
{
	*used = atomic_load_explicit(&used_pages, memory_order_relaxed);
	*dirty = atomic_load_explicit(&dirty_free_pages, memory_order_relaxed);
}

struct arena_counters arena_counters_of(int64_t used, int64_t dirty)
{
	return (struct arena_counters){
		.used_pages = used > 0 ? (uint64_t)used : 0,
		.dirty_pages = dirty > 0 ? (uint64_t)dirty : 0,
		.purged_bytes = atomic_load_explicit(&purged_bytes, memory_order_relaxed),
		.soiled_pages = atomic_load_explicit(&soiled_pages, memory_order_relaxed),
	};
}
