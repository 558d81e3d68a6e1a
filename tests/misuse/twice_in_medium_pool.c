/* SPDX-License-Identifier: MIT */
/* Frees a block of 20000, another one, and the first again. */
#include "misuse.h"

int main(void)
{
	pointer block = malloc(20000);
	pointer other = malloc(20000);
	pointer kept = malloc(20000);

	name_block(block);
	free(block);
	free(other);
	free(block);
	malloc_trim(0);
	return kept == NULL;
}
