/* SPDX-License-Identifier: MIT */
/* Asks for the size of a static variable. */
#include "misuse.h"

static long long variable[4];

int main(void)
{
	pointer block = (char *)variable;

	name_block(block);
	return malloc_usable_size(block) != 0;
}
