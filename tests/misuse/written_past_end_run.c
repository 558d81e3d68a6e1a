/* SPDX-License-Identifier: MIT */
/* Writes the byte behind a block of pages. */
#include "misuse.h"

int main(void)
{
	pointer block = malloc(200001);

	name_block(block);
	write_at(block, 200001);
	free(block);
	return 0;
}
