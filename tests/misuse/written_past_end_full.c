/* SPDX-License-Identifier: MIT */
/* Writes the byte behind a block of exactly a size class. */
#include "misuse.h"

int main(void)
{
	pointer block = malloc(64);

	name_block(block);
	write_at(block, 64);
	free(block);
	return 0;
}
