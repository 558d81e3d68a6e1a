/* SPDX-License-Identifier: MIT */
/* A thread writes over a block of another that it has just freed, with a small negative number above, and frees more. */
#include "misuse.h"
#include <pthread.h>

#define BLOCKS 40

static pointer blocks[BLOCKS];

static void *free_all(void *unused)
{
	for (int i = 0; i < BLOCKS; i++) {
		free(blocks[i]);
		if (i == 8)
			*(volatile uintptr_t *)blocks[i] = UINT64_C(0xfff0414141414141);
	}
	return unused;
}

int main(void)
{
	pthread_t thread;

	for (int i = 0; i < BLOCKS; i++)
		blocks[i] = malloc(64);
	name_block(blocks[8]);
	if (pthread_create(&thread, NULL, free_all, NULL) != 0 || pthread_join(thread, NULL) != 0)
		return 1;
	malloc_trim(0);
	return 0;
}
