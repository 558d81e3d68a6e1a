/* SPDX-License-Identifier: MIT */
/* Resizes a static variable. */
#include "misuse.h"

static long long variable[4];

int main(void)
{
	pointer block = (char *)variable;

	name_block(block);
	block = realloc(block, 100);
	return 0;
}
