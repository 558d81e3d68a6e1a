/* SPDX-License-Identifier: MIT */
/*
 * The heap profile: what is reckoned from it is what is in use, by those who allocated it; blocks leave it when they are freed, by
 * whichever thread, and stay in it when they are resized; it is on and off at any time. Bounds are eight standard deviations and more.
 */
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <strata/typed.h>

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

static __attribute__((noinline)) void *allocate_one(size_t size)
{
	return opaque_pointer(malloc(size));
}

static __attribute__((noinline)) void *allocate_other(size_t size)
{
	return opaque_pointer(calloc(1, size));
}

static bool is_in(uintptr_t frame, allocation *function, allocation *another)
{
	uintptr_t distance = frame - (uintptr_t)function;

	return distance < 64 && distance < frame - (uintptr_t)another;
}

static void add(struct by_caller *sum, double size, double rate)
{
	double share = 1 - exp(-size / rate);

	sum->bytes += size / share;
	sum->blocks += 1 / share;
	sum->samples++;
}

static void read_line(struct read_profile *read, char *line, double rate)
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
static struct read_profile profile_beside(bool others)
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

static struct read_profile profile(void)
{
	return profile_beside(false);
}

static void assert_about(double value, double expected, double tolerance)
{
	if (value < expected * (1 - tolerance) || value > expected * (1 + tolerance))
		fail_msg("%.0f, not about %.0f", value, expected);
}

static size_t allocate_until(allocation *allocate, size_t most, size_t size, size_t count)
{
	size_t bytes = 0;

	for (; bytes < most && count < KEPT; count++) {
		size_t one = size ? size : 1 + count * 7919 % 30000;

		assert_non_null(kept[count] = allocate(one));
		bytes += one;
	}
	return count;
}

static void free_all(size_t count)
{
	while (count > 0)
		free(kept[--count]);
}

static int begin(void **state)
{
	(void)state;
	return set_number("profile", RATE);
}

static int end(void **state)
{
	(void)state;
	return set_number("profile", 0);
}

static void what_is_in_use_is_reckoned_by_caller(void **state)
{
	const size_t sizes[] = {100, 1000, 0, 3 * MIB};

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		size_t most = sizes[i] == 100 ? 8 * MIB : 60 * MIB;
		size_t half = allocate_until(allocate_one, most, sizes[i], 0);
		size_t count = allocate_until(allocate_other, most / 2, sizes[i], half);
		struct read_profile read = profile();
		double deviation = 1 / sqrt((double)most / 2 / RATE);

		assert_true(read.has_mappings);
		assert_about(read.one.bytes, (double)most, 8 * deviation + 0.05);
		assert_about(read.other.bytes, (double)most / 2, 8 * deviation + 0.05);
		if (sizes[i] == 100)
			assert_about(read.one.blocks, (double)half, 8 * deviation);
		free_all(count);
		read = profile();
		assert_int_equal(read.one.samples + read.other.samples, 0);
	}
}

/* Pairs pass by; what stays is found all the same. */
static void what_was_freed_is_not_in_it(void **state)
{
	size_t count;
	struct read_profile read;

	(void)state;
	for (size_t i = 0; i < 2000000; i++) {
		free(allocate_one(64));
		if (i % 20 == 0)
			kept[i / 20] = allocate_other(64);
	}
	count = 2000000 / 20;
	read = profile();
	assert_about(read.other.bytes, 64.0 * (double)count, 8 / sqrt(64.0 * (double)count / RATE));
	assert_int_equal(read.one.samples, 0);
	free_all(count);
}

static void *free_from_another(void *unused)
{
	free_all(40000);
	return unused;
}

static void others_may_free_it(void **state)
{
	pthread_t thread;

	(void)state;
	allocate_until(allocate_one, SIZE_MAX, 500, KEPT - 40000);
	for (size_t i = 0; i < 40000; i++)
		kept[i] = kept[KEPT - 40000 + i];
	assert_true(profile().one.samples > 100);
	assert_int_equal(pthread_create(&thread, NULL, free_from_another, NULL), 0);
	pthread_join(thread, NULL);
	assert_int_equal(profile().one.samples, 0);
}

/* A block in the profile has its new size there, wherever it lies by then. */
static void a_resized_block_is_counted_as_it_is(void **state)
{
	char *block = NULL;

	(void)state;
	for (size_t size = 2 * MIB; size <= 128 * MIB; size *= 2) {
		double before = size > 2 * MIB ? profile().all.bytes : 0;

		block = realloc(block, size);
		assert_non_null(block);
		memset(block, 1, size);
		assert_about(profile().all.bytes - before, (double)(size > 2 * MIB ? size / 2 : size), 0.2);
	}
	block = realloc(block, 3 * MIB);
	assert_about(profile().all.bytes, 3.0 * MIB, 0.3);
	block = realloc(opaque_pointer(block), 10);
	assert_true(profile().all.bytes < MIB);
	free(block);
}

/* Whatever it was before, a block is in the profile with the chance of its size: in small steps, which leave it where it is or do not,
 * within a page and beyond, larger and smaller. */
static void resizing_does_not_shift_the_balance(void **state)
{
	static const struct {
		size_t from, to, step, count;
	} paths[] = {{16, 1000, 16, 20000}, {2100, 4000, 200, 10000}, {2500, 4000, 1500, 10000}, {70000, 250000, 5000, 500},
	             {200000, 110000, 90000, 1000}, {MIB, 550000, MIB - 550000, 200}};

	(void)state;
	for (size_t p = 0; p < sizeof paths / sizeof *paths; p++) {
		size_t size = paths[p].from, to = paths[p].to, count = paths[p].count;
		double bytes = (double)(to * count);

		for (size_t i = 0; i < count; i++)
			kept[i] = malloc(size);
		while (size != to) {
			size = size < to ? size + paths[p].step : size - paths[p].step;
			if (size > to && paths[p].from < to)
				size = to;
			for (size_t i = 0; i < count; i++)
				assert_non_null(kept[i] = realloc(kept[i], size));
		}
		assert_about(profile().all.bytes, bytes, 8 / sqrt(bytes / RATE) + 0.02);
		free_all(count);
	}
}

static void a_block_that_cannot_grow_is_as_it_was(void **state)
{
	void *block = malloc(MIB);

	(void)state;
	assert_null(realloc(opaque_pointer(block), opaque((size_t)1 << 60)));
	assert_about(profile().all.bytes, MIB, 0.5);
	free(block);
}

static void a_new_rate_holds_at_once(void **state)
{
	size_t count;

	(void)state;
	set_number("profile", (size_t)1 << 40);
	free(allocate_one(1000));
	set_number("profile", RATE);
	count = allocate_until(allocate_one, 20 * MIB, 1000, 0);
	assert_about(profile().one.bytes, 20.0 * MIB, 8 / sqrt(20.0 * MIB / RATE));
	free_all(count);
}

/* Beyond what it can hold blocks are as without it. */
static void a_full_profile_costs_no_more(void **state)
{
	uint64_t before = totals().heap_bytes;

	(void)state;
	set_number("profile", 8);
	for (size_t i = 0; i < KEPT; i++)
		assert_non_null(kept[i] = allocate_one(64));
	assert_true(profile().one.samples < KEPT);
	assert_true(totals().heap_bytes - before < (profile().one.samples + 4096) * 4096);
	free_all(KEPT);
	set_number("profile", RATE);
	assert_int_equal(profile().one.samples, 0);
}

static void every_way_to_allocate_is_counted(void **state)
{
	size_t count = 0;

	(void)state;
	while (count < 20000) {
		kept[count++] = strata_malloc(1000);
		kept[count++] = strata_aligned_alloc(64, 1000);
		kept[count++] = aligned_alloc(8192, 8192);
		kept[count++] = strata_calloc(1, 1000);
		kept[count++] = realloc(malloc(10), 1000);
	}
	for (size_t i = 0; i < count; i++) {
		assert_true(is_aligned(kept[i], i % 5 == 1 ? 64 : i % 5 == 2 ? 8192 : 8));
		memset(kept[i], 0xee, 1000);
	}
	assert_about(profile().all.bytes, (double)count / 5 * (4 * 1000 + 8192), 8 / sqrt(20000.0 / 5 * 12192 / RATE));
	for (size_t i = 0; i < count; i++)
		strata_free_sized(kept[i], i % 5 == 2 ? 8192 : 1000);
	assert_true(profile().all.samples < FEW);
}

/* They expect blocks of their class. */
static void objects_of_types_are_left_alone(void **state)
{
	struct strata_type_info info = {.name = "left alone", .size = 200};
	strata_type *type = strata_type_register(&info, sizeof info);

	(void)state;
	assert_non_null(type);
	for (size_t turn = 0; turn < 3; turn++) {
		for (size_t i = 0; i < 50000; i++)
			assert_non_null(kept[i] = strata_type_alloc(type));
		for (size_t i = 0; i < 50000; i++)
			strata_type_free(type, kept[i]);
	}
	assert_int_equal(strata_type_unregister(type, NULL), 0);
}

static void it_is_off_again(void **state)
{
	size_t first, count;

	(void)state;
	first = allocate_until(allocate_one, 20 * MIB, 1000, 0);
	assert_true(profile().one.samples > 100);
	set_number("profile", 0);
	free_all(first / 2);
	count = allocate_until(allocate_one, 20 * MIB, 1000, first);
	assert_true(profile().one.samples > 50);
	for (size_t i = first / 2; i < count; i++)
		free(kept[i]);
	assert_int_equal(profile().one.samples, 0);
}

#define THREADS 8

static void *churn(void *number)
{
	uint64_t random = (uintptr_t)number + 1;
	void *blocks[500] = {NULL};

	for (size_t i = 0; i < 200000; i++) {
		void **at = &blocks[random_below(&random, 500)];

		if (i % 3 == 0)
			*at = realloc(*at, 1 + random_size(&random, 100000));
		else {
			free(*at);
			*at = malloc(random_size(&random, 100000));
		}
		if (*at == NULL)
			fatal("no memory");
		if (number == NULL && i % 20000 == 0)
			set_number("profile", i % 40000 ? 4 * KIB : 0);
	}
	for (size_t i = 0; i < 500; i++)
		free(blocks[i]);
	return NULL;
}

static void threads_and_the_setting_change_meanwhile(void **state)
{
	pthread_t threads[THREADS];

	(void)state;
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, churn, (void *)i), 0);
	for (int i = 0; i < 20; i++)
		profile_beside(true);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_true(profile().all.samples < FEW);
}

static void a_file_that_cannot_be_written_is_told(void **state)
{
	int ends[2];

	(void)state;
	assert_int_equal(strata_profile_write(-1), EBADF);
	assert_int_equal(pipe(ends), 0);
	close(ends[0]);
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(strata_profile_write(ends[1]), EPIPE);
	close(ends[1]);
}

static void a_child_has_it_as_well(void **state)
{
	size_t count;
	int status;
	pid_t child;

	(void)state;
	count = allocate_until(allocate_one, 20 * MIB, 1000, 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		bool found = profile().one.samples > 100;

		free_all(count);
		_exit(!found || profile().one.samples != 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_true(profile().one.samples > 100);
	free_all(count);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_in_use_is_reckoned_by_caller, begin, end),
		cmocka_unit_test_setup_teardown(what_was_freed_is_not_in_it, begin, end),
		cmocka_unit_test_setup_teardown(others_may_free_it, begin, end),
		cmocka_unit_test_setup_teardown(a_resized_block_is_counted_as_it_is, begin, end),
		cmocka_unit_test_setup_teardown(resizing_does_not_shift_the_balance, begin, end),
		cmocka_unit_test_setup_teardown(a_block_that_cannot_grow_is_as_it_was, begin, end),
		cmocka_unit_test_setup_teardown(a_new_rate_holds_at_once, begin, end),
		cmocka_unit_test_setup_teardown(a_full_profile_costs_no_more, begin, end),
		cmocka_unit_test_setup_teardown(every_way_to_allocate_is_counted, begin, end),
		cmocka_unit_test_setup_teardown(objects_of_types_are_left_alone, begin, end),
		cmocka_unit_test_setup_teardown(it_is_off_again, begin, end),
		cmocka_unit_test_setup_teardown(threads_and_the_setting_change_meanwhile, begin, end),
		cmocka_unit_test_setup_teardown(a_file_that_cannot_be_written_is_told, begin, end),
		cmocka_unit_test_setup_teardown(a_child_has_it_as_well, begin, end),
	};

	require_strata_serves_malloc();
	if (checked_mode())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
