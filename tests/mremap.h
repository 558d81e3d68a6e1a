/* SPDX-License-Identifier: MIT */
/* The program's mremap in place of libc's: the library calls it. */
#ifndef STRATA_TESTS_MREMAP_H
#define STRATA_TESTS_MREMAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The program's own, before each call; to is NULL without MREMAP_FIXED. False: the call is refused, with errno as it was set. */
static bool before_mremap(size_t old_size, size_t new_size, int flags, void *to);

void *mremap(void *from, size_t old_size, size_t new_size, int flags, ...)
{
	va_list rest;
	void *to;

	va_start(rest, flags);
	to = flags & MREMAP_FIXED ? va_arg(rest, void *) : NULL;
	va_end(rest);
	if (!before_mremap(old_size, new_size, flags, to))
		return MAP_FAILED;
	return (void *)syscall(SYS_mremap, from, old_size, new_size, flags, to);
}

#endif
