/* SPDX-License-Identifier: MIT */
/* Another thread frees a block twice in a row; the owner takes what was handed over for its next allocations. */
#include "by_another.h"

static void *free_twice(void *unused)
{
	free(blocks[0]);
	free(blocks[1]);
	free(blocks[1]);
	return unused;
}

int main(void)
{
	allocate_all(64);
	name_block(blocks[1]);
	by_another(free_twice, NULL);
	allocate_all(64);
	return 0;
}
