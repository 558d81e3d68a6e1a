/* SPDX-License-Identifier: MIT */
/* Another thread frees a pointer into a block, and blocks behind it. What lies behind that block is not overwritten. */
#include "by_another.h"

static pointer inside;

static void *free_inside_and_others(void *unused)
{
	free(inside);
	for (int i = 2; i < BATCH / 2; i++)
		free(blocks[i]);
	return unused;
}

int main(void)
{
	static const char zeros[64];

	allocate_all(64);
	memset(blocks[1], 0, sizeof zeros);
	inside = blocks[0] + 16;
	name_block(inside);
	by_another(free_inside_and_others, NULL);
	if (memcmp(blocks[1], zeros, sizeof zeros) != 0)
		return 2;
	malloc_trim(0);
	return 0;
}
