/* SPDX-License-Identifier: MIT */
/*
 * A block is freed, another one, and the first again, as many are allocated, and all are freed: that one is there twice shows when
 * what the thread has at hand goes home.
 */
#include "idle.h"

#define SIZE 60000

int main(void)
{
	pointer again[3];
	pointer block = malloc(SIZE);
	pointer other = malloc(SIZE);

	name_block(block);
	free(block);
	free(other);
	free(block);
	for (int i = 0; i < 3; i++)
		again[i] = malloc(SIZE);
	for (int i = 0; i < 3; i++)
		free(again[i]);
	let_bins_go_home();
	return 0;
}
