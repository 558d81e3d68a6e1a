/* SPDX-License-Identifier: MIT */
/* Sizes that overflow: NULL and ENOMEM, and what was there stays. Prints the number of each that does otherwise. */
#include "misuse.h"

static volatile size_t most = SIZE_MAX;
static volatile size_t half = (size_t)PTRDIFF_MAX + 1;
static volatile size_t root = (size_t)1 << 32;
static int failures;

static void expect(int number, pointer block)
{
	if (block || errno != ENOMEM)
		failures += dprintf(2, "call %d: %p, %s\n", number, block, strerror(errno));
	errno = 0;
}

static void test_realloc(void)
{
	pointer block = memset(malloc(100), 0x5a, 100);

	expect(20, realloc(block, most));
	expect(21, realloc(block, half));
	expect(22, reallocarray(block, half, 3));
	for (int i = 0; i < 100; i++)
		if (block[i] != 0x5a)
			failures += dprintf(2, "block changed\n");
	free(block);
}

int main(void)
{
	void *block = NULL;

	expect(1, malloc(most));
	expect(2, malloc(half));
	expect(3, calloc(most, 1));
	expect(4, calloc(half, 2));
	expect(5, calloc(root, root));
	expect(6, reallocarray(NULL, half, 2));
	expect(7, aligned_alloc(64, most - 63));
	expect(8, aligned_alloc(root, half));
	expect(9, memalign(4096, most));
	expect(10, valloc(most));
	expect(11, pvalloc(most));
	test_realloc();
	if (posix_memalign(&block, 64, most) != ENOMEM || posix_memalign(&block, 64, half) != ENOMEM)
		failures += dprintf(2, "posix_memalign\n");
	free(malloc(100));
	return failures != 0;
}
