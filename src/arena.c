/* SPDX-License-Identifier: MIT */
#include "arena.h"

#include "check.h"
#include "options.h"
#include "os.h"
#include "region.h"

#include <errno.h>

#define ALL_PAGES (~UINT64_C(0))
#define CHUNK_LIMIT 65536u

/* Totals over the region; each on a line of its own, changed once for each batch of pages. */
static _Atomic int64_t used_pages STRATA_ALIGNED(CACHE_LINE);
static _Atomic int64_t dirty_free_pages STRATA_ALIGNED(CACHE_LINE);
static _Atomic int64_t dirty_unused_arenas STRATA_ALIGNED(CACHE_LINE);
static _Atomic uint64_t purged_bytes;

static inline struct chunk *chunk_of(arena_index index)
{
	return &region.chunks[index / CHUNK_ARENAS];
}

static inline uint64_t arena_bit(arena_index index)
{
	return UINT64_C(1) << (index % CHUNK_ARENAS);
}

/* ---- The shared lists ----------------------------------------------------------------------------------------------- */

#define NO_BUCKET BUCKET_COUNT

/* Which list an arena with this free word belongs on. */
static unsigned bucket_of(uint64_t free)
{
	static const uint8_t buckets[65] = {
		[0] = NO_BUCKET, [1 ... 4] = 0, [5 ... 16] = 1, [17 ... 32] = 2, [33 ... 56] = 3, [57 ... 64] = 4,
	};
	return buckets[bit_count(free)];
}

/* Most free pages that an arena of the bucket can have. */
static const uint8_t bucket_most[BUCKET_COUNT] = { 4, 16, 32, 56, 64 };

/* Bit c of listed[b]: chunk c may have an arena in bucket b. Set after the bucket's bit; cleared by who finds the bucket
 * empty, who then looks at the bucket again. Sequentially consistent, as everything about the lists. */
static _Atomic uint64_t listed[BUCKET_COUNT][CHUNK_LIMIT / 64];

static void set_bit(_Atomic uint64_t *word, uint64_t bit)
{
	if (!(atomic_load(word) & bit))
		atomic_fetch_or(word, bit);
}

static void clear_bit(_Atomic uint64_t *word, uint64_t bit)
{
	if (atomic_load(word) & bit)
		atomic_fetch_and(word, ~bit);
}

static void list_put(arena_index index, unsigned bucket)
{
	uint32_t chunk = index / CHUNK_ARENAS;
	set_bit(&region.chunks[chunk].bucket[bucket], arena_bit(index));
	set_bit(&listed[bucket][chunk / 64], UINT64_C(1) << (chunk % 64));
}

/*
 * Puts the arena on the list where its free word belongs and takes it off the others. Called after a change of the word
 * that changed its bucket, and by whoever finds it on a wrong list.
 *
 * Why an arena with free pages cannot end up on no list, though several threads do this at once: everyone, after clearing
 * bits, looks at the word again, and starts over when it now belongs elsewhere. Take the last change of the word, to a value of
 * bucket b. Whoever clears b's bit after that change acted on an older value, looks again, sees b, and sets the bit. Whoever
 * made the change sets it as well. A thread stopped between leaves at worst one arena unlisted until it goes on.
 * (docs/models/arena_list.pml checks this exhaustively.)
 */
static void arena_relist(arena_index index, uint64_t free)
{
	struct chunk *chunk = chunk_of(index);
	unsigned bucket = bucket_of(free);
	unsigned seen;
	for (;;) {
		if (bucket != NO_BUCKET)
			list_put(index, bucket);
		for (unsigned other = 0; other < BUCKET_COUNT; other++)
			if (other != bucket)
				clear_bit(&chunk->bucket[other], arena_bit(index));
		seen = bucket_of(atomic_load(&region.arenas[index].free));
		if (seen == bucket)
			return;
		bucket = seen;
	}
}

static void word_changed(arena_index index, uint64_t before, uint64_t after)
{
	if (bucket_of(before) != bucket_of(after))
		arena_relist(index, after);
}

/* A walk over the arenas that may be in a bucket, lowest address first. */
struct list_walk {
	unsigned bucket;
	uint32_t word;      /* of listed[bucket] */
	uint64_t chunks;    /* of that word, still to visit */
	uint32_t chunk;
	uint64_t arenas;    /* of that chunk, still to visit */
};

static uint32_t chunk_words(void)
{
	return (region_arenas() / CHUNK_ARENAS + 64) / 64;
}

static bool walk_next_chunk(struct list_walk *walk)
{
	while (walk->chunks == 0) {
		if (walk->word >= chunk_words())
			return false;
		walk->chunks = atomic_load(&listed[walk->bucket][walk->word++]);
	}
	walk->chunk = (walk->word - 1) * 64 + bit_lowest(walk->chunks);
	walk->chunks &= walk->chunks - 1;
	return true;
}

static arena_index walk_next(struct list_walk *walk)
{
	while (walk->arenas == 0) {
		if (!walk_next_chunk(walk))
			return NO_ARENA;
		_Atomic uint64_t *bucket = &region.chunks[walk->chunk].bucket[walk->bucket];
		walk->arenas = atomic_load(bucket);
		if (walk->arenas == 0) {
			_Atomic uint64_t *word = &listed[walk->bucket][walk->chunk / 64];
			clear_bit(word, UINT64_C(1) << (walk->chunk % 64));
			if (atomic_load(bucket) != 0)
				set_bit(word, UINT64_C(1) << (walk->chunk % 64));
		}
	}
	arena_index index = walk->chunk * CHUNK_ARENAS + bit_lowest(walk->arenas);
	walk->arenas &= walk->arenas - 1;
	return index;
}

/* ---- Pages of an arena ---------------------------------------------------------------------------------------------- */

uint64_t arena_dirty_pages(arena_index index)
{
	return atomic_load_explicit(&region.arenas[index].dirty, memory_order_relaxed);
}

void arena_mark_dirty(arena_index index, uint64_t pages)
{
	if ((arena_dirty_pages(index) & pages) != pages)
		atomic_fetch_or_explicit(&region.arenas[index].dirty, pages, memory_order_relaxed);
}

void arena_mark_clean(arena_index index, uint64_t pages)
{
	if ((arena_dirty_pages(index) & pages) != 0)
		atomic_fetch_and_explicit(&region.arenas[index].dirty, ~pages, memory_order_relaxed);
}

/* The pages are ours now: what they cost is no longer of free pages. They count as dirty from here on. */
static void account_claim(arena_index index, uint64_t pages)
{
	unsigned dirty = bit_count(pages & arena_dirty_pages(index));
	if (dirty != 0)
		atomic_fetch_sub_explicit(&dirty_free_pages, dirty, memory_order_relaxed);
	atomic_fetch_add_explicit(&used_pages, bit_count(pages), memory_order_relaxed);
}

static uint64_t lowest_bits(uint64_t word, unsigned count)
{
	if (count >= bit_count(word))
		return word;
	uint64_t rest = word;
	while (count-- > 0)
		rest &= rest - 1;
	return word & ~rest;
}

static uint64_t first_of_runs(uint64_t word, unsigned count)
{
	for (unsigned rest = count; rest > 1;) {
		unsigned shift = rest / 2;
		word &= word >> shift;
		rest -= shift;
	}
	return word;
}

static uint64_t multiples_of(unsigned alignment)
{
	uint64_t word = 0;
	for (unsigned at = 0; at < 64; at += alignment)
		word |= UINT64_C(1) << at;
	return word;
}

/* A request for pages of one arena. */
struct request {
	unsigned count;     /* neighbours */
	unsigned alignment; /* of the first of them, in pages */
	unsigned want;      /* in all, if there are more */
	uint64_t dirty;     /* result: which of the arena's pages were dirty before */
};

/* Dirty pages first: they cost memory already. */
static uint64_t choose(arena_index index, uint64_t free, const struct request *request)
{
	uint64_t allowed = request->alignment > 1 ? multiples_of(request->alignment) : ALL_PAGES;
	uint64_t warm = free & arena_dirty_pages(index);
	uint64_t firsts = first_of_runs(warm, request->count) & allowed;
	if (firsts == 0)
		firsts = first_of_runs(free, request->count) & allowed;
	if (firsts == 0)
		return 0;
	uint64_t pages = bits_below(request->count) << bit_lowest(firsts);
	if (request->want > request->count) {
		uint64_t rest = (warm & ~pages) != 0 ? warm & ~pages : free & ~pages;
		pages |= lowest_bits(rest, request->want - request->count);
	}
	return pages;
}

static uint64_t claim_in(arena_index index, struct request *request)
{
	struct arena *arena = &region.arenas[index];
	uint64_t free = atomic_load(&arena->free);
	uint64_t pages;
	do {
		pages = choose(index, free, request);
		if (pages == 0) {
			if (free == 0)
				arena_relist(index, 0);
			return 0;
		}
	} while (!atomic_compare_exchange_weak(&arena->free, &free, free & ~pages));
	request->dirty = arena_dirty_pages(index);
	account_claim(index, pages);
	arena_mark_dirty(index, pages);
	word_changed(index, free, free & ~pages);
	return pages;
}

bool arena_claim_exactly(arena_index index, uint64_t pages)
{
	struct arena *arena = &region.arenas[index];
	uint64_t free = atomic_load(&arena->free);
	do {
		if ((free & pages) != pages)
			return false;
	} while (!atomic_compare_exchange_weak(&arena->free, &free, free & ~pages));
	account_claim(index, pages);
	arena_mark_dirty(index, pages);
	word_changed(index, free, free & ~pages);
	return true;
}

static uint64_t claim_in_new_arena(struct request *request, arena_index *index)
{
	*index = arena_claim_whole(1, 1);
	if (*index == NO_ARENA)
		return 0;
	uint64_t pages = choose(*index, ALL_PAGES, request);
	/* arena_claim_whole accounted for all 64. */
	uint64_t rest = ~pages;
	atomic_fetch_sub_explicit(&used_pages, bit_count(rest), memory_order_relaxed);
	atomic_fetch_add_explicit(&dirty_free_pages, bit_count(rest & arena_dirty_pages(*index)), memory_order_relaxed);
	request->dirty = arena_dirty_pages(*index);
	arena_mark_dirty(*index, pages);
	atomic_store(&region.arenas[*index].free, rest);
	if (rest != 0)
		arena_relist(*index, rest);
	return pages;
}

/* How many arenas with too little room in a row we look at before we take a fresh one. */
#define SPAN_TRIES 24

static uint64_t claim_pages(struct request *request, arena_index *index)
{
	unsigned tries = 0;
	for (unsigned bucket = 0; bucket < BUCKET_COUNT; bucket++) {
		if (bucket_most[bucket] < request->count)
			continue;
		struct list_walk walk = { .bucket = bucket };
		while ((*index = walk_next(&walk)) != NO_ARENA) {
			uint64_t pages = claim_in(*index, request);
			if (pages != 0)
				return pages;
			if (++tries % SPAN_TRIES == 0)
				break;
		}
	}
	return claim_in_new_arena(request, index);
}

uint64_t arena_claim_pages(unsigned want, unsigned count, arena_index *index)
{
	struct request request = { .count = count, .alignment = 1, .want = want };
	return claim_pages(&request, index);
}

page_index arena_claim_span(unsigned count, unsigned alignment, uint64_t *dirty)
{
	struct request request = { .count = count, .alignment = alignment, .want = count };
	arena_index index;
	uint64_t pages = claim_pages(&request, &index);
	if (pages == 0)
		return NO_PAGE;
	if (dirty != NULL)
		*dirty = (request.dirty & pages) >> bit_lowest(pages);
	return index * ARENA_PAGES + bit_lowest(pages);
}

/* All chunks below have every arena in use; a hint, lowered by whoever gives back, raised by whoever searches. */
static _Atomic uint32_t lowest_chunk;

static void unused_again(uint32_t at)
{
	uint32_t lowest = atomic_load_explicit(&lowest_chunk, memory_order_relaxed);
	while (at < lowest && !atomic_compare_exchange_weak(&lowest_chunk, &lowest, at))
		;
}

/* An arena without a page in use stops being one of pages, unless someone claims first. */
static void give_back(arena_index index)
{
	uint64_t all = ALL_PAGES;
	if (!atomic_compare_exchange_strong(&region.arenas[index].free, &all, 0))
		return;
	arena_relist(index, 0);
	if (arena_dirty_pages(index) != 0) {
		atomic_fetch_add_explicit(&dirty_unused_arenas, 1, memory_order_relaxed);
		atomic_fetch_or(&chunk_of(index)->dirty, arena_bit(index));
	}
	atomic_fetch_and(&chunk_of(index)->used, ~arena_bit(index));
	unused_again(index / CHUNK_ARENAS);
}

static void put_back(arena_index index, uint64_t pages)
{
	uint64_t before = atomic_fetch_or(&region.arenas[index].free, pages);
	uint64_t after = before | pages;
	ensure((before & pages) == 0);
	if (after == ALL_PAGES)
		give_back(index);
	else
		word_changed(index, before, after);
}

void arena_return(arena_index index, uint64_t pages)
{
	atomic_fetch_sub_explicit(&used_pages, bit_count(pages), memory_order_relaxed);
	atomic_fetch_add_explicit(&dirty_free_pages, bit_count(pages & arena_dirty_pages(index)), memory_order_relaxed);
	atomic_store_explicit(&region.arenas[index].idle_since, (uint32_t)os_clock_ms(), memory_order_relaxed);
	put_back(index, pages);
}

/* ---- Whole arenas --------------------------------------------------------------------------------------------------- */

static bool claim_bits(_Atomic uint64_t *used, uint64_t bits)
{
	uint64_t word = atomic_load(used);
	do {
		if (word & bits)
			return false;
	} while (!atomic_compare_exchange_weak(used, &word, word | bits));
	return true;
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

/* What the arenas held when they were unused is no longer of free pages. */
static void account_whole(arena_index first, size_t count)
{
	int64_t dirty = 0;
	int64_t arenas = 0;
	for (arena_index index = first; index < first + count; index++) {
		uint64_t pages = arena_dirty_pages(index);
		if (pages == 0)
			continue;
		dirty += bit_count(pages);
		arenas++;
		clear_bit(&chunk_of(index)->dirty, arena_bit(index));
	}
	if (arenas != 0) {
		atomic_fetch_sub_explicit(&dirty_free_pages, dirty, memory_order_relaxed);
		atomic_fetch_sub_explicit(&dirty_unused_arenas, arenas, memory_order_relaxed);
	}
	atomic_fetch_add_explicit(&used_pages, (int64_t)(count * ARENA_PAGES), memory_order_relaxed);
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
	account_whole(first, count);
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
	uint64_t aligned = alignment > 1 ? multiples_of((unsigned)size_min(alignment, 64)) : ALL_PAGES;
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

static arena_index search_committed(uint32_t from, uint32_t to, unsigned count, size_t alignment, bool dirty_only)
{
	bool all_full = true;
	for (uint32_t at = from; at < to; at++) {
		struct chunk *chunk = &region.chunks[at];
		if (all_full && atomic_load(&chunk->used) != ALL_PAGES) {
			all_full = false;
			atomic_store_explicit(&lowest_chunk, at, memory_order_relaxed);
		}
		uint64_t allowed = dirty_only ? atomic_load(&chunk->dirty) : ALL_PAGES;
		arena_index first = allowed != 0 ? claim_within(at, count, alignment, allowed) : NO_ARENA;
		if (first != NO_ARENA)
			return first;
	}
	return NO_ARENA;
}

static arena_index search_within(unsigned count, size_t alignment, bool dirty_only)
{
	uint32_t committed = (region_arenas() + CHUNK_ARENAS - 1) / CHUNK_ARENAS;
	uint32_t start = atomic_load_explicit(&lowest_chunk, memory_order_relaxed);
	arena_index first = search_committed(start, committed, count, alignment, dirty_only);
	if (first == NO_ARENA && !dirty_only)
		first = search_committed(0, size_min(start, committed), count, alignment, false);
	for (; first == NO_ARENA && !dirty_only && committed < region.arena_limit / CHUNK_ARENAS; committed++) {
		if (region_extend(committed * CHUNK_ARENAS + count) != 0)
			break;
		first = claim_within(committed, count, alignment, ALL_PAGES);
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

arena_index arena_claim_whole(size_t count, size_t alignment)
{
	if (region_ready() != 0 || count > region.arena_limit)
		return NO_ARENA;
	if (count > CHUNK_ARENAS || alignment > CHUNK_ARENAS)
		return search_chunks(count, alignment);
	arena_index first = NO_ARENA;
	if (atomic_load_explicit(&dirty_unused_arenas, memory_order_relaxed) > 0)
		first = search_within((unsigned)count, alignment, true);
	return first != NO_ARENA ? first : search_within((unsigned)count, alignment, false);
}

void arena_return_whole(arena_index first, size_t count)
{
	int64_t dirty = 0;
	int64_t arenas = 0;
	uint32_t now = (uint32_t)os_clock_ms();
	for (arena_index index = first; index < first + count; index++) {
		uint64_t pages = arena_dirty_pages(index);
		if (pages == 0)
			continue;
		dirty += bit_count(pages);
		arenas++;
		atomic_store_explicit(&region.arenas[index].idle_since, now, memory_order_relaxed);
		atomic_fetch_or(&chunk_of(index)->dirty, arena_bit(index));
	}
	atomic_fetch_add_explicit(&dirty_free_pages, dirty, memory_order_relaxed);
	atomic_fetch_add_explicit(&dirty_unused_arenas, arenas, memory_order_relaxed);
	atomic_fetch_sub_explicit(&used_pages, (int64_t)(count * ARENA_PAGES), memory_order_relaxed);
	release_range(first, count);
	unused_again(first / CHUNK_ARENAS);
}

/* ---- Giving back to the operating system ---------------------------------------------------------------------------- */

/* With pages of the system larger than ours, only groups that fill one can go. */
static uint64_t whole_system_pages(uint64_t pages)
{
	unsigned group = (unsigned)(os_page_size() / PAGE_SIZE);
	if (likely(group <= 1))
		return pages;
	uint64_t firsts = first_of_runs(pages, group) & multiples_of(group);
	uint64_t whole = 0;
	for (; firsts != 0; firsts &= firsts - 1)
		whole |= bits_below(group) << bit_lowest(firsts);
	return whole;
}

/* Purges pages that the caller has claimed; returns those that went. */
static uint64_t purge_pages(arena_index index, uint64_t pages)
{
	uint64_t gone = 0;
	while (pages != 0) {
		unsigned first = bit_lowest(pages);
		uint64_t ones = ~(pages >> first);
		unsigned count = ones != 0 ? size_min(bit_lowest(ones), 64 - first) : 64 - first;
		uint64_t run = bits_below(count) << first;
		if (os_purge(page_start(index * ARENA_PAGES + first), count * PAGE_SIZE, options()->purge_lazily) != 0)
			break;
		gone |= run;
		pages &= ~run;
	}
	/* What MADV_FREE took may still hold its contents. */
	if (!options()->purge_lazily)
		arena_mark_clean(index, gone);
	atomic_fetch_sub_explicit(&dirty_free_pages, bit_count(gone), memory_order_relaxed);
	atomic_fetch_add_explicit(&purged_bytes, bit_count(gone) * PAGE_SIZE, memory_order_relaxed);
	return gone;
}

static size_t purge_pages_arena(arena_index index)
{
	struct arena *arena = &region.arenas[index];
	uint64_t free = atomic_load(&arena->free);
	uint64_t pages;
	do {
		pages = whole_system_pages(free & arena_dirty_pages(index));
		if (pages == 0)
			return 0;
	} while (!atomic_compare_exchange_weak(&arena->free, &free, free & ~pages));
	word_changed(index, free, free & ~pages);
	uint64_t gone = purge_pages(index, pages);
	put_back(index, pages);
	return bit_count(gone) * PAGE_SIZE;
}

static size_t purge_unused_arena(arena_index index)
{
	struct chunk *chunk = chunk_of(index);
	if (!claim_bits(&chunk->used, arena_bit(index)))
		return 0;
	uint64_t pages = whole_system_pages(arena_dirty_pages(index));
	uint64_t gone = purge_pages(index, pages);
	if (pages != 0 && arena_dirty_pages(index) == 0) {
		clear_bit(&chunk->dirty, arena_bit(index));
		atomic_fetch_sub_explicit(&dirty_unused_arenas, 1, memory_order_relaxed);
	}
	atomic_fetch_and(&chunk->used, ~arena_bit(index));
	return bit_count(gone) * PAGE_SIZE;
}

static _Atomic uint32_t purge_cursor;

#define PURGE_SCAN 1024 /* arenas looked at in one bounded call */

size_t arena_purge(size_t limit, uint32_t idle_ms)
{
	uint32_t arenas = region_arenas();
	uint32_t to_scan = limit == SIZE_MAX ? arenas : (uint32_t)size_min(arenas, PURGE_SCAN);
	uint32_t now = (uint32_t)os_clock_ms();
	size_t purged = 0;
	for (; to_scan > 0 && purged < limit; to_scan--) {
		arena_index index = atomic_fetch_add_explicit(&purge_cursor, 1, memory_order_relaxed) % arenas;
		uint32_t idle = now - atomic_load_explicit(&region.arenas[index].idle_since, memory_order_relaxed);
		if (arena_dirty_pages(index) == 0 || (idle < idle_ms && limit != SIZE_MAX))
			continue;
		purged += atomic_load(&chunk_of(index)->used) & arena_bit(index) ? purge_pages_arena(index)
										   : purge_unused_arena(index);
	}
	return purged;
}

struct arena_counters arena_count(void)
{
	int64_t used = atomic_load_explicit(&used_pages, memory_order_relaxed);
	int64_t dirty = atomic_load_explicit(&dirty_free_pages, memory_order_relaxed);
	return (struct arena_counters){
		.used_pages = used > 0 ? (uint64_t)used : 0,
		.dirty_pages = dirty > 0 ? (uint64_t)dirty : 0,
		.purged_bytes = atomic_load_explicit(&purged_bytes, memory_order_relaxed),
	};
}
