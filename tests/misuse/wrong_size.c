/* SPDX-License-Identifier: MIT */
/* Frees a block of 64 as one of 40. */
#include "misuse.h"
#include <dlfcn.h>

int main(void)
{
	pointer block = malloc(64);
	void (*free_sized)(void *, size_t) = (void (*)(void *, size_t))dlsym(RTLD_DEFAULT, "free_sized");

	if (!free_sized)
		return 1;
	name_block(block);
	free_sized(block, 40);
	return 0;
}
