/* SPDX-License-Identifier: MIT */
/* Frees a static variable. */
#include "misuse.h"

static long long variable[4];

int main(void)
{
	pointer block = (char *)variable;

	name_block(block);
	free(block);
	return 0;
}
