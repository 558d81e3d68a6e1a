/* SPDX-License-Identifier: MIT */
/* A block is freed, another one, and the first again; then the thread goes on with another size until both have gone home. */
#include "misuse.h"
#include <unistd.h>

#define COUNT 64
#define SIZE 100000

static void work(void)
{
	static pointer blocks[COUNT];

	for (int i = 0; i < COUNT; i++)
		blocks[i] = malloc(SIZE);
	for (int i = 0; i < COUNT; i++)
		free(blocks[i]);
}

int main(void)
{
	pointer block = malloc(64);
	pointer other = malloc(64);
	pointer kept = malloc(64);

	name_block(block);
	free(block);
	free(other);
	free(block);
	/* Each of these lets the clock tick, and 30 ms of it are enough. */
	for (int i = 0; i < 300; i++) {
		work();
		usleep(1000);
	}
	block = malloc(64);
	other = malloc(64);
	return kept == NULL || block == other;
}
