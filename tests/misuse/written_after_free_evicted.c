/* SPDX-License-Identifier: MIT */
/* Writes into a freed block; noticed when others push it out of the quarantine. */
#include "misuse.h"

int main(void)
{
	pointer block = malloc(64);
	pointer other;

	name_block(block);
	free(block);
	write_at(block, 63);
	for (int i = 0; i < 1000; i++) {
		other = malloc(4000);
		free(other);
	}
	return 0;
}
