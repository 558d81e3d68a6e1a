/* SPDX-License-Identifier: MIT */
/*
 * For callgrind: pairs SIZE COUNT allocates and frees one block COUNT times. The difference between two counts, divided
 * by that of the counts, is the exact number of instructions for a pair, the calls and the loop included.
 */
#include <stdio.h>
#include <stdlib.h>

int main(int count, char **arguments)
{
	if (count != 3) {
		fprintf(stderr, "usage: pairs SIZE COUNT\n");
		return 2;
	}

	size_t size = strtoul(arguments[1], NULL, 10);

	for (unsigned long left = strtoul(arguments[2], NULL, 10); left; left--) {
		void *block = malloc(size);

		if (!block)
			return 1;
		free(block);
	}
	return 0;
}
