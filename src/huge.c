/* SPDX-License-Identifier: MIT */
#include "huge.h"

#include "arena_count.h"
#include "bit_word.h"
#include "options.h"
#include "os.h"
#include "region.h"

/* From so many pages in use, or free and costing memory, on: what a huge page has too much, until it is filled, is less than a fiftieth,
 * which is what the heap's own records may take as well. */
#define HUGE_FROM_PAGES (((size_t)96 << 20) / PAGE_SIZE)

/* Each row of huge groups without a gap is a mapping of its own to the kernel, and so is each gap; a process has 65530. A hint: written by
 * whoever makes a group huge, or no longer so; relaxed. */
static _Atomic int32_t rows;
#define ROWS_MOST 8192

static arena_index first_of_group(arena_index index)
{
	return index / HUGE_ARENAS * HUGE_ARENAS;
}

static uint8_t group_bit(arena_index index)
{
	return (uint8_t)(1u << (index % CHUNK_ARENAS / HUGE_ARENAS));
}

static bool is_huge(arena_index index)
{
	return index < region_arenas() && (atomic_load_explicit(&chunk_of(index)->huge, memory_order_relaxed) & group_bit(index)) != 0;
}

static unsigned huge_neighbours(arena_index first)
{
	return (first >= HUGE_ARENAS && is_huge(first - HUGE_ARENAS)) + is_huge(first + HUGE_ARENAS);
}

/* ---- A group becomes huge, and small -------------------------------------------------------------------------------- */

static bool is_policy(void)
{
	return options()->huge == HUGE_BY_SIZE && !arena_is_limited() && os_page_size() == PAGE_SIZE;
}

/* Nobody else uses an arena of the group, and what it has beside the caller's costs no memory. Another who takes one just now finds the
 * group huge, or not: both are right. */
static bool is_free_but_for(arena_index group, arena_index first, size_t count)
{
	for (arena_index index = group; index < group + HUGE_ARENAS; index++)
		if ((index < first || index >= first + count) &&
		    ((atomic_load_explicit(&chunk_of(index)->used, memory_order_relaxed) & arena_bit(index)) != 0 ||
		     arena_dirty_pages(index) != 0))
			return false;
	return true;
}

static bool is_untouched_but_for(arena_index index)
{
	return arena_dirty_pages(index) == 0 && is_free_but_for(first_of_group(index), index, 1);
}

/* The bit after the advice: whoever sees it has something to take back. */
static void make_huge(arena_index first)
{
	int32_t more = 1 - (int32_t)huge_neighbours(first);
	if (more > 0 && atomic_load_explicit(&rows, memory_order_relaxed) >= ROWS_MOST)
		return;
	if (region_extend(first + HUGE_ARENAS) != 0 || os_advise_huge(page_start(first * ARENA_PAGES), HUGE_SIZE, true) != 0)
		return;
	atomic_fetch_add_explicit(&rows, more, memory_order_relaxed);
	atomic_fetch_or(&chunk_of(first)->huge, group_bit(first));
}

/* With as many rows as there may be the advice stays where taking it back would make one more. */
static void make_small(arena_index first)
{
	uint8_t bit = group_bit(first);
	if ((atomic_fetch_and(&chunk_of(first)->huge, (uint8_t)~bit) & bit) == 0)
		return;
	int32_t more = (int32_t)huge_neighbours(first) - 1;
	if (more > 0 && atomic_load_explicit(&rows, memory_order_relaxed) >= ROWS_MOST)
		return;
	os_advise_huge(page_start(first * ARENA_PAGES), HUGE_SIZE, false);
	atomic_fetch_add_explicit(&rows, more, memory_order_relaxed);
}

void huge_welcome(arena_index index)
{
	bool wanted = is_policy();
	if (unlikely(is_huge(index))) {
		if (!wanted)
			make_small(first_of_group(index));
	} else if (wanted && arena_count_costly() >= HUGE_FROM_PAGES && is_untouched_but_for(index)) {
		make_huge(first_of_group(index));
	}
}

/* ---- A part of it goes back ------------------------------------------------------------------------------------------ */

/* Those that nobody uses may have memory that they never asked for. */
static void purge_others(arena_index first)
{
	struct chunk *chunk = chunk_of(first);
	for (arena_index index = first; index < first + HUGE_ARENAS; index++) {
		if (arena_dirty_pages(index) != 0 || !claim_bits(&chunk->used, arena_bit(index)))
			continue;
		if (arena_dirty_pages(index) == 0)
			os_purge(page_start(index * ARENA_PAGES), ARENA_SIZE, false);
		atomic_fetch_and(&chunk->used, ~arena_bit(index));
	}
}

static void tear(arena_index first)
{
	make_small(first);
	purge_others(first);
}

int huge_purge(void *start, size_t size, bool lazily)
{
	char *end = (char *)start + size;
	arena_index last = page_of(end - 1) / ARENA_PAGES;
	for (arena_index first = first_of_group(page_of(start) / ARENA_PAGES); first <= last; first += HUGE_ARENAS) {
		char *group = page_start(first * ARENA_PAGES);
		if (likely(!is_huge(first)) || ((char *)start <= group && end >= group + HUGE_SIZE))
			continue;
		tear(first);
		char *part = (char *)start > group ? start : group;
		os_split_huge(part, (size_t)(size_min((uintptr_t)end, (uintptr_t)group + HUGE_SIZE) - (uintptr_t)part));
	}
	return os_purge(start, size, lazily);
}

void huge_refuse(arena_index first, size_t count)
{
	for (arena_index group = first_of_group(first); group < first + count; group += HUGE_ARENAS)
		if (unlikely(is_huge(group)) && is_free_but_for(group, first, count))
			make_small(group);
}

void huge_forget(arena_index first, size_t count)
{
	for (arena_index group = first_of_group(first); group < first + count; group += HUGE_ARENAS)
		if (unlikely(is_huge(group)))
			tear(group);
}

unsigned huge_count_untorn(arena_index first, unsigned count, unsigned more)
{
	arena_index end = first + count;
	if (likely(end % HUGE_ARENAS == 0 || !is_huge(end)))
		return count;
	arena_index group = first_of_group(end);
	if (group + HUGE_ARENAS <= first + more && group <= first)
		return group + HUGE_ARENAS - first;
	return group > first ? group - first : count;
}
