/* SPDX-License-Identifier: MIT */
/* Asks for the size of a block that was freed. */
#include "misuse.h"

int main(void)
{
	pointer block = malloc(40);

	name_block(block);
	free(block);
	return malloc_usable_size(block) != 0;
}
