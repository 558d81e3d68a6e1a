/* SPDX-License-Identifier: MIT */
/* Frees a pointer 16 bytes into a block of 1 MiB. */
#include "misuse.h"

int main(void)
{
	pointer block = malloc(1 << 20);
	pointer inside = block + 16;

	name_block(inside);
	free(inside);
	return 0;
}
