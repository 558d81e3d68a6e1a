/* SPDX-License-Identifier: MIT */
/*
 * A block is freed, another one, and the first again, and as many are allocated. What the thread has at hand is nothing then, and yet
 * the chain goes on, with the second: that shows when it is to go home. Of this size a thread has at hand what it freed, no more.
 */
#include "idle.h"

#define SIZE 60000

int main(void)
{
	pointer block = malloc(SIZE);
	pointer other = malloc(SIZE);

	name_block(other);
	free(block);
	free(other);
	free(block);
	for (int i = 0; i < 3; i++)
		block = malloc(SIZE);
	let_bins_go_home();
	return block == NULL;
}
