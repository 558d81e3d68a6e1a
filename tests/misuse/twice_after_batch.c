/* SPDX-License-Identifier: MIT */
/* A block that another thread freed and handed over, with others, is freed by its own. */
#include "by_another.h"

int main(void)
{
	allocate_all(64);
	name_block(blocks[BATCH]);
	by_another(free_all, NULL);
	free(blocks[BATCH]);
	malloc_trim(0);
	return 0;
}
