/* SPDX-License-Identifier: MIT */
/* Frees a pointer 16 bytes into a block of 64. */
#include "misuse.h"

int main(void)
{
	pointer block = malloc(64);
	pointer inside = block + 16;

	name_block(inside);
	free(inside);
	malloc_trim(0);
	return 0;
}
