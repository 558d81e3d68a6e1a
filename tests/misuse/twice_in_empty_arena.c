/* SPDX-License-Identifier: MIT */
/* Frees a block whose arena has gone back to the system. */
#include "misuse.h"

enum { COUNT = 20000 };
static char *blocks[COUNT];

int main(void)
{
	for (int i = 0; i < COUNT; i++)
		blocks[i] = malloc(112);
	for (int i = 0; i < COUNT; i++)
		free(blocks[i]);
	malloc_trim(0);
	name_block(blocks[COUNT / 2]);
	free(blocks[COUNT / 2]);
	return 0;
}
