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
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "../mremap.h"
#include "os.h"
#include "support.h"

static const size_t size = 2 * MIB;

/* What the kernel refuses though nothing spoke against it. */
static enum { NOTHING, REFUSED, REFUSED_AND_LIMITED } surprise;
static int surprise_errno = ENOMEM;

static void limit_data(rlim_t bytes)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_DATA, &limit) != 0)
		fatal("getrlimit");
	limit.rlim_cur = bytes;
	if (setrlimit(RLIMIT_DATA, &limit) != 0)
		fatal("setrlimit");
}

static bool before_mremap(size_t old_size, size_t new_size, int flags, void *to)
{
	(void)old_size, (void)flags;
	if (to != NULL) {
		munmap(to, new_size);
		if (surprise != NOTHING) {
			if (surprise == REFUSED_AND_LIMITED)
				limit_data(4096);
			errno = surprise_errno;
			return false;
		}
	}
	return true;
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

static char *fresh_of(size_t bytes)
{
	char *range = os_reserve(bytes, size);

	assert_non_null(range);
	assert_int_equal(os_commit(range, bytes), 0);
	return range;
}

static char *fresh(void)
{
	return fresh_of(size);
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
	assert_int_equal(os_move(from, to, size, size), result);
	assert_int_equal(errno, 17);
	assert_true(is_mapped(to));
	assert_true(pattern_holds(from, size, 1));
	if (result != PLACE_LOST)
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
	assert_int_equal(os_move(from, to, size, size), 0);
	assert_true(pattern_holds(to, size, 1));
	assert_true(all_zero(from, size));
	let_go(from, to);
}

/* A block that grows moves again and again, with what it got in addition. */
static void what_was_moved_may_move_again(void **state)
{
	char *from = fresh(), *to = fresh_of(2 * size), *there = fresh_of(4 * size);

	(void)state;
	memset(to, 1, 2 * size);
	pattern_write(from, size, 1);
	assert_int_equal(os_move(from, to, size, 2 * size), 0);
	assert_true(pattern_holds(to, size, 1));
	assert_true(all_zero(to + size, size));
	assert_true(all_zero(from, size));
	pattern_write(to, 2 * size, 2);
	assert_int_equal(os_move(to, there, 2 * size, 4 * size), 0);
	assert_true(pattern_holds(there, 2 * size, 2));
	assert_true(all_zero(there + 2 * size, 2 * size));
	assert_true(all_zero(to, 2 * size));
	let_go(from, to);
	os_release(to + size, size);
	os_release(there, 4 * size);
}

static size_t data_bytes(void)
{
	char line[256];
	size_t kib = 0;
	FILE *file = fopen("/proc/self/status", "r");

	assert_non_null(file);
	while (fgets(line, sizeof line, file) != NULL)
		sscanf(line, "VmData: %zu", &kib);
	fclose(file);
	return kib * KIB;
}

/* What is unmapped on the way has made room for what goes there. */
static void where_there_is_no_place_between_it_moves_at_once(void **state)
{
	char *from = fresh(), *to = fresh_of(2 * size);

	(void)state;
	pattern_write(from, size, 1);
	limit_data(data_bytes() + size / 2);
	errno = 17;
	assert_int_equal(os_move(from, to, size, 2 * size), MOVED_ALONE);
	assert_int_equal(errno, 17);
	limit_data(RLIM_INFINITY);
	assert_true(pattern_holds(to, size, 1));
	assert_true(all_zero(to + size, size));
	assert_true(all_zero(from, size));
	let_go(from, to);
	os_release(to + size, size);
}

static void what_cannot_go_on_from_between_is_copied(void **state)
{
	char *from = fresh(), *to = fresh_of(2 * size);

	(void)state;
	pattern_write(from, size, 1);
	surprise = REFUSED;
	errno = 17;
	assert_int_equal(os_move(from, to, size, 2 * size), MOVED_ALONE);
	assert_int_equal(errno, 17);
	assert_true(pattern_holds(to, size, 1));
	assert_true(all_zero(to + size, size));
	assert_true(all_zero(from, size));
	pattern_write(from, size, 2);
	surprise = REFUSED_AND_LIMITED;
	assert_int_equal(os_move(from, to, size, 2 * size), PLACE_LOST);
	assert_int_equal(errno, 17);
	surprise = NOTHING;
	limit_data(RLIM_INFINITY);
	assert_true(pattern_holds(from, size, 2));
	assert_true(all_zero(to, 2 * size));
	let_go(from, to);
	os_release(to + size, size);
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
	surprise_errno = EACCES;
	check_refused(-EACCES, from, to);
	surprise_errno = ENOMEM;
	surprise = REFUSED_AND_LIMITED;
	check_refused(PLACE_LOST, from, to);
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
	assert_int_equal(os_refresh(range, size), PLACE_LOST);
	surprise = NOTHING;
	limit_data(RLIM_INFINITY);
	assert_true(all_zero(range, size));
	os_release(range, size);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_moved_is_there_and_not_here),
		cmocka_unit_test(what_was_moved_may_move_again),
		cmocka_unit_test(where_there_is_no_place_between_it_moves_at_once),
		cmocka_unit_test(what_cannot_go_on_from_between_is_copied),
		cmocka_unit_test(what_is_several_mappings_stays),
		cmocka_unit_test(where_nothing_may_be_mapped_nothing_moves),
		cmocka_unit_test(a_place_that_was_lost_is_mapped_again),
		cmocka_unit_test(a_place_that_was_not_refreshed_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
