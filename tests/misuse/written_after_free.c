/* SPDX-License-Identifier: MIT */
/* Writes into a freed block; noticed when the program ends. */
#include "misuse.h"

int main(void)
{
	pointer block = malloc(64);

	name_block(block);
	free(block);
	write_at(block, 24);
	return 0;
}
