/* SPDX-License-Identifier: MIT */
/* Another thread frees a pointer into a block, and blocks behind it. What lies behind that block is not overwritten. */
#include "misuse.h"
#include <pthread.h>
#include <string.h>

#define BLOCKS 20

static pointer blocks[BLOCKS];
static pointer inside;
static pointer neighbour;

static void *free_all(void *unused)
{
	free(inside);
	for (int i = 2; i < BLOCKS; i++)
		free(blocks[i]);
	return unused;
}

int main(void)
{
	static const char zeros[64];
	pthread_t thread;

	for (int i = 0; i < BLOCKS; i++)
		blocks[i] = malloc(64);
	inside = (char *)blocks[0] + 16;
	neighbour = blocks[1];
	memset(neighbour, 0, 64);
	name_block(inside);
	if (pthread_create(&thread, NULL, free_all, NULL) != 0 || pthread_join(thread, NULL) != 0)
		return 1;
	if (memcmp(neighbour, zeros, 64) != 0)
		return 2;
	malloc_trim(0);
	return 0;
}
