/* SPDX-License-Identifier: MIT */
/* Writes zero over a later word of a block that another thread freed and handed over, where others of its batch stand that it carries:
 * the first of a batch carries those behind it. */
#include "by_another.h"

int main(void)
{
	allocate_all(64);
	name_block(blocks[BATCH]);
	by_another(free_all, NULL);
	overwrite(blocks[BATCH], 3, 0);
	malloc_trim(0);
	return 0;
}
