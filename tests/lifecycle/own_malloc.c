/* SPDX-License-Identifier: MIT */
/* A program with a malloc of its own that works from main on, as some Lisp systems have it: nobody calls it before. */
#include "lifecycle.h"

#include <stdint.h>

static _Alignas(16) char room[1 << 20];
static size_t used;
static int begun;

void *malloc(size_t size)
{
	size_t *block = (size_t *)(room + used);

	check(begun && size < sizeof room - used - 64);
	used += (size + 31) & ~(size_t)15;
	*block = size;
	return block + 2;
}

void free(void *block)
{
	check(begun || !block);
}

void *calloc(size_t count, size_t size)
{
	return memset(malloc(count * size), 0, count * size);
}

void *realloc(void *block, size_t size)
{
	void *other = malloc(size);

	if (block) {
		size_t had = ((size_t *)block)[-2];

		memcpy(other, block, had < size ? had : size);
	}
	return other;
}

int main(void)
{
	char *copy;

	begun = 1;
	copy = strdup("a copy");
	check(copy != NULL && strcmp(copy, "a copy") == 0 && (uintptr_t)copy - (uintptr_t)room < sizeof room);
	free(copy);
	return 0;
}
