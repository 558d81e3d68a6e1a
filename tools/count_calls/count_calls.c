/* SPDX-License-Identifier: MIT */
/*
 * count_calls: counts how often a program asks glibc's malloc for memory and gives it back.
 *
 * Preload it (LD_PRELOAD=count_calls.so COUNT_CALLS_FILE=path program). The two counts live in the file, which is
 * mapped shared, so that another process can read them while the program runs, before and after a piece of work:
 *
 *     od -An -v -t u8 path        ->  allocations  frees
 *
 * An allocation is a call of malloc, calloc, realloc, reallocarray, aligned_alloc, memalign, posix_memalign or a C++
 * operator new that calls malloc. A free is a call of free with a block. Processes that the program starts count into
 * the same file. The counts are atomic, so the program is slower than without: count and time in separate runs.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

/* glibc's own entry points: no dlsym, which would itself allocate before the counter is ready. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *block);

struct counts {
	_Atomic uint64_t allocations;
	char apart[64 - sizeof(uint64_t)]; /* the two counts in cache lines of their own */
	_Atomic uint64_t frees;
};

/* Until the constructor has mapped the file, and where there is none, the counts go here and are lost. */
static struct counts unmapped;
static struct counts *_Atomic counts = &unmapped;

__attribute__((constructor)) static void count_calls_init(void)
{
	const char *path = getenv("COUNT_CALLS_FILE");
	int saved_errno = errno;
	int fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666) : -1;

	if (fd >= 0 && ftruncate(fd, sizeof(struct counts)) == 0) {
		void *map = mmap(NULL, sizeof(struct counts), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

		if (map != MAP_FAILED)
			atomic_store_explicit(&counts, map, memory_order_release);
	}
	if (fd >= 0)
		close(fd);
	errno = saved_errno;
}

static void count_allocation(void)
{
	struct counts *c = atomic_load_explicit(&counts, memory_order_acquire);

	atomic_fetch_add_explicit(&c->allocations, 1, memory_order_relaxed);
}

EXPORT void *malloc(size_t size)
{
	count_allocation();
	return __libc_malloc(size);
}

EXPORT void *calloc(size_t count, size_t size)
{
	count_allocation();
	return __libc_calloc(count, size);
}

EXPORT void *realloc(void *block, size_t size)
{
	count_allocation();
	return __libc_realloc(block, size);
}

EXPORT void *reallocarray(void *block, size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(block, bytes);
}

EXPORT void *memalign(size_t alignment, size_t size)
{
	count_allocation();
	return __libc_memalign(alignment, size);
}

EXPORT void *aligned_alloc(size_t alignment, size_t size)
{
	return memalign(alignment, size);
}

EXPORT int posix_memalign(void **block, size_t alignment, size_t size)
{
	int saved_errno = errno;
	void *got;

	if (alignment % sizeof(void *) != 0 || alignment == 0 || (alignment & (alignment - 1)) != 0)
		return EINVAL;
	got = memalign(alignment, size);
	errno = saved_errno;
	if (got == NULL)
		return ENOMEM;
	*block = got;
	return 0;
}

EXPORT void free(void *block)
{
	struct counts *c = atomic_load_explicit(&counts, memory_order_acquire);

	if (block == NULL)
		return;
	atomic_fetch_add_explicit(&c->frees, 1, memory_order_relaxed);
	__libc_free(block);
}
