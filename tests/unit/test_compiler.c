/* SPDX-License-Identifier: MIT */
/*
 * Times that have passed (src/compiler.h): by the whole clock and by 32 bits of it, also where a note was made by a
 * clock that is ahead, or by another one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "compiler.h"
#include "support.h"

#define LONG_AGO UINT64_C(5000000000)
#define HOUR UINT64_C(3600000)

static const struct passed {
	uint64_t now, since, ms;
	bool has_passed;
} by_the_clock[] = {
	{1000, 900, 100, true},
	{999, 900, 100, false},
	{1001, 900, 100, true},
	{900, 900, 100, false},
	{LONG_AGO, 900, 100, true},
	{LONG_AGO, 0, 100, true},
	{LONG_AGO + 50, LONG_AGO, 51, false},
	{LONG_AGO + 50, LONG_AGO, 50, true},
	/* Never asked for before, in a process that began with the machine. */
	{7, 0, 8, false},
	/* Another thread noted it, a moment later. */
	{1000, 1001, 0, false},
	{1000, 1001, 8, false},
	{LONG_AGO, LONG_AGO + BACK_MOST / 2, 8, false},
	{LONG_AGO, LONG_AGO + BACK_MOST, 8, false},
	/* Another clock. */
	{LONG_AGO, LONG_AGO + BACK_MOST + 1, 8, true},
	{LONG_AGO, LONG_AGO + 24 * HOUR, 1000, true},
	{1000, LONG_AGO, 8, true},
	/* Always. */
	{1000, 1000, 0, true},
	{LONG_AGO, 1000, 0, true},
	{0, 0, 0, true},
};

static void all_of_the_clock_tells_what_has_passed(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof by_the_clock / sizeof *by_the_clock; i++) {
		const struct passed *one = &by_the_clock[i];

		if (has_passed(one->now, one->since, one->ms) != one->has_passed)
			fail_msg("since %llu, at %llu, %llu ms have%s passed", (unsigned long long)one->since,
			         (unsigned long long)one->now, (unsigned long long)one->ms,
			         one->has_passed ? " not" : "");
	}
}

static const struct older {
	uint32_t now, since, ms;
	bool is_older;
} by_32_bits[] = {
	{1000, 900, 100, true},
	{999, 900, 100, false},
	{1001, 900, 100, true},
	{900, 900, 100, false},
	/* Across 2^32. */
	{50, UINT32_MAX - 49, 100, true},
	{49, UINT32_MAX - 49, 100, false},
	{51, UINT32_MAX - 49, 100, true},
	{0, UINT32_MAX, 1, true},
	{0, UINT32_MAX, 2, false},
	/* Noted by a clock that is ahead. */
	{1000, 1001, 8, false},
	{1000, 1001, 1, false},
	{UINT32_MAX, 0, 8, false},
	{UINT32_MAX - 5, 5, 8, false},
	{1000, 1000 + AHEAD_MOST, 8, false},
	{1000, 1001 + AHEAD_MOST, 8, true},
	/* Days. */
	{UINT32_C(86400000), 0, 1000, true},
	{UINT32_C(2000000000), 0, 1000, true},
	/* Whatever is noted is old enough. */
	{1000, 1000, 0, true},
	{1000, 1001, 0, true},
	{0, UINT32_MAX, 0, true},
};

static void half_of_the_clock_tells_what_is_older(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof by_32_bits / sizeof *by_32_bits; i++) {
		const struct older *one = &by_32_bits[i];

		if (is_older(one->now, one->since, one->ms) != one->is_older)
			fail_msg("noted at %u, at %u, it is%s older than %u ms", one->since, one->now,
			         one->is_older ? " not" : "", one->ms);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_of_the_clock_tells_what_has_passed),
		cmocka_unit_test(half_of_the_clock_tells_what_is_older),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
