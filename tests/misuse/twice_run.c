/* SPDX-License-Identifier: MIT */
/* Frees a block of 300 KiB twice. */
#include "misuse.h"

int main(void)
{
	pointer block = malloc(300 << 10);

	name_block(block);
	free(block);
	free(block);
	return 0;
}
