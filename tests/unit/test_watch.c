/* SPDX-License-Identifier: MIT */
/*
 * A thread whose caches have all that it wants looks at the clock all the same, and one that waits for another ends though the clock does
 * not go on. The clock is this program's: it stands until it is moved.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <strata/strata.h>

#include "os.h"
#include "support.h"

#define PEAK (3 * MIB) /* less than what may be free, whatever its age */
#define OTHER 3000     /* a size of which none is cached */

/* src/os.h has it for test builds. */
void strata_os_pretend_clock(uint64_t ms);

static uint64_t now_ms = 1000000;

static void move_clock(unsigned ms)
{
	now_ms += ms;
	strata_os_pretend_clock(now_ms);
}

static void *blocks[PEAK / 4000];

static void burst(void)
{
	for (size_t i = 0; i < PEAK / 4000; i++)
		blocks[i] = strata_malloc(4000);
	for (size_t i = 0; i < PEAK / 4000; i++)
		strata_free(blocks[i]);
}

static void make_pairs(int count, unsigned step_ms)
{
	for (int i = 0; i < count; i++) {
		strata_free(strata_malloc(64));
		move_clock(step_ms);
	}
}

static int has_burst(void **state)
{
	(void)state;
	move_clock(10);
	make_pairs(1, 0);
	for (int i = 0; i < 10; i++)
		burst();
	make_pairs(100000, 0); /* until no more calls are sent to the clock */
	return totals().heap_bytes > 2 * MIB ? 0 : -1;
}

/* A call that came to the slow path by itself, and then one now and then. */
static void few_calls_are_enough(void **state)
{
	(void)state;
	move_clock(1);
	strata_free(strata_malloc(OTHER));
	make_pairs(10000, 1);
	assert_true(totals().heap_bytes < MIB);
}

static void other_calls_are_enough(void **state)
{
	static void *block;

	(void)state;
	make_pairs(1000, 10);
	assert_true(totals().heap_bytes > 2 * MIB);
	block = strata_malloc(64);
	for (size_t i = 0; i < 64; i++)
		assert_true(strata_usable_size(block) >= 64);
	make_pairs(1000, 10);
	assert_true(totals().heap_bytes < MIB);
	strata_free(block);
}

/* Then all calls come to the slow path, and not all of those ask for the clock. No block here is chosen, which would be one of pages. */
static int has_burst_profiled(void **state)
{
	const struct strata_option seldom = {.type = STRATA_OPTION_BYTES, .number = (uint64_t)1 << 40};

	return strata_option_set("profile", &seldom) == 0 ? has_burst(state) : -1;
}

/* Of 100 ms, by the clock or by rounds of one. */
static void patience_ends_though_the_clock_stands(void **state)
{
	_Atomic uint32_t word = 1;
	struct os_patience patience;
	unsigned rounds = 0;

	(void)state;
	move_clock(1);
	patience = os_patience(100);
	while (os_wait_patiently(&word, 1, &patience) && rounds < 10000)
		rounds++;
	assert_in_range(rounds, 100, 1000);
	patience = os_patience(100);
	move_clock(100);
	assert_false(os_wait_patiently(&word, 1, &patience));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(few_calls_are_enough, has_burst),
	    cmocka_unit_test_setup(other_calls_are_enough, has_burst),
	    {"few_calls_are_enough, profiled", few_calls_are_enough, has_burst_profiled, NULL, NULL},
	    {"other_calls_are_enough, profiled", other_calls_are_enough, has_burst_profiled, NULL, NULL},
	    cmocka_unit_test(patience_ends_though_the_clock_stands),
	};

	if (checked_mode())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
