/* SPDX-License-Identifier: MIT */
/* A thread writes over a block of another that it has just freed, with a small negative number above, and frees more. */
#include "by_another.h"

static void *free_and_write(void *unused)
{
	for (int i = 0; i < BATCH / 2; i++) {
		free(blocks[i]);
		if (i == 8)
			overwrite(blocks[i], 0, UINT64_C(0xfff0414141414141));
	}
	return unused;
}

int main(void)
{
	allocate_all(64);
	name_block(blocks[8]);
	by_another(free_and_write, NULL);
	malloc_trim(0);
	return 0;
}
