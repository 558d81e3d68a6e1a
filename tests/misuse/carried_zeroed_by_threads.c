/* SPDX-License-Identifier: MIT */
/* Writes zero over a later word of a block that another thread freed and handed over, where others of its batch stand that it
 * carries. Batches are of 64 blocks, and the first carries those behind it. */
#include "misuse.h"
#include <pthread.h>

#define BLOCKS 200

static pointer blocks[BLOCKS];

static void *free_all(void *unused)
{
	for (int i = 0; i < BLOCKS; i++)
		free(blocks[i]);
	return unused;
}

int main(void)
{
	pthread_t thread;

	for (int i = 0; i < BLOCKS; i++)
		blocks[i] = malloc(64);
	name_block(blocks[64]);
	if (pthread_create(&thread, NULL, free_all, NULL) != 0 || pthread_join(thread, NULL) != 0)
		return 1;
	((volatile uintptr_t *)blocks[64])[3] = 0;
	malloc_trim(0);
	return 0;
}
