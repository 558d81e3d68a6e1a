/* SPDX-License-Identifier: MIT */
/* A small program: what does an allocator cost before it is used? Prints its resident bytes. */
#include "memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

int main(void)
{
	char *word = malloc(6);

	if (!word)
		return 1;
	snprintf(word, 6, "hello");
	printf("%s %" PRIu64 "\n", word, memory_resident());
	free(word);
	return 0;
}
