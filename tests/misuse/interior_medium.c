/* SPDX-License-Identifier: MIT */
/* Frees a pointer into the second page of a block of 20000. */
#include "misuse.h"

int main(void)
{
	pointer block = malloc(20000);
	pointer inside = block + 4096;

	name_block(inside);
	free(inside);
	malloc_trim(0);
	return 0;
}
