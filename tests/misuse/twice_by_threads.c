/* SPDX-License-Identifier: MIT */
/* A block is freed by another thread and by its own. */
#include "misuse.h"
#include <pthread.h>

static void *free_it(void *block)
{
	free(block);
	return NULL;
}

int main(void)
{
	pointer block = malloc(64);
	pointer kept = malloc(64);
	pthread_t thread;

	name_block(block);
	if (pthread_create(&thread, NULL, free_it, block) || pthread_join(thread, NULL))
		return 1;
	free(block);
	malloc_trim(0);
	return kept == NULL;
}
