/* SPDX-License-Identifier: MIT */
/* Another thread frees a block twice in a row, before it has handed over anything. */
#include "misuse.h"
#include <pthread.h>

static void *free_twice(void *argument)
{
	pointer block = argument;
	pointer other = malloc(8);

	free(other);
	free(block);
	free(block);
	return NULL;
}

int main(void)
{
	pointer block = malloc(8);
	pointer kept = malloc(8);
	pthread_t thread;

	name_block(block);
	if (pthread_create(&thread, NULL, free_twice, block) || pthread_join(thread, NULL))
		return 1;
	malloc_trim(0);
	return kept == NULL;
}
