/* SPDX-License-Identifier: MIT */
/* Writes over a later word of a block that another thread freed and handed over, where others of its batch stand that it carries:
 * the first of a batch carries those behind it. */
#include "by_another.h"

int main(void)
{
	allocate_all(64);
	name_block(blocks[BATCH]);
	by_another(free_all, NULL);
	overwrite(blocks[BATCH], 3, UINT64_C(0x4141414141414141));
	malloc_trim(0);
	return 0;
}
