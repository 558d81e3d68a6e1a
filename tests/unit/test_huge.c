/* SPDX-License-Identifier: MIT */
/*
 * huge:size: huge pages are welcome for memory that pools fill, once there is much of it; not for large blocks, of which a program may
 * touch a byte here and there; and no longer for what a part of went back. What the kernel was told is read from /proc.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include <strata/strata.h>

#include "arena_count.h"
#include "huge.h"
#include "region.h"
#include "support.h"

enum { SIZE = 1000, PER_MIB = 1000 };

struct mappings {
	size_t huge_bytes; /* of the heap, that huge pages are welcome for */
	size_t of_them;    /* that is so backed */
	size_t misplaced;  /* begins or ends within a huge page */
	size_t rss_bytes;  /* of the heap */
};

static struct mappings look(void)
{
	struct mappings all = {0};
	char line[512];
	uintptr_t from = 0, to = 0;
	size_t rss = 0, backed = 0;
	FILE *file = fopen("/proc/self/smaps", "r");

	assert_non_null(file);
	while (fgets(line, sizeof line, file) != NULL) {
		uintptr_t first, last;
		if (sscanf(line, "%lx-%lx ", &first, &last) == 2) {
			from = first;
			to = last;
		}
		if (sscanf(line, "Rss: %zu", &rss) == 1 || sscanf(line, "AnonHugePages: %zu", &backed) == 1 ||
		    strncmp(line, "VmFlags:", 8) != 0)
			continue;
		if (from < region_base || to > region_base + region_span)
			continue;
		all.rss_bytes += rss << 10;
		if (strstr(line, " hg") == NULL)
			continue;
		all.huge_bytes += to - from;
		all.of_them += backed << 10;
		all.misplaced += from % HUGE_SIZE != 0 || to % HUGE_SIZE != 0;
	}
	fclose(file);
	return all;
}

static char *blocks[160 * PER_MIB];

static void fill(size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		blocks[i] = strata_malloc(SIZE);
		assert_non_null(blocks[i]);
		memset(blocks[i], (int)(i % 251), SIZE);
	}
}

static void drop(size_t from, size_t to, size_t step)
{
	for (size_t i = from; i < to; i += step) {
		for (size_t at = 0; blocks[i] != NULL && at < SIZE; at += 99)
			assert_int_equal((unsigned char)blocks[i][at], i % 251);
		strata_free(blocks[i]);
		blocks[i] = NULL;
	}
}

static void after_all(void)
{
	drop(0, sizeof blocks / sizeof *blocks, 1);
	strata_trim();
	struct mappings all = look();
	assert_int_equal(all.misplaced, 0);
	assert_true(all.rss_bytes <= 2 * MIB);
}

static void test_small_heap_has_none(void **state)
{
	(void)state;
	fill(0, 80 * PER_MIB);
	assert_int_equal(look().huge_bytes, 0);
	after_all();
}

static void test_pools_of_a_large_heap(void **state)
{
	(void)state;
	fill(0, 160 * PER_MIB);
	struct mappings all = look();
	assert_int_equal(all.misplaced, 0);
	assert_in_range(all.huge_bytes, 56 * MIB, 72 * MIB);
	/* What a huge page has too much is that of the last one. */
	assert_true(all.rss_bytes <= 160 * MIB + 2 * HUGE_SIZE);
	after_all();
}

static void test_large_blocks_have_none(void **state)
{
	char *large[8];

	(void)state;
	fill(0, 110 * PER_MIB);
	struct mappings before = look();
	for (size_t i = 0; i < 8; i++) {
		large[i] = strata_malloc(32 * MIB);
		assert_non_null(large[i]);
		for (size_t at = 0; at < 32 * MIB; at += MIB)
			large[i][at] = 1;
	}
	struct mappings all = look();
	assert_true(all.huge_bytes <= before.huge_bytes);
	assert_true(all.rss_bytes <= before.rss_bytes + 4 * MIB);
	for (size_t i = 0; i < 8; i++)
		strata_free(large[i]);
	after_all();
}

static void test_what_went_in_part(void **state)
{
	(void)state;
	fill(0, 160 * PER_MIB);
	struct mappings before = look();
	/* All but a block in each MiB: each huge page keeps some. */
	for (size_t i = 0; i < 160 * PER_MIB; i += PER_MIB)
		drop(i + 1, i + PER_MIB, 1);
	strata_trim();
	struct mappings after = look();
	assert_int_equal(after.misplaced, 0);
	assert_true(after.huge_bytes < before.huge_bytes / 4 && before.huge_bytes >= 56 * MIB);
	assert_true(after.rss_bytes <= 4 * MIB);
	/* And again where all of it went. */
	after_all();
	fill(0, 160 * PER_MIB);
	assert_true(look().huge_bytes >= 56 * MIB);
	after_all();
}

/* Arenas that nobody had asked for, and that went back all the same. The library's calls come here, too. */
static size_t rests;

int madvise(void *start, size_t size, int advice)
{
	if (advice == MADV_DONTNEED && size == ARENA_SIZE && (uintptr_t)start - region_base < region_span)
		rests += arena_dirty_pages(page_of(start) / ARENA_PAGES) == 0;
	return (int)syscall(SYS_madvise, start, size, advice);
}

/* The rest of a huge page that nobody asked for goes with what did. New kernels find out by themselves that it is empty; so it is counted
 * as well. */
static void test_rest_of_the_last_one(void **state)
{
	(void)state;
	rests = 0;
	if (look().of_them == 0 && (fill(0, 110 * PER_MIB), look().of_them == 0)) {
		after_all();
		skip();
	}
	for (size_t count = 103 * PER_MIB; count < 110 * PER_MIB; count += PER_MIB / 3) {
		after_all();
		fill(0, count);
		drop(count - PER_MIB / 2, count, 1);
		strata_trim();
		assert_true(look().rss_bytes <= count * SIZE + 2 * MIB + MIB / 2);
	}
	assert_true(rests > 0);
	after_all();
}

static void test_not_under_a_limit(void **state)
{
	(void)state;
	assert_int_equal(set_number("limit", 1 << 30), 0);
	fill(0, 160 * PER_MIB);
	assert_int_equal(look().huge_bytes, 0);
	drop(0, 160 * PER_MIB, 1);
	assert_int_equal(set_number("limit", 0), 0);
	after_all();
}

static int set_huge(const char *word)
{
	struct strata_option value = { .type = STRATA_OPTION_WORD, .word = word };

	return strata_option_set("huge", &value);
}

static void test_never(void **state)
{
	(void)state;
	assert_int_equal(set_huge("never"), 0);
	fill(0, 160 * PER_MIB);
	assert_int_equal(look().huge_bytes, 0);
	assert_int_equal(set_huge("size"), 0);
	after_all();
}

static int by_size(void **state)
{
	(void)state;
	return set_huge("size");
}

/* Blocks of all sizes come and go, and keep their contents. */
static void test_contents(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (unsigned turn = 0; turn < 4; turn++) {
		fill(0, 150 * PER_MIB);
		for (size_t i = 0; i < 150 * PER_MIB; i++)
			if (random_below(&seed, 4) != 0 || i / (4 * PER_MIB) % 3 == turn % 3)
				drop(i, i + 1, 1);
		if (turn % 2 == 0)
			strata_trim();
		for (size_t i = 0; i < 150 * PER_MIB; i++)
			if (blocks[i] == NULL && random_below(&seed, 2) == 0)
				fill(i, i + 1);
		drop(0, 150 * PER_MIB, 1);
	}
	after_all();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small_heap_has_none),
		cmocka_unit_test(test_pools_of_a_large_heap),
		cmocka_unit_test(test_large_blocks_have_none),
		cmocka_unit_test(test_what_went_in_part),
		cmocka_unit_test(test_rest_of_the_last_one),
		cmocka_unit_test(test_not_under_a_limit),
		cmocka_unit_test(test_never),
		cmocka_unit_test(test_contents),
	};

	return cmocka_run_group_tests(tests, by_size, NULL);
}
