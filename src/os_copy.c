/* SPDX-License-Identifier: MIT */
/*
 * Whether the process has a copy of another's memory, and no handler ran when that was made: by _Fork, or by clone as a system call. A page
 * that forks do not copy tells that from the child of a vfork, which has the memory itself.
 */
#define _GNU_SOURCE
#include "os.h"

#include "os_pretend.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>

/* Where it is; NULL: there is none, and nothing is known. Written by whoever makes the region, by the child of a fork, and by whoever finds
 * that he is in a copy. Relaxed: it orders nothing. */
static _Atomic(void *) marked;

/* Without access: it is no memory. */
static void *map_mark(void)
{
	size_t size = os_page_size();
	if (pretend_refusal())
		return NULL;
	void *page = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (page == MAP_FAILED)
		return NULL;
	if (madvise(page, size, MADV_DONTFORK) == 0)
		return page;
	munmap(page, size);
	return NULL;
}

/* Something else may have come there in the copy: then it is not known for one. */
static bool is_gone(void *page)
{
	unsigned char in_memory[1];
	return mincore(page, 1, in_memory) != 0 && errno == ENOMEM;
}

void os_mark_memory(void)
{
	int saved_errno = errno;
	void *former = atomic_load_explicit(&marked, memory_order_relaxed);
	if (former == NULL || is_gone(former)) {
		void *page = map_mark();
		/* Another thread may have marked it meanwhile. */
		if (!atomic_compare_exchange_strong_explicit(&marked, &former, page, memory_order_relaxed, memory_order_relaxed) &&
		    page != NULL)
			munmap(page, os_page_size());
	}
	errno = saved_errno;
}

bool os_is_copy(void)
{
	int saved_errno = errno;
	void *page = atomic_load_explicit(&marked, memory_order_relaxed);
	bool gone = page != NULL && is_gone(page);
	errno = saved_errno;
	return gone;
}
