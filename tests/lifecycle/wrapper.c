/* SPDX-License-Identifier: MIT */
/* A program that wraps malloc and free by libc's second names for them, as leak finders do, and calls the rest as it is. */
#include "lifecycle.h"

#include <malloc.h>

void *__libc_malloc(size_t size);
void __libc_free(void *block);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void *__libc_valloc(size_t size);
void *__libc_pvalloc(size_t size);

static size_t calls;

void *malloc(size_t size)
{
	calls++;
	return __libc_malloc(size);
}

void free(void *block)
{
	calls++;
	__libc_free(block);
}

int main(void)
{
	char *block = malloc(100);

	check(block != NULL && calls > 0);
	memset(block, 1, 100);
	block = realloc(block, 100000);
	check(block != NULL && block[99] == 1 && malloc_usable_size(block) >= 100000);
	block = __libc_realloc(block, 200000);
	check(block != NULL && block[99] == 1);
	free(block);
	block = calloc(10, 10);
	check(block != NULL && block[99] == 0);
	__libc_free(block);
	free(__libc_calloc(10, 10));
	free(__libc_memalign(64, 100));
	free(__libc_valloc(100));
	free(__libc_pvalloc(100));
	block = strdup("a copy");
	check(block != NULL && strcmp(block, "a copy") == 0);
	free(block);
	puts("a wrapper's blocks are malloc's");
	return 0;
}
