/* SPDX-License-Identifier: MIT */
/* Writes into a freed block after many others were freed: what the quarantine holds is bounded by their bytes alone. */
#include "misuse.h"

int main(void)
{
	static pointer others[20000];
	pointer block = malloc(16);

	for (int i = 0; i < 20000; i++)
		others[i] = malloc(16);
	name_block(block);
	free(block);
	for (int i = 0; i < 20000; i++)
		free(others[i]);
	write_at(block, 3);
	return 0;
}
