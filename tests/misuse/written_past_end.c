/* SPDX-License-Identifier: MIT */
/* Writes the byte behind a block, within what its size class rounds up to. */
#include "misuse.h"

int main(void)
{
	pointer block = malloc(40);

	name_block(block);
	write_at(block, 40);
	free(block);
	return 0;
}
