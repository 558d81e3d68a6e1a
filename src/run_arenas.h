/* SPDX-License-Identifier: MIT */
/*
 * The pages of runs: a run's record, the whole arenas that it takes, what of them is counted as used, and how they go. For run.c,
 * run_resize.c, and process.c, which calls the last. A run's record and arenas belong to whoever holds the block.
 */
#ifndef STRATA_RUN_ARENAS_H
#define STRATA_RUN_ARENAS_H

#include "layout.h"

static inline size_t run_pages_of(size_t size)
{
	return (size + PAGE_SIZE - 1) / PAGE_SIZE;
}

static inline size_t run_arenas_of(size_t pages)
{
	return (pages + ARENA_PAGES - 1) / ARENA_PAGES;
}

/* Makes the pages, claimed and charged, a block: within one arena (arenas is 0), or at the beginning of so many that were claimed whole. */
void *run_begin(page_index first, size_t pages, size_t arenas, size_t charged);

/* A run of so many pages at the beginning of so many arenas, the first at a multiple of alignment bytes. NULL when memory is refused. */
void *run_allocate_arenas(size_t pages, size_t arenas, size_t alignment, bool zero);

/* Arenas of a run on their way back, which was in so many pages of them: what there is no room for goes to the system at once. moved: its
 * mapping came here by os_move. */
void run_free_arenas(page_index first, size_t pages, size_t arenas, bool moved);

/* What cost memory already behind so many pages, in arenas that were claimed for them, is counted as used: it did when it was free,
 * whatever the limit. Returns how many pages. */
size_t run_charge_slack(page_index first, size_t pages, size_t arenas);
/* What the whole arenas of a run cost, when its reach has changed: that, and the slack. */
void run_charge_anew(struct pool *record, page_index first);

/* Both are runs of whole arenas. Their pages change places, nothing is copied. 0, -EINVAL: nothing was done, or as os_move. */
int run_remap(void *from, void *to, size_t size);

/* Whether it came so, and can go on so unless it grows beyond its arenas. */
bool run_moves_again(const struct pool *record);

/* In the child of a fork. */
void run_fork_child(void);

#endif
