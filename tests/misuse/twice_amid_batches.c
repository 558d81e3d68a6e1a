/* SPDX-License-Identifier: MIT */
/*
 * Another thread frees blocks, one of them twice among the last that it hands over. All that came beside that one is
 * home afterwards: neither in use nor cached.
 */
#include "by_another.h"

#include <dlfcn.h>
#include <strata/strata.h>

#define FEW 8 /* blocks that libc keeps for a thread that it made */

static struct strata_stats totals(void)
{
	struct strata_stats stats = {0};
	int (*read)(struct strata_stats *, size_t) =
	    (int (*)(struct strata_stats *, size_t))dlsym(RTLD_DEFAULT, "strata_stats_read");

	malloc_trim(0);
	if (!read || read(&stats, sizeof stats) != 0)
		_Exit(1);
	return stats;
}

static void *free_all_and_one_twice(void *unused)
{
	for (int i = 0; i < BLOCKS; i++) {
		free(blocks[i]);
		if (i == BLOCKS - 2)
			free(blocks[BLOCKS - 4]);
	}
	return unused;
}

int main(void)
{
	struct strata_stats before = totals(), after;

	allocate_all(256);
	name_block(blocks[BLOCKS - 4]);
	by_another(free_all_and_one_twice, NULL);
	after = totals();
	return after.live_blocks > before.live_blocks + FEW || after.cached_bytes > before.cached_bytes + FEW * 256;
}
