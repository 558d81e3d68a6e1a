/* SPDX-License-Identifier: MIT */
/*
 * The heap profile where things change: blocks that are resized, the rate, whether it is on at all, by many threads at once. Bounds are
 * eight standard deviations and more.
 */
#include <pthread.h>

#include "profile_support.h"

/* A block in the profile has its new size there, where it is or elsewhere: then another lies behind it. */
static void check_resized(bool moves)
{
	void *behind[8];
	size_t count = 0;
	char *block = malloc(2 * MIB);

	for (size_t size = 4 * MIB; size <= 64 * MIB; size *= 2) {
		struct read_profile read;

		if (moves)
			assert_non_null(behind[count++] = allocate_other(size / 2));
		block = realloc(block, size);
		assert_non_null(block);
		memset(block, 1, size);
		read = profile();
		assert_about(read.all.bytes - read.other.bytes, (double)size, 0.1);
	}
	block = realloc(block, 3 * MIB);
	assert_about(profile().all.bytes - profile().other.bytes, 3.0 * MIB, 0.3);
	block = realloc(opaque_pointer(block), 10);
	assert_true(profile().all.bytes - profile().other.bytes < MIB);
	free(block);
	while (count > 0)
		free(behind[--count]);
}

static void a_resized_block_is_counted_as_it_is(void **state)
{
	(void)state;
	check_resized(false);
	check_resized(true);
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
	/* So that the next sample is drawn for it. */
	set_number("profile", (size_t)1 << 40);
	free_all(allocate_until(allocate_one, 20 * MIB, 1000, 0));
	set_number("profile", RATE);
	count = allocate_until(allocate_one, 20 * MIB, 1000, 0);
	assert_about(profile().one.bytes, 20.0 * MIB, 8 / sqrt(20.0 * MIB / RATE));
	free_all(count);
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

/* Of this size the class is a page larger than what was asked for. A run has what a class has, however the setting changes in the middle of
 * the call. */
static void calloc_clears_no_more_than_the_block(void **state)
{
	const size_t size = 33000;
	unsigned char *blocks[64];

	(void)state;
	assert_int_equal(set_number("profile", 1), 0); /* each is watched */
	for (size_t i = 0; i < 64; i++)
		memset(blocks[i] = opaque_pointer(malloc(size)), 0x77, size);
	for (size_t i = 0; i < 64; i += 2) {
		free(blocks[i]);
		blocks[i] = opaque_pointer(calloc(1, size));
		assert_non_null(blocks[i]);
	}
	for (size_t i = 0; i < 64; i++) {
		assert_true(blocks[i][0] == (i % 2 == 0 ? 0 : 0x77) && memcmp(blocks[i], blocks[i] + 1, size - 1) == 0);
		free(blocks[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_resized_block_is_counted_as_it_is, begin, end),
		cmocka_unit_test_setup_teardown(resizing_does_not_shift_the_balance, begin, end),
		cmocka_unit_test_setup_teardown(a_block_that_cannot_grow_is_as_it_was, begin, end),
		cmocka_unit_test_setup_teardown(a_new_rate_holds_at_once, begin, end),
		cmocka_unit_test_setup_teardown(it_is_off_again, begin, end),
		cmocka_unit_test_setup_teardown(threads_and_the_setting_change_meanwhile, begin, end),
		cmocka_unit_test_setup_teardown(calloc_clears_no_more_than_the_block, begin, end),
	};

	require_strata_serves_malloc();
	if (checked_mode())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
