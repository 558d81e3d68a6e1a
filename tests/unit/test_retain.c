/* SPDX-License-Identifier: MIT */
/*
 * What may stay free, whatever its age: a process that falls idle after a peak keeps little, one whose use rises and falls
 * again and again is served from what it kept. Each in a process of its own: what one learns the next must not know.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <strata/strata.h>

#include "support.h"

#define PEAK (256 * MIB)
#define BURST (160 * MIB)
#define BLOCKS_MOST (PEAK / 400)

static void *blocks[BLOCKS_MOST];

static size_t build_up(size_t size, size_t bytes)
{
	size_t count = bytes / size;

	for (size_t i = 0; i < count; i++) {
		blocks[i] = strata_malloc(size);
		if (blocks[i] == NULL)
			fatal("no memory");
		*(volatile char *)blocks[i] = 1;
	}
	return count;
}

static void tear_down(size_t count)
{
	for (size_t i = 0; i < count; i++)
		strata_free(blocks[i]);
}

static int passes_in_a_child(bool (*test)(size_t), size_t size)
{
	pid_t child = fork();
	int status = 0;

	if (child == 0)
		_exit(test(size) ? 0 : 1);
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Of what there was before, in blocks of that size. */
static bool left_is_at_most(size_t most, size_t before, size_t size)
{
	size_t left = totals().heap_bytes - before;

	if (left > most)
		fprintf(stderr, "of %zu-byte blocks %zu KiB are left\n", size, left / KIB);
	return left <= most;
}

/* The bound is 4 MiB, and 16 for runs that wait for the next of their size; bins may hold 8. */
static bool little_is_left(size_t size)
{
	size_t before = totals().heap_bytes;

	tear_down(build_up(size, PEAK));
	return left_is_at_most(28 * MIB, before, size);
}

/* Of blocks that are large 4 MiB wait for the next, and 4 MiB of pages beside them. */
static bool large_blocks_go(size_t size)
{
	size_t before = totals().heap_bytes;

	set_decay(STOPPED);
	tear_down(build_up(size, 100 * MIB));
	return left_is_at_most(9 * MIB, before, size);
}

static void of_large_blocks_what_falls_with_the_use(void **state)
{
	(void)state;
	if (checked_mode())
		skip();
	assert_true(passes_in_a_child(large_blocks_go, 1000000));
	assert_true(passes_in_a_child(large_blocks_go, 4000000));
}

static const size_t sizes[] = {400, 4000, 16000, 100000, 1000000};

static void holds_for_all_sizes(bool (*test)(size_t))
{
	if (checked_mode())
		skip();
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		assert_true(passes_in_a_child(test, sizes[i]));
}

static void of_a_peak_little_is_left(void **state)
{
	(void)state;
	holds_for_all_sizes(little_is_left);
}

/* After the third nothing goes back. */
static bool bursts_are_kept(size_t size)
{
	uint64_t purged = 0;

	set_decay(STOPPED);
	for (int burst = 0; burst < 5; burst++) {
		size_t count = build_up(size, BURST);

		if (burst == 2)
			purged = totals().purged_bytes;
		shuffle(blocks, count);
		tear_down(count);
	}
	purged = totals().purged_bytes - purged;
	if (purged > 8 * MIB)
		fprintf(stderr, "bursts of %zu-byte blocks give back %llu KiB\n", size, (unsigned long long)purged / KIB);
	return purged <= 8 * MIB;
}

static void what_is_wanted_again_and_again_is_kept(void **state)
{
	(void)state;
	holds_for_all_sizes(bursts_are_kept);
}

/* Two phases are no habit: 60 MiB more than the bound at the most. */
static bool two_phases_leave(size_t size)
{
	size_t before = totals().heap_bytes;

	set_decay(STOPPED);
	tear_down(build_up(size, PEAK));
	tear_down(build_up(2 * size, PEAK));
	return left_is_at_most(88 * MIB, before, size);
}

static void a_phase_that_comes_twice_is_no_habit(void **state)
{
	(void)state;
	holds_for_all_sizes(two_phases_leave);
}

/* What a process wants back again and again stays for as long as the rest is in use. */
#define REST 4096

static bool less_is_kept_of_less(size_t size)
{
	static void *rest[REST];
	size_t before = totals().heap_bytes;

	set_decay(STOPPED);
	for (int i = 0; i < REST; i++) {
		rest[i] = strata_malloc(16 * KIB);
		if (rest[i] == NULL)
			fatal("no memory");
		*(volatile char *)rest[i] = 1;
	}
	for (int burst = 0; burst < 5; burst++)
		tear_down(build_up(size, 48 * MIB));
	for (int i = 0; i < REST; i++)
		strata_free(rest[i]);
	return left_is_at_most(28 * MIB, before, size);
}

static void what_is_kept_goes_with_what_is_in_use(void **state)
{
	(void)state;
	holds_for_all_sizes(less_is_kept_of_less);
}

/* Of runs no more than a third of what is in use is kept, beyond 4 MiB; and 4 MiB may be free pages. */
static bool few_runs_are_kept(size_t size)
{
	size_t before = totals().heap_bytes;

	set_decay(STOPPED);
	tear_down(build_up(size, 15 * MIB));
	return totals().heap_bytes <= before + 8 * MIB;
}

static void beside_little_few_runs_are_kept(void **state)
{
	(void)state;
	if (checked_mode())
		skip();
	assert_true(passes_in_a_child(few_runs_are_kept, 3 * MIB));
}

/* What large blocks of a program of many small ones left behind goes with the small ones. */
static bool runs_go_with_the_rest(size_t size)
{
	static void *large[16];
	size_t before = totals().heap_bytes;
	size_t small;

	set_decay(STOPPED);
	small = build_up(size, 60 * MIB);
	for (size_t i = 0; i < sizeof large / sizeof *large; i++) {
		large[i] = strata_malloc(MIB);
		if (large[i] == NULL)
			fatal("no memory");
	}
	for (size_t i = 0; i < sizeof large / sizeof *large; i++)
		strata_free(large[i]);
	if (totals().heap_bytes < before + 74 * MIB)
		fatal("no run was kept beside so much");
	tear_down(small);
	return left_is_at_most(9 * MIB, before, size);
}

static void runs_that_wait_fall_with_what_is_in_use(void **state)
{
	(void)state;
	if (checked_mode())
		skip();
	assert_true(passes_in_a_child(runs_go_with_the_rest, 4000));
}

/* A run that waits serves what is an eighth smaller. That it serves smaller and smaller blocks does not make it a small one. */
#define STEPS 24

static bool large_runs_stay_large(size_t count)
{
	size_t before = totals().heap_bytes;
	size_t live = 0;
	size_t cost;

	set_decay(STOPPED);
	for (size_t i = 0; i < count; i++) {
		size_t size = 4 * MIB;

		for (int step = 0; step < STEPS && size > 300 * KIB; step++) {
			void *block = strata_malloc(size);

			if (block == NULL)
				fatal("no memory");
			strata_free(block);
			size = (size * 8 / 9 + 4 * KIB - 1) / (4 * KIB) * (4 * KIB);
		}
		blocks[i] = strata_malloc(size);
		live += strata_usable_size(blocks[i]);
	}
	cost = totals().heap_bytes - before;
	if (cost > live * 3 + 16 * MIB)
		fprintf(stderr, "%zu KiB cost %zu\n", live / KIB, cost / KIB);
	return cost <= live * 3 + 16 * MIB;
}

static void a_run_of_small_blocks_does_not_hide_its_size(void **state)
{
	(void)state;
	if (checked_mode())
		skip();
	assert_true(passes_in_a_child(large_runs_stay_large, 100));
}

/* Nobody may want a freed run again: its memory serves smaller blocks before other memory is touched. */
static bool freed_runs_serve(size_t size)
{
	size_t before;

	set_decay(STOPPED);
	build_up(2 * MIB, 64 * MIB);
	tear_down(build_up(3 * MIB, 12 * MIB));
	before = totals().heap_bytes;
	build_up(size, 9 * MIB);
	if (totals().heap_bytes > before + MIB)
		fprintf(stderr, "%zu-byte blocks take %zu KiB more\n", size, (totals().heap_bytes - before) / KIB);
	return totals().heap_bytes <= before + MIB;
}

static void a_run_that_was_freed_serves_what_is_smaller(void **state)
{
	(void)state;
	holds_for_all_sizes(freed_runs_serve);
}

/* Work that lets the clock tick, for a second at the least. */
static void work_a_little(void)
{
	for (int round = 0; round < 1000; round++) {
		tear_down(build_up(100 * KIB, 6 * MIB));
		usleep(1000);
	}
}

static bool a_habit_is_forgotten(size_t size)
{
	size_t before = totals().heap_bytes;

	set_decay(STOPPED);
	for (int burst = 0; burst < 4; burst++)
		tear_down(build_up(size, BURST));
	set_decay(5);
	work_a_little();
	set_decay(STOPPED);
	tear_down(build_up(size, PEAK));
	return left_is_at_most(56 * MIB, before, size);
}

static void what_is_not_wanted_for_long_is_no_habit(void **state)
{
	(void)state;
	if (checked_mode())
		skip();
	assert_true(passes_in_a_child(a_habit_is_forgotten, 4000));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_large_blocks_what_falls_with_the_use),
		cmocka_unit_test(of_a_peak_little_is_left),
		cmocka_unit_test(what_is_wanted_again_and_again_is_kept),
		cmocka_unit_test(a_phase_that_comes_twice_is_no_habit),
		cmocka_unit_test(what_is_kept_goes_with_what_is_in_use),
		cmocka_unit_test(beside_little_few_runs_are_kept),
		cmocka_unit_test(runs_that_wait_fall_with_what_is_in_use),
		cmocka_unit_test(a_run_of_small_blocks_does_not_hide_its_size),
		cmocka_unit_test(a_run_that_was_freed_serves_what_is_smaller),
		cmocka_unit_test(what_is_not_wanted_for_long_is_no_habit),
	};
	(void)argc;
	leave_out_the_container(argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
