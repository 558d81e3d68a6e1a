/* SPDX-License-Identifier: MIT */
/* A thread frees a block, another one, and the first again, and ends. */
#include "misuse.h"
#include <pthread.h>

static void *free_twice(void *unused)
{
	pointer block = malloc(64);
	pointer other = malloc(64);
	pointer kept = malloc(64);

	name_block(block);
	free(block);
	free(other);
	free(block);
	return kept ? unused : block;
}

int main(void)
{
	pthread_t thread;

	return pthread_create(&thread, NULL, free_twice, NULL) || pthread_join(thread, NULL);
}
