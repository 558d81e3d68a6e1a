/* SPDX-License-Identifier: MIT */
/*
 * Settings by call: every setting can be read, those that may be changed are, each error is the one that the header
 * names, and a changed setting is obeyed.
 */
#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <strata/strata.h>

#include "support.h"

#define SETTING(name, field, type, standard, most, when, ...) {#name, STRATA_OPTION_##type, most, FIXED_##when},
#define FIXED_FIRST 1
#define FIXED_ANY 0

static const struct {
	const char *name;
	enum strata_option_type type;
	uint64_t most;
	int fixed; /* once something was allocated */
} settings[] = {
#include "options.def"
};
#define SETTINGS (sizeof settings / sizeof *settings)

#define RESERVE ((uint64_t)64 << 30)

/* What main found before anything was allocated. */
static struct strata_option first_reserve;
static int first_set;

static struct strata_option get(const char *name)
{
	struct strata_option option;

	assert_int_equal(strata_option_get(name, &option), 0);
	return option;
}

static int set_word(const char *name, const char *word)
{
	struct strata_option option = get(name);

	option.word = word;
	return strata_option_set(name, &option);
}

static void every_setting_is_read(void **state)
{
	(void)state;
	free(malloc(1));
	for (size_t i = 0; i < SETTINGS; i++) {
		struct strata_option option;

		memset(&option, 0x5a, sizeof option);
		assert_int_equal(strata_option_get(settings[i].name, &option), 0);
		assert_int_equal(option.type, settings[i].type);
		assert_int_equal(option.fixed, settings[i].fixed);
		assert_true(option.number <= settings[i].most);
		if (option.type == STRATA_OPTION_WORD)
			assert_true(strlen(option.word) > 0);
		else
			assert_null(option.word);
	}
}

static void every_setting_is_written_or_busy(void **state)
{
	(void)state;
	for (size_t i = 0; i < SETTINGS; i++) {
		struct strata_option was = get(settings[i].name), now;

		assert_int_equal(strata_option_set(settings[i].name, &was), settings[i].fixed ? EBUSY : 0);
		now = get(settings[i].name);
		assert_int_equal(now.number, was.number);
		assert_ptr_equal(now.word, was.word);
	}
}

static void numbers_have_a_range(void **state)
{
	(void)state;
	for (size_t i = 0; i < SETTINGS; i++) {
		struct strata_option was = get(settings[i].name);

		if (was.type == STRATA_OPTION_WORD || settings[i].fixed)
			continue;
		assert_int_equal(set_number(settings[i].name, settings[i].most + 1), ERANGE);
		assert_int_equal(get(settings[i].name).number, was.number);
		assert_int_equal(set_number(settings[i].name, settings[i].most), 0);
		assert_int_equal(get(settings[i].name).number, settings[i].most);
		assert_int_equal(strata_option_set(settings[i].name, &was), 0);
	}
	assert_int_equal(set_number("stats", 2), ERANGE);
}

static void words_are_those_listed(void **state)
{
	struct strata_option was = get("huge");

	(void)state;
	assert_int_equal(set_word("huge", "always"), 0);
	assert_string_equal(get("huge").word, "always");
	assert_int_equal(get("huge").number, 2);
	assert_int_equal(set_word("huge", "sometimes"), EINVAL);
	assert_int_equal(set_word("huge", ""), EINVAL);
	assert_int_equal(set_word("huge", NULL), EINVAL);
	assert_string_equal(get("huge").word, "always");
	assert_int_equal(strata_option_set("huge", &was), 0);
}

static void errors_are_as_documented(void **state)
{
	struct strata_option option = get("decay_ms");

	(void)state;
	errno = 4711;
	assert_int_equal(strata_option_get(NULL, &option), EINVAL);
	assert_int_equal(strata_option_get("decay_ms", NULL), EINVAL);
	assert_int_equal(strata_option_get("decay", &option), ENOENT);
	assert_int_equal(strata_option_get("", &option), ENOENT);
	assert_int_equal(strata_option_set(NULL, &option), EINVAL);
	assert_int_equal(strata_option_set("decay_ms", NULL), EINVAL);
	assert_int_equal(strata_option_set("decay_ms:", &option), ENOENT);
	assert_int_equal(strata_option_set("cache", &option), EINVAL);
	option.type = STRATA_OPTION_BYTES;
	assert_int_equal(strata_option_set("decay_ms", &option), EINVAL);
	assert_int_equal(set_number("reserve", 1), EBUSY);
	assert_int_equal(errno, 4711);
}

static void before_the_first_allocation_reserve_is_free(void **state)
{
	uint64_t reserved = totals().reserved_bytes;

	(void)state;
	assert_false(first_reserve.fixed);
	assert_int_equal(first_set, 0);
	assert_int_equal(get("reserve").number, RESERVE);
	/* With the metadata of so much. */
	assert_true(reserved >= RESERVE && reserved < RESERVE + RESERVE / 16);
}

/* A freed block of 1 MiB is kept whole with retain:16M, and goes back at once with decay_ms:0. */
static uint64_t kept_of_a_large_block(void)
{
	uint64_t before;
	void *block;

	strata_trim();
	before = totals().heap_bytes;
	block = memset(malloc(MIB), 1, MIB);
	free(opaque_pointer(block));
	strata_maintain();
	return totals().heap_bytes - before;
}

static void a_changed_setting_is_obeyed(void **state)
{
	(void)state;
	assert_int_equal(set_number("decay_ms", 60000), 0);
	assert_true(kept_of_a_large_block() >= MIB);
	assert_int_equal(set_number("decay_ms", 0), 0);
	assert_true(kept_of_a_large_block() < MIB / 2);
	assert_int_equal(set_number("decay_ms", 1000), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(before_the_first_allocation_reserve_is_free),
		cmocka_unit_test(every_setting_is_read),
		cmocka_unit_test(every_setting_is_written_or_busy),
		cmocka_unit_test(numbers_have_a_range),
		cmocka_unit_test(words_are_those_listed),
		cmocka_unit_test(errors_are_as_documented),
		cmocka_unit_test(a_changed_setting_is_obeyed),
	};

	strata_option_get("reserve", &first_reserve);
	first_set = strata_option_set("reserve", &(struct strata_option){.type = STRATA_OPTION_BYTES, .number = RESERVE});
	return cmocka_run_group_tests(tests, NULL, NULL);
}
