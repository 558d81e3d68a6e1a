/* SPDX-License-Identifier: MIT */
/* Writes into a freed block; noticed when others push it out of the quarantine. */
#include "misuse.h"

int main(void)
{
	pointer block = malloc(64);

	name_block(block);
	free(block);
	write_at(block, 63);
	for (int i = 0; i < 1000; i++)
		free(malloc(4000));
	return 0;
}
