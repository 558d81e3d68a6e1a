/* SPDX-License-Identifier: MIT */
/*
 * Pages that move: whatever the kernel says, the place to go to is there afterwards. Kernels before 6.17 unmap it before they look at
 * anything else: so does the mremap that this program has in place of libc's.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "os.h"
#include "support.h"

static const size_t size = 2 * MIB;

/* What the kernel refuses though nothing spoke against it. */
static enum { NOTHING, REFUSED, REFUSED_AND_LIMITED } surprise;

static void limit_data(rlim_t bytes)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_DATA, &limit) != 0)
		fatal("getrlimit");
	limit.rlim_cur = bytes;
	if (setrlimit(RLIMIT_DATA, &limit) != 0)
		fatal("setrlimit");
}

void *mremap(void *from, size_t old_size, size_t new_size, int flags, ...)
{
	va_list rest;
	void *to;

	va_start(rest, flags);
	to = flags & MREMAP_FIXED ? va_arg(rest, void *) : NULL;
	va_end(rest);
	if (to != NULL) {
		munmap(to, new_size);
		if (surprise != NOTHING) {
			if (surprise == REFUSED_AND_LIMITED)
				limit_data(4096);
			errno = ENOMEM;
			return MAP_FAILED;
		}
	}
	return (void *)syscall(SYS_mremap, from, old_size, new_size, flags, to);
}

/* The same of what is mapped over something. */
void *mmap(void *place, size_t bytes, int access, int flags, int file, off_t offset)
{
	if (surprise != NOTHING && (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) == MAP_FIXED) {
		munmap(place, bytes);
		if (surprise == REFUSED_AND_LIMITED)
			limit_data(4096);
		errno = ENOMEM;
		return MAP_FAILED;
	}
	return (void *)syscall(SYS_mmap, place, bytes, access, flags, file, offset);
}

static char *fresh(void)
{
	char *range = os_reserve(size, size);

	assert_non_null(range);
	assert_int_equal(os_commit(range, size), 0);
	return range;
}

static bool is_mapped(void *range)
{
	static unsigned char resident[2 * MIB / 4096];

	return mincore(range, size, resident) == 0;
}

static void check_refused(int result, char *from, char *to)
{
	pattern_write(from, size, 1);
	errno = 17;
	assert_int_equal(os_move(from, to, size), result);
	assert_int_equal(errno, 17);
	assert_true(is_mapped(to));
	assert_true(pattern_holds(from, size, 1));
	if (result != -EACCES)
		memset(to, 1, size);
}

static void let_go(char *from, char *to)
{
	os_release(from, size);
	os_release(to, size);
}

static void what_was_moved_is_there_and_not_here(void **state)
{
	char *from = fresh(), *to = fresh();

	(void)state;
	pattern_write(from, size, 1);
	assert_int_equal(os_move(from, to, size), 0);
	assert_true(pattern_holds(to, size, 1));
	assert_true(all_zero(from, size));
	let_go(from, to);
}

static void what_is_several_mappings_stays(void **state)
{
	char *from = fresh(), *to = fresh();

	(void)state;
	if (madvise(from, size / 2, MADV_DONTFORK) != 0)
		skip();
	check_refused(-EFAULT, from, to);
	let_go(from, to);
}

static void where_nothing_may_be_mapped_nothing_moves(void **state)
{
	char *from = fresh(), *to = fresh();

	(void)state;
	pattern_write(from, size, 1);
	limit_data(4096);
	check_refused(-ENOMEM, from, to);
	limit_data(RLIM_INFINITY);
	let_go(from, to);
}

static void a_place_that_was_lost_is_mapped_again(void **state)
{
	char *from = fresh(), *to = fresh();

	(void)state;
	surprise = REFUSED;
	check_refused(-ENOMEM, from, to);
	surprise = REFUSED_AND_LIMITED;
	check_refused(-EACCES, from, to);
	surprise = NOTHING;
	limit_data(RLIM_INFINITY);
	assert_true(all_zero(to, size));
	let_go(from, to);
}

/* Where a mapping was to be made anew. */
static void a_place_that_was_not_refreshed_is_there(void **state)
{
	char *range = fresh();

	(void)state;
	assert_int_equal(os_refresh(range, size), 0);
	memset(range, 1, size);
	surprise = REFUSED;
	errno = 17;
	assert_int_equal(os_refresh(range, size), -ENOMEM);
	surprise = NOTHING;
	assert_int_equal(errno, 17);
	assert_true(is_mapped(range));
	assert_true(all_zero(range, size));
	memset(range, 1, size);
	surprise = REFUSED_AND_LIMITED;
	assert_int_equal(os_refresh(range, size), -EACCES);
	surprise = NOTHING;
	limit_data(RLIM_INFINITY);
	assert_true(all_zero(range, size));
	os_release(range, size);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_moved_is_there_and_not_here),
		cmocka_unit_test(what_is_several_mappings_stays),
		cmocka_unit_test(where_nothing_may_be_mapped_nothing_moves),
		cmocka_unit_test(a_place_that_was_lost_is_mapped_again),
		cmocka_unit_test(a_place_that_was_not_refreshed_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
