/* SPDX-License-Identifier: MIT */
/*
 * What the container allows decides how much free memory is kept. A directory stands in for the control group, the one it
 * lies in for the group above, and their files change while the program runs; with the argument "own" the process's own
 * groups are looked at, of which one must have a memory.max of 256 MiB (tests/unit/test_cgroup_own.sh makes them).
 *
 * What was read is not seen from outside, only its effect: each test repeats one load until the effect is there, and
 * fails when it never comes.
 */
#include <fcntl.h>
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

#include "support.h"

#define BLOCKS 30
#define MUCH (BLOCKS * MIB - 4 * MIB)
#define LITTLE (10 * MIB)

#define PARENT "/tmp/strata-cgroup-XXXXXX"
#define ABOVE "../"

static char directory[] = PARENT "/own";

static void path_of(char *path, size_t size, const char *name)
{
	snprintf(path, size, "%s/%s", directory, name);
}

static bool make_directories(void)
{
	directory[sizeof PARENT - 1] = '\0';
	if (mkdtemp(directory) == NULL)
		return false;
	directory[sizeof PARENT - 1] = '/';
	return mkdir(directory, 0700) == 0;
}

static void remove_directories(void)
{
	rmdir(directory);
	directory[sizeof PARENT - 1] = '\0';
	rmdir(directory);
}

/* At one blow, as the kernel does. */
static void write_file(const char *name, const char *text)
{
	char path[128], next[128];
	int file;

	path_of(path, sizeof path, name);
	path_of(next, sizeof next, "next");
	file = open(next, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (file < 0 || write(file, text, strlen(text)) != (ssize_t)strlen(text) || rename(next, path) != 0)
		fail_msg("cannot write %s", path);
	close(file);
}

static void write_bytes(const char *name, size_t bytes)
{
	char text[32];

	snprintf(text, sizeof text, "%zu\n", bytes);
	write_file(name, text);
}

static void unlink_file(const char *name)
{
	char path[128];

	path_of(path, sizeof path, name);
	unlink(path);
}

static int no_files(void **state)
{
	const char *const names[] = {"memory.max", "memory.high", "memory.current", "memory.stat", "memory.pressure",
	                             "next", ABOVE "memory.max", ABOVE "memory.current"};

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		unlink_file(names[i]);
	return 0;
}

/* Free memory that is kept after 30 MiB were freed. */
static size_t kept(void)
{
	void *blocks[BLOCKS];

	for (size_t i = 0; i < BLOCKS; i++)
		blocks[i] = memset(malloc(MIB), 1, MIB);
	for (size_t i = 0; i < BLOCKS; i++)
		free(blocks[i]);
	return totals().free_bytes;
}

static bool kept_is_at_most(size_t bytes)
{
	return kept() <= bytes;
}

static bool kept_is_at_least(size_t bytes)
{
	return kept() >= bytes;
}

static void until_little_is_kept(void)
{
	assert_true(comes(kept_is_at_most, LITTLE, "at most so many bytes kept free"));
}

static void until_much_is_kept(void)
{
	assert_true(comes(kept_is_at_least, MUCH, "at least so many bytes kept free"));
}

/* Much is kept once it has been wanted again. */
static void without_files_nothing_is_assumed(void **state)
{
	(void)state;
	until_much_is_kept();
	for (int i = 0; i < 50; i++) {
		assert_true(kept() >= MUCH);
		usleep(10000);
	}
}

static void near_memory_max_little_is_kept_and_a_new_limit_is_followed(void **state)
{
	(void)state;
	write_bytes("memory.current", 98 * MIB);
	write_bytes("memory.max", 100 * MIB);
	until_little_is_kept();
	write_bytes("memory.max", 1000 * MIB);
	until_much_is_kept();
	write_bytes("memory.max", 100 * MIB);
	until_little_is_kept();
	write_file("memory.max", "max\n");
	until_much_is_kept();
}

static void memory_high_counts_as_well(void **state)
{
	(void)state;
	write_bytes("memory.current", 98 * MIB);
	write_bytes("memory.max", 1000 * MIB);
	write_bytes("memory.high", 100 * MIB);
	until_little_is_kept();
	write_file("memory.high", "max\n");
	until_much_is_kept();
}

static void page_cache_that_can_be_dropped_does_not_count(void **state)
{
	(void)state;
	write_bytes("memory.max", 1000 * MIB);
	write_bytes("memory.current", 990 * MIB);
	until_little_is_kept();
	write_file("memory.stat", "anon 20000000\nfile 975175680\ninactive_anon 0\nactive_anon 20000000\n"
	                          "inactive_file 943718400\nactive_file 31457280\n");
	until_much_is_kept();
}

static void pressure_counts_where_no_limit_is_set(void **state)
{
	(void)state;
	write_file("memory.pressure", "some avg10=37.50 avg60=9.00 avg300=2.00 total=123456\n"
	                              "full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n");
	until_little_is_kept();
	write_file("memory.pressure", "some avg10=0.00 avg60=9.00 avg300=2.00 total=123456\n"
	                              "full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n");
	until_much_is_kept();
}

static void what_is_not_understood_is_not_assumed(void **state)
{
	static char large[8000];

	(void)state;
	write_bytes("memory.current", 98 * MIB);
	write_bytes("memory.max", 100 * MIB);
	until_little_is_kept();
	memset(large, '9', sizeof large - 1);
	write_file("memory.max", large);
	write_file("memory.high", "");
	write_file("memory.pressure", "none\n");
	until_much_is_kept();
}

static void a_limit_of_the_group_above_counts_and_is_followed(void **state)
{
	(void)state;
	write_file("memory.max", "max\n");
	write_bytes("memory.current", 98 * MIB);
	write_bytes(ABOVE "memory.current", 196 * MIB);
	write_bytes(ABOVE "memory.max", 200 * MIB);
	until_little_is_kept();
	write_bytes(ABOVE "memory.max", 1000 * MIB);
	until_much_is_kept();
	write_bytes(ABOVE "memory.max", 200 * MIB);
	until_little_is_kept();
	unlink_file(ABOVE "memory.max");
	until_much_is_kept();
}

/* The own group has room enough of its own. */
static void what_a_sibling_uses_takes_room_from_the_own_group(void **state)
{
	(void)state;
	write_bytes("memory.max", 500 * MIB);
	write_bytes("memory.current", 98 * MIB);
	write_bytes(ABOVE "memory.max", 800 * MIB);
	write_bytes(ABOVE "memory.current", 98 * MIB);
	until_much_is_kept();
	write_bytes(ABOVE "memory.current", 790 * MIB);
	until_little_is_kept();
	write_bytes(ABOVE "memory.current", 98 * MIB);
	until_much_is_kept();
}

/* A directory that is given, and is no group, says nothing of those above it. */
static void above_a_directory_without_memory_max_nothing_is_assumed(void **state)
{
	(void)state;
	write_file("memory.max", "max\n");
	write_bytes(ABOVE "memory.max", 200 * MIB);
	write_bytes(ABOVE "memory.current", 196 * MIB);
	until_little_is_kept();
	unlink_file("memory.max");
	until_much_is_kept();
}

/* 256 MiB are allowed: with 230 of them in use, little is kept. */
static void own_group_is_found(void **state)
{
	char *block;

	(void)state;
	until_much_is_kept();
	block = memset(malloc(190 * MIB), 1, 190 * MIB);
	assert_non_null(block);
	until_little_is_kept();
	free(opaque_pointer(block));
}

static int run_with_stand_in(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_files_nothing_is_assumed),
		cmocka_unit_test_teardown(near_memory_max_little_is_kept_and_a_new_limit_is_followed, no_files),
		cmocka_unit_test_teardown(memory_high_counts_as_well, no_files),
		cmocka_unit_test_teardown(page_cache_that_can_be_dropped_does_not_count, no_files),
		cmocka_unit_test_teardown(pressure_counts_where_no_limit_is_set, no_files),
		cmocka_unit_test_teardown(what_is_not_understood_is_not_assumed, no_files),
		cmocka_unit_test_teardown(a_limit_of_the_group_above_counts_and_is_followed, no_files),
		cmocka_unit_test_teardown(what_a_sibling_uses_takes_room_from_the_own_group, no_files),
		cmocka_unit_test_teardown(above_a_directory_without_memory_max_nothing_is_assumed, no_files),
	};
	const struct strata_option group = {.type = STRATA_OPTION_WORD, .word = directory};
	struct strata_option seen;
	int failed;

	/* Before anything is allocated. */
	if (!make_directories())
		fatal("no directory can be made");
	if (strata_option_set("cgroup", &group) != 0 || strata_option_get("cgroup", &seen) != 0 ||
	    strcmp(seen.word, directory) != 0) {
		remove_directories();
		fatal("the stand-in cannot be set");
	}
	require_strata_serves_malloc();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	no_files(NULL);
	remove_directories();
	return failed;
}

int main(int count, char **arguments)
{
	const struct CMUnitTest own[] = {cmocka_unit_test(own_group_is_found)};

	set_decay(STOPPED);
	if (count > 1 && strcmp(arguments[1], "own") == 0)
		return cmocka_run_group_tests(own, NULL, NULL);
	return run_with_stand_in();
}
