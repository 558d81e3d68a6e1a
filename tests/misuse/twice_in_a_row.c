/* SPDX-License-Identifier: MIT */
/* Frees a block twice, nothing in between. */
#include "misuse.h"

int main(void)
{
	pointer block = malloc(64);

	name_block(block);
	free(block);
	free(block);
	return 0;
}
