/* SPDX-License-Identifier: MIT */
/* Frees a block, another one, and the first again. A third keeps their pool in use. */
#include "misuse.h"

int main(void)
{
	pointer block = malloc(64);
	pointer other = malloc(64);
	pointer kept = malloc(64);

	name_block(block);
	free(block);
	free(other);
	free(block);
	malloc_trim(0);
	return kept == NULL;
}
