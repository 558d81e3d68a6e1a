/* SPDX-License-Identifier: MIT */
/* Frees a block of 3 MiB twice. */
#include "misuse.h"

int main(void)
{
	pointer block = malloc(3 << 20);

	name_block(block);
	free(block);
	free(block);
	return 0;
}
