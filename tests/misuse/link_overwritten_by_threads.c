/* SPDX-License-Identifier: MIT */
/* Writes over the first word of a block that another thread freed and handed over: it leads out of the heap now. Blocks so small
 * carry no others: each links to the next. */
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
		blocks[i] = malloc(8);
	name_block(blocks[BLOCKS / 2]);
	if (pthread_create(&thread, NULL, free_all, NULL) != 0 || pthread_join(thread, NULL) != 0)
		return 1;
	*(volatile uintptr_t *)blocks[BLOCKS / 2] = UINT64_C(0x4141414141414141);
	malloc_trim(0);
	return 0;
}
