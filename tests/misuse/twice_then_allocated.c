/* SPDX-License-Identifier: MIT */
/*
 * A thread frees a block, another one, and the first again, allocates as often as it did, and frees all that it got: one block is
 * among it twice. And ends.
 */
#include "by_another.h"

#define SIZE 2000

static void *free_twice(void *unused)
{
	pointer again[3];

	allocate_all(SIZE);
	name_block(blocks[0]);
	free(blocks[0]);
	free(blocks[1]);
	free(blocks[0]);
	for (int i = 0; i < 3; i++)
		again[i] = malloc(SIZE);
	for (int i = 0; i < 3; i++)
		free(again[i]);
	return unused;
}

int main(void)
{
	by_another(free_twice, NULL);
	malloc_trim(0);
	return 0;
}
