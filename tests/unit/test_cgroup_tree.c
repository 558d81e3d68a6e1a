/* SPDX-License-Identifier: MIT */
/*
 * Which control groups are found from what the kernel says of the process and its mounts, which of their limits counts, and how
 * many processors the process may use; and that it is seen when there is room again.
 * With the test build of the library, which finds /proc and /sys below a directory of the test's own.
 */
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <strata/strata.h>

#include "cgroup.h"
#include "pressure.h"
#include "support.h"

#define ROOT "/sys/fs/cgroup"
#define UNIFIED "31 23 0:28 / " ROOT " rw,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
#define OTHER_MOUNT "22 1 8:1 / / rw,relatime - ext4 /dev/root rw\n"

static char root[] = "/tmp/strata-tree-XXXXXX";

static void path_of(char *path, size_t size, const char *name)
{
	if ((size_t)snprintf(path, size, "%s%s", root, name) >= size)
		fatal("%s is too long", name);
}

/* With the directories above it. */
static void write_file(const char *name, const char *text)
{
	char path[2048];
	int file;

	path_of(path, sizeof path, name);
	for (char *slash = path + 1; (slash = strchr(slash, '/')) != NULL; *slash++ = '/') {
		*slash = '\0';
		mkdir(path, 0700);
	}
	file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (file < 0 || write(file, text, strlen(text)) != (ssize_t)strlen(text))
		fatal("cannot write %s", path);
	close(file);
}

static void write_group_file(const char *group, const char *name, const char *text)
{
	char file[1024];

	snprintf(file, sizeof file, "%s%s/%s", ROOT, group, name);
	write_file(file, text);
}

/* 0: "max", no limit. */
static void write_group(const char *group, size_t limit_mib, size_t current_mib)
{
	char text[32] = "max\n";

	if (limit_mib != 0)
		snprintf(text, sizeof text, "%zu\n", limit_mib * MIB);
	write_group_file(group, "memory.max", text);
	write_group_file(group, "memory.high", "max\n");
	snprintf(text, sizeof text, "%zu\n", current_mib * MIB);
	write_group_file(group, "memory.current", text);
}

static void write_process(const char *own_groups, const char *mounts)
{
	write_file("/proc/self/cgroup", own_groups);
	write_file("/proc/self/mountinfo", mounts);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status;
	(void)type;
	(void)walk;
	return remove(path);
}

static void remove_tree(const char *name)
{
	char path[2048];

	path_of(path, sizeof path, name);
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static int no_files(void **state)
{
	(void)state;
	remove_tree("/proc");
	remove_tree("/sys");
	return 0;
}

/* ---- By the clock ------------------------------------------------------------------------------------------------ */

static bool pressure_is(size_t wanted)
{
	strata_free(strata_malloc(MIB));
	return pressure_level() == wanted;
}

/* Also by a process that has become so small meanwhile that it does not look for its own sake: less than 8 MiB. */
static void a_small_process_sees_that_there_is_room_again(void **state)
{
	void *block = strata_malloc(30 * MIB);

	(void)state;
	assert_non_null(block);
	write_process("0::/own\n", UNIFIED);
	write_group("/own", 100, 98);
	assert_true(comes(pressure_is, PRESSURE_MOST, "the pressure on a process in a full container"));
	strata_free(block);
	strata_trim();
	assert_true(totals().heap_bytes < 8 * MIB);
	assert_int_equal(pressure_level(), PRESSURE_MOST);
	write_group("/own", 100, 10);
	assert_true(comes(pressure_is, 0, "no pressure, since there is room again"));
}

/* ---- Looking ----------------------------------------------------------------------------------------------------- */

/* Looks again: time passes with every call. */
static struct cgroup_use look(void)
{
	static uint64_t now = UINT64_C(1) << 40;

	cgroup_look(now += 1000);
	return cgroup_tightest();
}

static void expect_limit(size_t limit_mib, size_t used_mib)
{
	struct cgroup_use use = look();

	assert_int_equal(use.limit, limit_mib * MIB);
	assert_int_equal(use.used, used_mib * MIB);
}

static void expect_no_limit(void)
{
	assert_int_equal(look().limit, SIZE_MAX);
}

/* ---- Processors ----------------------------------------------------------------------------------------------------- */

static void expect_processors(unsigned count)
{
	for (size_t i = 0; i < 10; i++)
		look();
	assert_int_equal(cgroup_processors(), count);
}

static void processors_are_those_the_process_may_run_on(void **state)
{
	(void)state;
	expect_processors(1);
	write_file("/proc/self/status", "Name:\tserver\nCpus_allowed:\tff\nCpus_allowed_list:\t0-7\n");
	expect_processors(8);
	write_file("/proc/self/status", "Cpus_allowed:\t5,00000000,ffffffff\n");
	expect_processors(34);
}

static void a_quota_of_processors_counts_at_every_level(void **state)
{
	(void)state;
	write_file("/proc/self/status", "Cpus_allowed:\tffff\n");
	write_process("0::/pod/own\n", UNIFIED);
	write_group("/pod", 0, 150);
	write_group_file("/pod/own", "cpu.max", "max 100000\n");
	expect_processors(16);
	write_group_file("/pod", "cpu.max", "400000 100000\n");
	expect_processors(4);
	write_group_file("/pod/own", "cpu.max", "150000 100000\n");
	expect_processors(2);
	write_group_file("/pod/own", "cpu.max", "1000 100000\n");
	expect_processors(1);
	write_group_file("/pod/own", "cpu.max", "9900000 100000\n");
	expect_processors(4);
	remove_tree(ROOT "/pod/own/cpu.max");
	expect_processors(4);
}

/* ---- Which limit counts --------------------------------------------------------------------------------------------- */

static void a_limit_of_the_parent_alone_counts(void **state)
{
	(void)state;
	write_process("0::/pod/own\n", UNIFIED);
	write_group("/pod", 200, 150);
	write_group("/pod/own", 0, 40);
	expect_limit(200, 150);
}

static void the_level_with_less_room_counts(void **state)
{
	(void)state;
	write_process("0::/pod/own\n", UNIFIED);
	write_group("/pod", 200, 150);
	write_group("/pod/own", 100, 40);
	expect_limit(200, 150);
	write_group("/pod/own", 60, 40);
	expect_limit(60, 40);
}

static void what_a_sibling_uses_takes_the_parents_room(void **state)
{
	(void)state;
	write_process("0::/pod/own\n", UNIFIED);
	write_group("/pod", 1000, 41);
	write_group("/pod/own", 100, 40);
	expect_limit(100, 40);
	write_group("/pod", 1000, 960);
	expect_limit(1000, 960);
	write_group("/pod", 1000, 41);
	expect_limit(100, 40);
}

static void a_limit_beyond_which_a_group_is_has_no_room(void **state)
{
	(void)state;
	write_process("0::/pod/own\n", UNIFIED);
	write_group("/pod", 1000, 1040);
	write_group("/pod/own", 100, 99);
	assert_int_equal(cgroup_headroom(look()), 0);
	expect_limit(1000, 1040);
}

static void limits_that_change_are_followed_at_every_level(void **state)
{
	(void)state;
	write_process("0::/slice/pod/own\n", UNIFIED);
	write_group("/slice", 0, 300);
	write_group("/slice/pod", 0, 150);
	write_group("/slice/pod/own", 0, 40);
	expect_no_limit();
	write_group("/slice", 400, 300);
	expect_limit(400, 300);
	write_group("/slice/pod", 200, 150);
	expect_limit(200, 150);
	write_group_file("/slice/pod/own", "memory.high", "52428800\n");
	expect_limit(50, 40);
	write_group("/slice/pod/own", 0, 40);
	expect_limit(200, 150);
	write_group("/slice/pod", 600, 150);
	expect_limit(400, 300);
	write_group("/slice", 0, 300);
	expect_limit(600, 150);
}

static void page_cache_is_left_out_of_each_levels_use(void **state)
{
	(void)state;
	write_process("0::/pod/own\n", UNIFIED);
	write_group("/pod", 1000, 990);
	write_group_file("/pod", "memory.stat", "anon 1\ninactive_file 943718400\n");
	write_group("/pod/own", 100, 40);
	expect_limit(100, 40);
	write_group_file("/pod", "memory.stat", "anon 1\ninactive_file 0\n");
	expect_limit(1000, 990);
}

static void a_level_that_disappears_no_longer_counts(void **state)
{
	(void)state;
	write_process("0::/slice/pod/own\n", UNIFIED);
	write_group("/slice", 1000, 300);
	write_group("/slice/pod", 200, 150);
	write_group("/slice/pod/own", 0, 40);
	expect_limit(200, 150);
	write_process("0::/slice\n", UNIFIED);
	remove_tree(ROOT "/slice/pod");
	expect_limit(1000, 300);
	remove_tree(ROOT "/slice");
	expect_no_limit();
}

/* The memory controller need not be handed on down to the own group. */
static void groups_without_files_are_passed_over(void **state)
{
	(void)state;
	write_process("0::/slice/pod/own\n", UNIFIED);
	write_group("/slice", 100, 90);
	write_group_file("/slice/pod/own", "cgroup.procs", "1\n");
	expect_limit(100, 90);
}

static void the_pressure_is_the_own_groups(void **state)
{
	(void)state;
	write_process("0::/pod/own\n", UNIFIED);
	write_group("/pod", 100, 50);
	write_group("/pod/own", 0, 10);
	write_group_file("/pod", "memory.pressure", "some avg10=50.00 avg60=0.00 avg300=0.00 total=1\n");
	look();
	assert_int_equal(cgroup_pressure(), 0);
	write_group_file("/pod/own", "memory.pressure", "some avg10=1.25 avg60=0.00 avg300=0.00 total=1\n");
	look();
	assert_int_equal(cgroup_pressure(), 125);
}

static void more_levels_than_are_looked_at_do_no_harm(void **state)
{
	char group[512] = "";
	char own_group[600];

	(void)state;
	for (int level = 0; level < 40; level++) {
		strcat(group, "/level");
		write_group(group, level == 20 ? 500 : level == 30 ? 600 : 0, 100);
	}
	snprintf(own_group, sizeof own_group, "0::%s\n", group);
	write_process(own_group, UNIFIED);
	expect_limit(600, 100);
}

/* ---- Which groups are found ----------------------------------------------------------------------------------------- */

static void in_a_namespace_the_mounts_root_is_a_group_as_well(void **state)
{
	(void)state;
	write_process("0::/\n", OTHER_MOUNT UNIFIED);
	expect_no_limit();
	write_group("", 100, 90);
	expect_limit(100, 90);
	write_process("0::/inner\n", OTHER_MOUNT UNIFIED);
	write_group("/inner", 0, 10);
	expect_limit(100, 90);
}

/* A file that lies above the mount is none of a group's. */
static void nothing_above_the_mount_is_looked_at(void **state)
{
	(void)state;
	write_process("0::/own\n", UNIFIED);
	write_group("/own", 0, 10);
	write_group("/..", 100, 90);
	expect_no_limit();
}

static void a_mount_may_show_a_part_of_the_hierarchy(void **state)
{
	(void)state;
	write_process("0::/docker/abc/own\n", "40 31 0:28 /docker/abc " ROOT " ro - cgroup2 cgroup rw\n");
	write_group("", 100, 90);
	write_group("/own", 0, 10);
	expect_limit(100, 90);
}

/* The first line shows /docker/ab, the beginning of another group's name. */
static void the_mount_that_shows_the_own_group_is_taken(void **state)
{
	(void)state;
	write_process("0::/docker/abc\n", "40 31 0:28 /docker/ab /sys/fs/cgroup - cgroup2 cgroup rw\n"
	                                  "41 31 0:28 /docker/abc /sys/own rw - cgroup2 cgroup rw\n");
	write_group("", 100, 90);
	write_group("c", 100, 90);
	expect_no_limit();
	write_file("/sys/own/memory.max", "209715200\n");
	expect_limit(200, 0);
}

static void a_group_outside_of_the_namespace_is_not_guessed_at(void **state)
{
	(void)state;
	write_group("", 100, 90);
	write_group("/../sibling", 100, 90);
	write_process("0::/../sibling\n", UNIFIED);
	expect_no_limit();
	write_process("0::/\n", "31 23 0:28 /../.. " ROOT " rw - cgroup2 cgroup2 rw\n");
	expect_no_limit();
}

/* Version 1 has the memory controller: the hierarchy of version 2 is there and has no memory files. */
static void where_version_1_has_the_controller_nothing_is_assumed(void **state)
{
	(void)state;
	write_process("4:memory:/docker/own\n1:name=systemd:/docker/own\n0::/docker/own\n",
	              "35 31 0:32 / " ROOT "/memory rw - cgroup cgroup rw,memory\n"
	              "41 31 0:38 / " ROOT "/unified rw - cgroup2 cgroup2 rw\n");
	write_group("/memory/docker/own", 100, 90);
	write_group_file("/unified/docker/own", "cgroup.procs", "1\n");
	expect_no_limit();
	write_process("4:memory:/docker/own\n", "35 31 0:32 / " ROOT "/memory rw - cgroup cgroup rw,memory\n");
	expect_no_limit();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* The first: the others are ahead of the clock. */
		cmocka_unit_test_teardown(a_small_process_sees_that_there_is_room_again, no_files),
		cmocka_unit_test_teardown(processors_are_those_the_process_may_run_on, no_files),
		cmocka_unit_test_teardown(a_quota_of_processors_counts_at_every_level, no_files),
		cmocka_unit_test_teardown(a_limit_of_the_parent_alone_counts, no_files),
		cmocka_unit_test_teardown(the_level_with_less_room_counts, no_files),
		cmocka_unit_test_teardown(what_a_sibling_uses_takes_the_parents_room, no_files),
		cmocka_unit_test_teardown(a_limit_beyond_which_a_group_is_has_no_room, no_files),
		cmocka_unit_test_teardown(limits_that_change_are_followed_at_every_level, no_files),
		cmocka_unit_test_teardown(page_cache_is_left_out_of_each_levels_use, no_files),
		cmocka_unit_test_teardown(a_level_that_disappears_no_longer_counts, no_files),
		cmocka_unit_test_teardown(groups_without_files_are_passed_over, no_files),
		cmocka_unit_test_teardown(the_pressure_is_the_own_groups, no_files),
		cmocka_unit_test_teardown(more_levels_than_are_looked_at_do_no_harm, no_files),
		cmocka_unit_test_teardown(in_a_namespace_the_mounts_root_is_a_group_as_well, no_files),
		cmocka_unit_test_teardown(nothing_above_the_mount_is_looked_at, no_files),
		cmocka_unit_test_teardown(a_mount_may_show_a_part_of_the_hierarchy, no_files),
		cmocka_unit_test_teardown(the_mount_that_shows_the_own_group_is_taken, no_files),
		cmocka_unit_test_teardown(a_group_outside_of_the_namespace_is_not_guessed_at, no_files),
		cmocka_unit_test_teardown(where_version_1_has_the_controller_nothing_is_assumed, no_files),
	};
	const struct strata_option own = {.type = STRATA_OPTION_WORD, .word = "auto"};
	int failed;

	if (mkdtemp(root) == NULL || strata_option_set("cgroup", &own) != 0)
		fatal("no tree can be made");
	setenv("STRATA_TEST_ROOT", root, 1);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(root);
	return failed;
}
