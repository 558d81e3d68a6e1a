/* SPDX-License-Identifier: MIT */
/*
 * The floor: a bump allocator, to be preloaded. It does what no allocator can do less of: add to a pointer. It never
 * frees; only the block that was given last can be taken back or grow where it is.
 *
 * Left at that, it would measure page faults and cache misses on ever fresh memory. So a benchmark may tell it when it
 * holds nothing: bump_enter gives the calling thread a range of its own (a slot), which bump_rewind starts again, and
 * bump_leave goes back to the memory that is kept for good (the C++ library's, thread descriptors ...).
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#define ALIGNMENT   ((size_t)16)
#define CHUNK_SIZE  ((size_t)1 << 20)
#define SLOTS       512u
#define SLOT_SIZE   ((size_t)4 << 30)
#define KEPT_SIZE   ((size_t)1 << 40)
#define REGION_SIZE (SLOTS * SLOT_SIZE + KEPT_SIZE)
#define EXPORT      __attribute__((visibility("default")))
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

struct bump {
	char *next; /* where the next block begins */
	char *end;
	char *last; /* the block given last */
	char *base; /* the slot's start, NULL outside a slot */
};

static _Thread_local struct bump mine __attribute__((tls_model("initial-exec")));
static _Thread_local struct bump kept __attribute__((tls_model("initial-exec"))); /* while mine is a slot's */

/* One range of addresses for everything, so that a copy may read behind a block: slots first, then what is kept. */
static char *region;
static size_t region_used; /* of what is kept */

EXPORT void *malloc(size_t size);
EXPORT void free(void *block);
EXPORT void *calloc(size_t count, size_t size);
EXPORT void *realloc(void *block, size_t size);
EXPORT void *memalign(size_t alignment, size_t size);
EXPORT void *aligned_alloc(size_t alignment, size_t size);
EXPORT int posix_memalign(void **out, size_t alignment, size_t size);
EXPORT void *valloc(size_t size);
EXPORT void *pvalloc(size_t size);
EXPORT size_t malloc_usable_size(void *block);
EXPORT void bump_enter(unsigned slot);
EXPORT void bump_rewind(void);
EXPORT void bump_leave(void);

static char *region_get(void)
{
	char *at = __atomic_load_n(&region, __ATOMIC_ACQUIRE);

	if (at)
		return at;
	at = mmap(NULL, REGION_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at == MAP_FAILED)
		return NULL;

	char *other = NULL;

	if (__atomic_compare_exchange_n(&region, &other, at, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return at;
	munmap(at, REGION_SIZE);
	return other;
}

/* Memory that is kept for good; length a multiple of the alignment. */
static char *region_take(size_t length)
{
	char *at = region_get();

	if (!at || length > KEPT_SIZE || __atomic_load_n(&region_used, __ATOMIC_RELAXED) > KEPT_SIZE - length) {
		errno = ENOMEM;
		return NULL;
	}
	return at + SLOTS * SLOT_SIZE + __atomic_fetch_add(&region_used, length, __ATOMIC_RELAXED);
}

/* size: rounded, not 0. */
static __attribute__((noinline, cold)) void *bump_refill(size_t size)
{
	if (mine.base || size > CHUNK_SIZE / 2) /* a slot that is full, or too large for a chunk */
		return region_take(size);

	char *chunk = region_take(CHUNK_SIZE);

	if (!chunk)
		return NULL;
	mine.next = chunk + size;
	mine.end = chunk + CHUNK_SIZE;
	mine.last = chunk;
	return chunk;
}

void *malloc(size_t size)
{
	char *block = mine.next;
	size_t rounded = (size + (ALIGNMENT - 1)) & ~(ALIGNMENT - 1);

	if (UNLIKELY(rounded - 1 >= (size_t)(mine.end - block))) /* full, size 0, or rounding overflowed */
		return bump_refill(size ? rounded ? rounded : SIZE_MAX : ALIGNMENT);
	mine.next = block + rounded;
	mine.last = block;
	return block;
}

void free(void *block)
{
	if (block && block == mine.last)
		mine.next = block;
}

void *calloc(size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}

	void *block = malloc(bytes);

	return block ? memset(block, 0, bytes) : NULL;
}

void *realloc(void *block, size_t size)
{
	if (!block)
		return malloc(size);

	char *old = block;
	size_t rounded = (size + (ALIGNMENT - 1)) & ~(ALIGNMENT - 1);

	if (old == mine.last && size && rounded >= size && rounded <= (size_t)(mine.end - old)) {
		mine.next = old + rounded;
		return old;
	}

	char *copy = malloc(size);

	/* The old size is not known; what lies behind the old block is mapped and readable. */
	if (copy) {
		size_t behind = copy > old ? (size_t)(copy - old) : size;

		memcpy(copy, old, size < behind ? size : behind);
	}
	return copy;
}

void *memalign(size_t alignment, size_t size)
{
	if (alignment <= ALIGNMENT)
		return malloc(size);
	if (size > PTRDIFF_MAX - alignment) {
		errno = ENOMEM;
		return NULL;
	}

	uintptr_t block = (uintptr_t)malloc(size + alignment);

	return (void *)((block + alignment - 1) & ~(uintptr_t)(alignment - 1));
}

void *aligned_alloc(size_t alignment, size_t size)
{
	return memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
	void *block = memalign(alignment, size);

	if (!block)
		return ENOMEM;
	*out = block;
	return 0;
}

void *valloc(size_t size)
{
	return memalign(4096, size);
}

void *pvalloc(size_t size)
{
	return memalign(4096, (size + 4095) & ~(size_t)4095);
}

/* Not known: no block has a header. */
size_t malloc_usable_size(void *block)
{
	(void)block;
	return 0;
}

void bump_enter(unsigned slot)
{
	char *at = region_get();

	if (!at || slot >= SLOTS || mine.base)
		return;
	kept = mine;
	mine.base = mine.next = at + slot * SLOT_SIZE;
	mine.end = mine.base + SLOT_SIZE;
	mine.last = NULL;
}

void bump_rewind(void)
{
	if (mine.base) {
		mine.next = mine.base;
		mine.last = NULL;
	}
}

void bump_leave(void)
{
	if (mine.base)
		mine = kept;
}
