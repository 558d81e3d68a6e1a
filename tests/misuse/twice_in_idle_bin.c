/* SPDX-License-Identifier: MIT */
/* A block is freed, another one, and the first again; then the thread goes on with another size until both have gone home. */
#include "idle.h"

int main(void)
{
	pointer block = malloc(64);
	pointer other = malloc(64);
	pointer kept = malloc(64);

	name_block(block);
	free(block);
	free(other);
	free(block);
	let_bins_go_home();
	block = malloc(64);
	other = malloc(64);
	return kept == NULL || block == other;
}
