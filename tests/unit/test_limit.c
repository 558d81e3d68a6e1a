/* SPDX-License-Identifier: MIT */
/*
 * The process's limit: never passed, by one thread or many; what is free goes before a call fails; what was allocated
 * stays intact; service resumes.
 */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <strata/strata.h>

#include "limit_support.h"

#define THREADS 8
#define BATCH (256 * KIB) /* what one call in progress may be moving */
#define MOST 60000

static struct piece pieces[THREADS][MOST];

static size_t fill(struct piece *piece, size_t size_most, uint64_t seed)
{
	uint64_t random = seed;
	size_t count = 0;

	for (; count < MOST; count++, piece++) {
		piece->size = size_most == 64 * KIB ? size_most : random_size(&random, size_most);
		errno = 0;
		piece->block = count % 5 ? malloc(piece->size) : calloc(1, piece->size);
		if (piece->block == NULL) {
			if (errno != ENOMEM)
				fatal("errno %d", errno);
			return count;
		}
		pattern_write(piece->block, piece->size, count);
	}
	return count;
}

static void one_thread_is_refused_and_served_again(void **state)
{
	const size_t sizes[] = {64 * KIB, 512, 5000, 3 * MIB};

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		uint64_t limit = limit_with_room(sizes[i] < 10000 ? 600 * KIB : ROOM);
		size_t first = 0;

		for (int round = 0; round < 3; round++) {
			size_t count = fill(pieces[0], sizes[i], i + 1);

			assert_true(count > 0 && count < MOST);
			assert_true(totals().heap_bytes <= limit);
			verify_and_free(pieces[0], count);
			if (round == 0)
				first = count;
			/* No worse than the first time, but for what a partly used pool, or the quarantine, holds. */
			assert_true(checked_mode() || count + count / 8 + 8 >= first);
		}
	}
}

static void nearly_all_of_the_limit_can_be_had(void **state)
{
	size_t count;

	(void)state;
	limit_with_room(ROOM);
	count = fill(pieces[0], 64 * KIB, 1);
	assert_true(count * 64 * KIB > ROOM - ROOM / 16);
	verify_and_free(pieces[0], count);
}

static void what_is_cached_goes_before_a_call_fails(void **state)
{
	const size_t sizes[] = {100, 3000, 60 * KIB, 200 * KIB, MIB};

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		uint64_t limit = limit_with_room(ROOM);
		size_t count = 0;
		void *large;

		for (; (count + 1) * sizes[i] < 20 * MIB && count < MOST; count++) {
			pieces[0][count] = (struct piece){malloc(sizes[i]), sizes[i]};
			assert_non_null(pieces[0][count].block);
			pattern_write(pieces[0][count].block, sizes[i], count);
		}
		verify_and_free(pieces[0], count);
		large = malloc(ROOM - ROOM / 16);
		assert_non_null(large);
		memset(large, 1, ROOM - ROOM / 16);
		assert_true(totals().heap_bytes <= limit);
		free(large);
	}
}

static void a_refused_realloc_leaves_the_block(void **state)
{
	void *block;

	(void)state;
	limit_with_room(ROOM);
	block = malloc(ROOM / 2);
	assert_non_null(block);
	pattern_write(block, ROOM / 2, 7);
	errno = 0;
	assert_null(realloc(opaque_pointer(block), opaque(ROOM + ROOM / 2)));
	assert_int_equal(errno, ENOMEM);
	assert_true(pattern_holds(block, ROOM / 2, 7));
	free(block);
}

static void a_limit_below_what_is_in_use_refuses_until_enough_is_free(void **state)
{
	size_t count;

	(void)state;
	limit_with_room(ROOM);
	count = fill(pieces[0], 64 * KIB, 1);
	set("limit", totals().heap_bytes / 2);
	assert_null(malloc(opaque(MIB)));
	verify_and_free(pieces[0], count);
	set("limit", totals().heap_bytes + ROOM);
	count = fill(pieces[0], 64 * KIB, 1);
	assert_true(count > 0);
	verify_and_free(pieces[0], count);
}

/* Where it is, or to where there is room for what is left of it: it writes to no other's place. */
static void a_block_shrinks_under_a_limit_that_was_passed(void **state)
{
	void *small[4], *victim, *block;

	(void)state;
	for (size_t i = 0; i < 4; i++)
		small[i] = memset(malloc(4 * MIB), 1, 4 * MIB);
	victim = malloc(48 * MIB);
	block = malloc(48 * MIB);
	assert_true(victim && block);
	pattern_write(victim, 48 * MIB, 1);
	pattern_write(block, 48 * MIB, 2);
	for (size_t i = 0; i < 4; i++)
		free(small[i]);
	/* With what the four had, and less without: so that a refused call finds relief. */
	set("limit", totals().heap_bytes - 2 * MIB);
	block = realloc(block, 8 * MIB);
	assert_non_null(block);
	assert_true(pattern_holds(block, 8 * MIB, 2));
	assert_true(pattern_holds(victim, 48 * MIB, 1));
	free(block);
	free(victim);
}

static int set_purge(const char *word)
{
	return strata_option_set("purge", &(struct strata_option){.type = STRATA_OPTION_WORD, .word = word});
}

static int purge_at_once(void **state)
{
	set_purge("dontneed");
	set_decay(1000);
	return no_limits(state);
}

/* Blocks of so many bytes, all MIB of them written, then freed. */
static void use_for_a_while(size_t size, size_t mib)
{
	size_t count = mib * MIB / size;

	for (size_t i = 0; i < count; i++) {
		pieces[0][i] = (struct piece){calloc(1, size), size};
		assert_non_null(pieces[0][i].block);
		assert_true(all_zero(pieces[0][i].block, size));
		pattern_write(pieces[0][i].block, size, i);
	}
	verify_and_free(pieces[0], count);
}

/* A page that MADV_FREE took still is not known to be zero, but must not be counted as given back a second time: what is
 * free would become negative, and a limit mean that much more. */
static void pages_taken_by_madv_free_are_counted_once(void **state)
{
	const size_t sizes[] = {3000, 60 * KIB, 200 * KIB, 700 * KIB};
	uint64_t limit;
	size_t count;

	(void)state;
	assert_int_equal(set_purge("free"), 0);
	set_decay(STOPPED);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		for (int round = 0; round < 3; round++) {
			uint64_t before;

			strata_trim();
			before = totals().purged_bytes;
			strata_trim();
			/* There is hardly anything left to take. */
			assert_true(totals().purged_bytes - before < MIB);
			assert_true(totals().free_bytes < MIB);
			use_for_a_while(sizes[i], 12);
			assert_true(totals().heap_bytes - totals().live_bytes > 10 * MIB);
		}
	limit = limit_with_room(ROOM);
	count = fill(pieces[0], 600 * KIB, 5);
	assert_true(totals().live_bytes <= limit);
	verify_and_free(pieces[0], count);
}

/* ---- Many threads --------------------------------------------------------------------------------------------------- */

static pthread_barrier_t together;
static uint64_t limit_of_all;

static void *fill_verify_free(void *argument)
{
	size_t self = (size_t)argument;

	for (int round = 0; round < 6; round++) {
		size_t count = fill(pieces[self], 600 * KIB, self + 1);
		uint64_t cost = totals().heap_bytes;

		if (cost > limit_of_all + THREADS * BATCH)
			fatal("%llu bytes under a limit of %llu", (unsigned long long)cost,
			      (unsigned long long)limit_of_all);
		verify_and_free(pieces[self], count);
		/* Half of the time all are full together, else they come as they will. */
		if (round % 2)
			pthread_barrier_wait(&together);
		if (round == 5 && totals().live_bytes > limit_of_all)
			fatal("more is live than may be");
	}
	return NULL;
}

static void many_threads_never_pass_it(void **state)
{
	pthread_t threads[THREADS];
	size_t resident;

	(void)state;
	limit_of_all = limit_with_room(ROOM);
	resident = resident_bytes();
	pthread_barrier_init(&together, NULL, THREADS);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, fill_verify_free, (void *)i), 0);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&together);
	/* What the kernel counts: with metadata, and the stacks. */
	assert_true(resident_bytes() < resident + ROOM + ROOM / 16 + 4 * MIB);
	free(opaque_pointer(malloc(ROOM / 2)));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		/* The first: its blocks lie one behind the other. */
		cmocka_unit_test_teardown(a_block_shrinks_under_a_limit_that_was_passed, no_limits),
		cmocka_unit_test_teardown(one_thread_is_refused_and_served_again, no_limits),
		cmocka_unit_test_teardown(nearly_all_of_the_limit_can_be_had, no_limits),
		cmocka_unit_test_teardown(what_is_cached_goes_before_a_call_fails, no_limits),
		cmocka_unit_test_teardown(a_refused_realloc_leaves_the_block, no_limits),
		cmocka_unit_test_teardown(a_limit_below_what_is_in_use_refuses_until_enough_is_free, no_limits),
		cmocka_unit_test_teardown(pages_taken_by_madv_free_are_counted_once, purge_at_once),
		cmocka_unit_test_teardown(many_threads_never_pass_it, no_limits),
	};

	(void)argc;
	leave_out_the_container(argv);
	require_strata_serves_malloc();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
