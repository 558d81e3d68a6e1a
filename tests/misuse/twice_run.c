/* SPDX-License-Identifier: MIT */
/* Frees a block of 100 KiB twice. */
#include "misuse.h"

int main(void)
{
	pointer block = malloc(100 << 10);

	name_block(block);
	free(block);
	free(block);
	return 0;
}
