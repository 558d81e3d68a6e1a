/* SPDX-License-Identifier: MIT */
/* A thread frees another's block, one of its own, and the first again, of a size that it keeps for itself; and ends. */
#include "by_another.h"

#define SIZE 2000

static void *free_twice(void *unused)
{
	pointer own = malloc(SIZE);

	free(blocks[0]);
	free(own);
	free(blocks[0]);
	return unused;
}

int main(void)
{
	allocate_all(SIZE);
	name_block(blocks[0]);
	by_another(free_twice, NULL);
	malloc_trim(0);
	return 0;
}
