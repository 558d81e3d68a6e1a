/* SPDX-License-Identifier: MIT */
/*
 * Preloaded under the emulator: mremap as of a kernel that does not have MREMAP_DONTUNMAP. qemu-user hands the flag to the
 * kernel, yet takes the pages that were moved for unmapped: system calls with an address in them fail (EFAULT), instructions
 * that it emulates by a call fault (SVE's stores, in libc's memcpy), madvise does nothing. The library copies instead.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

void *mremap(void *from, size_t old_size, size_t size, int flags, ...)
{
	va_list arguments;
	void *to = NULL;

	va_start(arguments, flags);
	if (flags & MREMAP_FIXED)
		to = va_arg(arguments, void *);
	va_end(arguments);
	if (flags & MREMAP_DONTUNMAP) {
		errno = EINVAL;
		return MAP_FAILED;
	}
	return (void *)syscall(SYS_mremap, from, old_size, size, flags, to);
}
