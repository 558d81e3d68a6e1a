/* SPDX-License-Identifier: MIT */
/* Frees what the program mapped itself. */
#include "misuse.h"
#include <sys/mman.h>

int main(void)
{
	pointer block = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pointer inside = block + 4096;

	name_block(inside);
	free(inside);
	return 0;
}
