/* SPDX-License-Identifier: MIT */
/*
 * The heap profile: what is reckoned from it is what is in use, by those who allocated it; blocks leave it when they are freed, by
 * whichever thread. Bounds are eight standard deviations and more.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <strata/typed.h>

#include "profile_support.h"

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

/* A rate at which each block is sampled that comes by where blocks are chosen. */
enum { EACH = 1, OBJECTS = 200 };

struct sequence {
	void *buffer;
	size_t capacity;
};

static strata_type *type_of(enum strata_shape shape)
{
	struct strata_type_info info = {
	    .name = "left alone, too",
	    .shape = shape,
	    .size = sizeof(struct sequence),
	    .item_size = 8,
	    .buffer_offset = offsetof(struct sequence, buffer),
	    .capacity_offset = offsetof(struct sequence, capacity),
	};
	strata_type *type = strata_type_register(&info, sizeof info);

	assert_non_null(type);
	return type;
}

static void long_tuples_are_left_alone(void **state)
{
	const size_t lengths[] = {21, 100, 1000, 100000};
	strata_type *type = type_of(STRATA_TUPLE);

	(void)state;
	assert_int_equal(set_number("profile", EACH), 0);
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		size_t before = profile().all.samples;

		for (size_t j = 0; j < OBJECTS; j++)
			assert_non_null(kept[j] = strata_tuple_alloc(type, lengths[i]));
		assert_int_equal(profile().all.samples, before);
		for (size_t j = 0; j < OBJECTS; j++)
			strata_tuple_free(type, kept[j], lengths[i]);
	}
	assert_int_equal(strata_type_unregister(type, NULL), 0);
}

/* From now on; how many blocks are sampled so far. */
static size_t sample_each(void)
{
	assert_int_equal(set_number("profile", EACH), 0);
	return profile().all.samples;
}

static void buffers_that_grow_are_left_alone(void **state)
{
	strata_type *type = type_of(STRATA_LIST);
	size_t before = sample_each();

	(void)state;
	for (size_t i = 0; i < OBJECTS; i++)
		assert_non_null(kept[i] = strata_list_alloc(type, 50));
	for (size_t items = 100; items <= 100000; items *= 10) {
		for (size_t i = 0; i < OBJECTS; i++)
			assert_int_equal(strata_list_reserve(type, kept[i], items), 0);
		assert_int_equal(profile().all.samples, before);
	}
	for (size_t i = 0; i < OBJECTS; i++)
		strata_list_free(type, kept[i]);
	assert_int_equal(strata_type_unregister(type, NULL), 0);
}

static void resize(strata_type *type, void *dict, size_t slots)
{
	void *table;
	size_t former;

	assert_int_equal(strata_dict_resize(type, dict, slots, &table, &former), 0);
	strata_dict_release(type, table, former);
}

static void tables_are_left_alone(void **state)
{
	strata_type *type = type_of(STRATA_DICT);
	size_t before = sample_each();

	(void)state;
	for (size_t slots = 8; slots <= MIB / 8; slots *= 2) {
		for (size_t i = 0; i < OBJECTS / 10; i++)
			assert_non_null(kept[i] = strata_dict_alloc(type, slots));
		assert_int_equal(profile().all.samples, before);
		for (size_t i = 0; i < OBJECTS / 10; i++)
			resize(type, kept[i], 2 * slots);
		assert_int_equal(profile().all.samples, before);
		for (size_t i = 0; i < OBJECTS / 10; i++)
			strata_dict_free(type, kept[i]);
	}
	assert_int_equal(strata_type_unregister(type, NULL), 0);
}

/* What came between is not left alone for it. */
static void blocks_beside_objects_are_not(void **state)
{
	strata_type *list = type_of(STRATA_LIST), *dict = type_of(STRATA_DICT);

	(void)state;
	for (size_t i = 0; i < 20000; i++) {
		void *grown = strata_list_alloc(list, 50);

		assert_non_null(grown);
		assert_int_equal(strata_list_reserve(list, grown, 10000), 0);
		strata_list_free(list, grown);
		strata_dict_free(dict, strata_dict_alloc(dict, 16384));
		kept[i] = allocate_one(1000);
	}
	assert_about(profile().one.bytes, 20000.0 * 1000, 8 / sqrt(20000.0 * 1000 / RATE));
	free_all(20000);
	assert_int_equal(strata_type_unregister(list, NULL), 0);
	assert_int_equal(strata_type_unregister(dict, NULL), 0);
}

/* No such request is served, and none takes the place of those that are. */
static void an_impossible_request_ends_nothing(void **state)
{
	const size_t size = opaque(((size_t)1 << 63) + ((size_t)1 << 40));
	void *block = NULL;
	size_t count;

	(void)state;
	free_all(allocate_until(allocate_one, MIB, 1000, 0));
	assert_int_equal(posix_memalign(&block, 64, size), ENOMEM);
	errno = 0;
	assert_null(aligned_alloc(64, size));
	assert_int_equal(errno, ENOMEM);
	errno = 0;
	assert_null(strata_aligned_alloc(4096, size));
	assert_int_equal(errno, ENOMEM);
	assert_null(malloc(size));
	assert_null(calloc(1, size));
	count = allocate_until(allocate_one, 20 * MIB, 1000, 0);
	assert_about(profile().one.bytes, 20.0 * MIB, 8 / sqrt(20.0 * MIB / RATE));
	free_all(count);
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

/* Programs use all that good_size says, sampled or not. */
static void good_sizes_are_good(void **state)
{
	(void)state;
	for (size_t size = 1; size < MIB; size += size / 3 + 1)
		for (int i = 0; i < 40; i++) {
			void *block = strata_malloc(size);

			assert_true(strata_usable_size(block) >= strata_good_size(size));
			block = strata_realloc(block, 2 * size);
			assert_true(strata_usable_size(block) >= strata_good_size(2 * size));
			strata_free(block);
		}
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
		cmocka_unit_test_setup_teardown(every_way_to_allocate_is_counted, begin, end),
		cmocka_unit_test_setup_teardown(a_full_profile_costs_no_more, begin, end),
		cmocka_unit_test_setup_teardown(objects_of_types_are_left_alone, begin, end),
		cmocka_unit_test_setup_teardown(long_tuples_are_left_alone, begin, end),
		cmocka_unit_test_setup_teardown(buffers_that_grow_are_left_alone, begin, end),
		cmocka_unit_test_setup_teardown(tables_are_left_alone, begin, end),
		cmocka_unit_test_setup_teardown(blocks_beside_objects_are_not, begin, end),
		cmocka_unit_test_setup_teardown(an_impossible_request_ends_nothing, begin, end),
		cmocka_unit_test_setup_teardown(a_file_that_cannot_be_written_is_told, begin, end),
		cmocka_unit_test_setup_teardown(good_sizes_are_good, begin, end),
		cmocka_unit_test_setup_teardown(a_child_has_it_as_well, begin, end),
	};

	require_strata_serves_malloc();
	if (checked_mode())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
