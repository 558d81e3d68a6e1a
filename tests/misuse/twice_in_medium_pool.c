/* SPDX-License-Identifier: MIT */
/* Frees a block of 600, another one, and the first again. */
#include "misuse.h"

int main(void)
{
	pointer block = malloc(600);
	pointer other = malloc(600);
	pointer kept = malloc(600);

	name_block(block);
	free(block);
	free(other);
	free(block);
	malloc_trim(0);
	return kept == NULL;
}
