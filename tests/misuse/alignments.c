/* SPDX-License-Identifier: MIT */
/* Alignments that are none: EINVAL. Prints those that are taken. */
#include "misuse.h"

static int failures;

static void expect_posix(size_t alignment)
{
	void *block = &failures;

	errno = 0;
	if (posix_memalign(&block, alignment, 100) != EINVAL || block != &failures || errno != 0)
		failures += dprintf(2, "posix_memalign: %zu\n", alignment);
}

/* Through a pointer that the compiler cannot see through: clang knows of aligned_alloc that it leaves errno alone. */
static void *(*volatile allocate)(size_t, size_t) = aligned_alloc;

static void expect_c17(size_t alignment)
{
	errno = 0;
	if (allocate(alignment, 480) || errno != EINVAL)
		failures += dprintf(2, "aligned_alloc: %zu: %s\n", alignment, strerror(errno));
}

int main(void)
{
	expect_posix(0);
	expect_posix(1);
	expect_posix(4);
	expect_posix(24);
	expect_posix(4095);
	expect_posix(SIZE_MAX);
	expect_c17(0);
	expect_c17(3);
	expect_c17(24);
	expect_c17(SIZE_MAX);
	return failures != 0;
}
