/* SPDX-License-Identifier: MIT */
/* Frees a variable on the stack. */
#include "misuse.h"

int main(void)
{
	long long variable[4] = {0};
	pointer block = (char *)variable;

	name_block(block);
	free(block);
	return 0;
}
