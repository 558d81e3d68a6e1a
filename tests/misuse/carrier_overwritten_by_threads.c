/* SPDX-License-Identifier: MIT */
/* Writes over the first word of a block that another thread freed and handed over: it links nowhere now, and carries more than it
 * has words. */
#include "by_another.h"

int main(void)
{
	allocate_all(64);
	name_block(blocks[BATCH]);
	by_another(free_all, NULL);
	overwrite(blocks[BATCH], 0, UINT64_C(0xffff000000000000));
	malloc_trim(0);
	return 0;
}
