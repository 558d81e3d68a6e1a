/* SPDX-License-Identifier: MIT */
/* Writes the byte behind a medium block and resizes it. */
#include "misuse.h"

int main(void)
{
	pointer block = malloc(3001);

	name_block(block);
	write_at(block, 3001);
	block = realloc(block, 10);
	return 0;
}
