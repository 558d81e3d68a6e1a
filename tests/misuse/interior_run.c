/* SPDX-License-Identifier: MIT */
/* Frees a pointer into the third page of a block of 1 MiB. */
#include "misuse.h"

int main(void)
{
	pointer block = malloc(1 << 20);
	pointer inside = block + 8192;

	name_block(inside);
	free(inside);
	return 0;
}
