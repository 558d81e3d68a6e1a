/* SPDX-License-Identifier: MIT */
/*
 * Words of bits (src/bit_word.h): each way to find something in them gives what a loop over the bits does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bit_word.h"
#include "support.h"

#define WORDS 20000

static uint64_t state = 1;

/* Of all densities. */
static uint64_t random_word(void)
{
	uint64_t word = random_next(&state);

	for (size_t i = random_below(&state, 4); i > 0; i--)
		word &= random_next(&state);
	return random_below(&state, 2) != 0 ? word : ~word;
}

static void bytes_of_one_value_are_found(void **unused)
{
	static _Atomic uint8_t bytes[64] __attribute__((aligned(64)));

	(void)unused;
	for (size_t i = 0; i < WORDS; i++) {
		size_t most = i % 2 == 0 ? 6 : 128;
		uint8_t value = (uint8_t)random_below(&state, most);
		uint64_t expected = 0;

		for (unsigned n = 0; n < 64; n++) {
			bytes[n] = (uint8_t)random_below(&state, most);
			expected |= (uint64_t)(bytes[n] == value) << n;
		}
		assert_int_equal(bytes_with_by_words(bytes, value), expected);
		assert_int_equal(bytes_with(bytes, value), expected);
	}
}

static void bytes_from_one_value_on_are_found(void **unused)
{
	static _Atomic uint8_t bytes[64] __attribute__((aligned(64)));

	(void)unused;
	for (size_t i = 0; i < WORDS; i++) {
		uint8_t value = (uint8_t)(128 + random_below(&state, 128));
		uint64_t expected = 0;

		for (unsigned n = 0; n < 64; n++) {
			bytes[n] = (uint8_t)(n % 4 == 0 ? value - 1 + random_below(&state, 2) : random_below(&state, 256));
			expected |= (uint64_t)(bytes[n] >= value) << n;
		}
		assert_int_equal(bytes_from_by_words(bytes, value), expected);
		assert_int_equal(bytes_from(bytes, value), expected);
	}
}

static void the_first_bits_of_runs_are_found(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < WORDS; i++) {
		uint64_t word = random_word();
		unsigned count = 1 + (unsigned)random_below(&state, 64);
		uint64_t expected = 0;

		for (unsigned n = 0; n + count <= 64; n++)
			expected |= (uint64_t)((word >> n & bits_below(count)) == bits_below(count)) << n;
		assert_int_equal(first_of_runs(word, count), expected);
	}
}

static void the_lowest_bits_and_the_lowest_run_are_found(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < WORDS; i++) {
		uint64_t word = random_word() | UINT64_C(1) << random_below(&state, 64);
		unsigned count = (unsigned)random_below(&state, 65);
		uint64_t expected = 0;
		unsigned n = 0;

		for (unsigned found = 0; n < 64 && found < count; n++)
			if ((word >> n & 1) != 0) {
				expected |= UINT64_C(1) << n;
				found++;
			}
		assert_int_equal(lowest_bits(word, count), expected);
		expected = 0;
		for (n = 0; (word >> n & 1) == 0; n++)
			;
		for (; n < 64 && (word >> n & 1) != 0; n++)
			expected |= UINT64_C(1) << n;
		assert_int_equal(lowest_run(word), expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_of_one_value_are_found),
		cmocka_unit_test(bytes_from_one_value_on_are_found),
		cmocka_unit_test(the_first_bits_of_runs_are_found),
		cmocka_unit_test(the_lowest_bits_and_the_lowest_run_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
