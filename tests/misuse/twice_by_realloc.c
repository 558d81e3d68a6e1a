/* SPDX-License-Identifier: MIT */
/* Resizes a block of 3 MiB that was freed. */
#include "misuse.h"

int main(void)
{
	pointer block = malloc(3 << 20);

	name_block(block);
	free(block);
	block = realloc(block, 100);
	return 0;
}
