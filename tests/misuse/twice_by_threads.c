/* SPDX-License-Identifier: MIT */
/* A block is freed by another thread and by its own. */
#include "by_another.h"

static void *free_it(void *block)
{
	free(block);
	return NULL;
}

int main(void)
{
	pointer block = malloc(64);
	pointer kept = malloc(64);

	name_block(block);
	by_another(free_it, block);
	free(block);
	malloc_trim(0);
	return kept == NULL;
}
