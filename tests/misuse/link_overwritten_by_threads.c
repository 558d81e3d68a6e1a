/* SPDX-License-Identifier: MIT */
/* Writes over the first word of a block that another thread freed and handed over: it leads out of the heap now. Blocks so small
 * carry no others: each links to the next. */
#include "by_another.h"

int main(void)
{
	allocate_all(8);
	name_block(blocks[BLOCKS / 2]);
	by_another(free_all, NULL);
	overwrite(blocks[BLOCKS / 2], 0, UINT64_C(0x4141414141414141));
	malloc_trim(0);
	return 0;
}
