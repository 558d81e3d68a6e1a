/* SPDX-License-Identifier: MIT */
/* Another thread frees a block twice in a row, the first of those that it hands over. */
#include "by_another.h"

static void *free_twice(void *unused)
{
	free(blocks[1]);
	free(blocks[1]);
	free(blocks[0]);
	return unused;
}

int main(void)
{
	allocate_all(8);
	name_block(blocks[1]);
	by_another(free_twice, NULL);
	malloc_trim(0);
	return 0;
}
