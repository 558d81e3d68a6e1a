/* SPDX-License-Identifier: MIT */
/* Frees blocks from malloc, of no bytes and of some, by a domain: without the hooks that is the same as free. */
#include "misuse_domain.h"

#include <strata/strata.h>

static uint64_t live_blocks(void)
{
	struct strata_stats stats = {0};
	int (*read)(struct strata_stats *, size_t) =
	    (int (*)(struct strata_stats *, size_t))function_of_strata("strata_stats_read");

	if (read(&stats, sizeof stats) != 0)
		exit(1);
	return stats.live_blocks;
}

int main(void)
{
	static const size_t sizes[] = {0, 1, 100};
	uint64_t before = live_blocks();

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		pointer block = malloc(sizes[i]);

		if (live_blocks() != before + 1)
			return 1;
		domain_free(STRATA_DOMAIN_RAW, block);
		if (live_blocks() != before)
			return 1;
	}
	return 0;
}
