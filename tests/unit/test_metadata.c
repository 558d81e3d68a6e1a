/* SPDX-License-Identifier: MIT */
/*
 * What statistics count as metadata has in it a thread's records of typed lists from the first use of a type on, and
 * the records of the heap profile once it has begun.
 */
#include <pthread.h>

#include <strata/strata.h>

#include "typed_layout.h"
#include "typed_support.h"

/* A thread that has a heap, and when asked allocates again. One that used types leaves its records to the next. */
static struct {
	pthread_barrier_t step;
	strata_type *type; /* NULL: blocks alone */
} user;

static void use_blocks(void)
{
	for (size_t size = 8; size < MIB; size *= 2)
		strata_free(opaque_pointer(strata_malloc(size)));
}

static void *use_memory(void *unused)
{
	use_blocks();
	pthread_barrier_wait(&user.step);
	pthread_barrier_wait(&user.step);
	use_blocks();
	if (user.type != NULL)
		strata_type_free(user.type, strata_type_alloc(user.type));
	pthread_barrier_wait(&user.step);
	pthread_barrier_wait(&user.step);
	return unused;
}

/* By how much metadata grows while a thread that has a heap goes on. */
static uint64_t growth(strata_type *type)
{
	uint64_t before, after;
	pthread_t thread;

	user.type = type;
	pthread_barrier_init(&user.step, NULL, 2);
	assert_int_equal(pthread_create(&thread, NULL, use_memory, NULL), 0);
	pthread_barrier_wait(&user.step);
	before = totals().metadata_bytes;
	pthread_barrier_wait(&user.step);
	pthread_barrier_wait(&user.step);
	after = totals().metadata_bytes;
	pthread_barrier_wait(&user.step);
	pthread_join(thread, NULL);
	pthread_barrier_destroy(&user.step);
	return after - before;
}

static void typed_lists_are_metadata(void **state)
{
	strata_type *type = fixed("used", 64);

	(void)state;
	if (checked_mode())
		skip();
	use_blocks();
	assert_int_equal(growth(NULL), 0);
	assert_true(growth(type) >= sizeof(struct type_cache));
	unregister(type);
}

/* 128 Ki blocks can be watched; of each something is kept, if only a number. */
#define PROFILE_LEAST (128 * KIB * sizeof(uint64_t))

static void the_profile_is_metadata(void **state)
{
	void *watched;
	uint64_t before;

	(void)state;
	if (checked_mode())
		skip();
	use_blocks();
	before = totals().metadata_bytes;
	assert_int_equal(set_number("profile", 1), 0);
	watched = opaque_pointer(strata_malloc(MIB));
	assert_non_null(watched);
	assert_int_equal(set_number("profile", 0), 0);
	assert_true(totals().metadata_bytes >= before + PROFILE_LEAST);
	strata_free(watched);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(typed_lists_are_metadata, nothing_is_idle),
		cmocka_unit_test_setup(the_profile_is_metadata, nothing_is_idle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
