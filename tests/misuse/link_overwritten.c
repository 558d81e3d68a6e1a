/* SPDX-License-Identifier: MIT */
/* Writes over the first word of a freed block that another one lies on top of: it leads out of the heap now. */
#include "misuse.h"

int main(void)
{
	pointer below = malloc(64);
	pointer block = malloc(64);
	pointer above = malloc(64);
	pointer kept = malloc(64);

	name_block(block);
	free(below);
	free(block);
	free(above);
	*(volatile uintptr_t *)block = UINT64_C(0x4141414141414141);
	malloc_trim(0);
	return kept == NULL;
}
