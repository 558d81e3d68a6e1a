/* SPDX-License-Identifier: MIT */
/*
 * A thread frees a block, another one, and the first again, and allocates as often as it did; and ends. The chain, which holds nothing
 * by then, goes on with the second.
 */
#include "by_another.h"

#define SIZE 2000

static void *free_twice(void *unused)
{
	pointer again;

	allocate_all(SIZE);
	name_block(blocks[1]);
	free(blocks[0]);
	free(blocks[1]);
	free(blocks[0]);
	for (int i = 0; i < 3; i++)
		again = malloc(SIZE);
	return again ? unused : NULL;
}

int main(void)
{
	by_another(free_twice, NULL);
	malloc_trim(0);
	return 0;
}
