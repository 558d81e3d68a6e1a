/* SPDX-License-Identifier: MIT */
/* What the tests of the heap profile share: it is written, read, and reckoned by whoever allocated. */
#ifndef STRATA_TESTS_UNIT_PROFILE_SUPPORT_H
#define STRATA_TESTS_UNIT_PROFILE_SUPPORT_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support.h"

#define RATE (64 * KIB)

/* Blocks of libc's own that stay, for threads and files: one or the other may be in the profile. */
#define FEW 20
#define KEPT 200000

static void *kept[KEPT];

/* What the profile says of the blocks whose stack has a frame in one of the two functions: where a call returns to lies behind the
 * beginning of the function, and nearer to it than to the other's. */
struct by_caller {
	double bytes, blocks;
	size_t samples;
};
struct read_profile {
	struct by_caller all, one, other;
	bool has_mappings;
};

typedef void *allocation(size_t size);

static __attribute__((noinline, unused)) void *allocate_one(size_t size)
{
	return opaque_pointer(malloc(size));
}

static __attribute__((noinline, unused)) void *allocate_other(size_t size)
{
	return opaque_pointer(calloc(1, size));
}

static inline bool is_in(uintptr_t frame, allocation *function, allocation *another)
{
	uintptr_t distance = frame - (uintptr_t)function;

	return distance < 64 && distance < frame - (uintptr_t)another;
}

static inline void add(struct by_caller *sum, double size, double rate)
{
	double share = 1 - exp(-size / rate);

	sum->bytes += size / share;
	sum->blocks += 1 / share;
	sum->samples++;
}

static inline void read_line(struct read_profile *read, char *line, double rate)
{
	size_t blocks, size;
	bool one = false, other = false;
	char *frame = strchr(line, '@');

	assert_int_equal(sscanf(line, "%zu: %zu [", &blocks, &size), 2);
	assert_int_equal(blocks, 1);
	assert_non_null(frame);
	for (frame = strtok(frame + 1, " \n"); frame; frame = strtok(NULL, " \n")) {
		uintptr_t address = strtoull(frame, NULL, 16);

		one |= is_in(address, allocate_one, allocate_other);
		other |= is_in(address, allocate_other, allocate_one);
	}
	add(&read->all, (double)size, rate);
	if (one)
		add(&read->one, (double)size, rate);
	if (other)
		add(&read->other, (double)size, rate);
}

static char line[20000];

/* others: threads allocate and free meanwhile, so that the sum in front may be another. */
static inline struct read_profile profile_beside(bool others)
{
	struct read_profile read = {.has_mappings = false};
	size_t blocks, bytes, rate;
	FILE *file = tmpfile();

	assert_non_null(file);
	assert_int_equal(strata_profile_write(fileno(file)), 0);
	rewind(file);
	assert_non_null(fgets(line, sizeof line, file));
	assert_int_equal(sscanf(line, "heap profile: %zu: %zu [%*u: %*u] @ heap_v2/%zu", &blocks, &bytes, &rate), 3);
	while (fgets(line, sizeof line, file) && line[0] != '\n')
		read_line(&read, line, (double)rate);
	assert_true(others || read.all.samples == blocks);
	assert_non_null(fgets(line, sizeof line, file));
	assert_string_equal(line, "MAPPED_LIBRARIES:\n");
	while (fgets(line, sizeof line, file))
		read.has_mappings |= strstr(line, "r-xp") != NULL;
	fclose(file);
	return read;
}

static inline struct read_profile profile(void)
{
	return profile_beside(false);
}

static inline void assert_about(double value, double expected, double tolerance)
{
	if (value < expected * (1 - tolerance) || value > expected * (1 + tolerance))
		fail_msg("%.0f, not about %.0f", value, expected);
}

static inline size_t allocate_until(allocation *allocate, size_t most, size_t size, size_t count)
{
	size_t bytes = 0;

	for (; bytes < most && count < KEPT; count++) {
		size_t one = size ? size : 1 + count * 7919 % 30000;

		assert_non_null(kept[count] = allocate(one));
		bytes += one;
	}
	return count;
}

static inline void free_all(size_t count)
{
	while (count > 0)
		free(kept[--count]);
}

static inline int begin(void **state)
{
	(void)state;
	return set_number("profile", RATE);
}

static inline int end(void **state)
{
	(void)state;
	return set_number("profile", 0);
}

#endif
