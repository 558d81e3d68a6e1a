/* SPDX-License-Identifier: MIT */
/*
 * Runs each misuse program beside this one with strata preloaded, and holds what it says and how it ends against the
 * table: exactly one line, which names the pointer, and SIGABRT; or the line and a normal end with misuse:warn.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "driver.h"

#define FOREIGN "not a block of strata"
#define NOT_IN_USE "page not in use (freed twice, or never a block)"
#define INSIDE "inside a block, not its start"
#define FREE "block is free"
#define TWICE "block freed twice"
#define PAST_END "written past its end"
#define AFTER_FREE "written after free"
#define CORRUPT "free list corrupt (written after free)"
#define WRONG_SIZE "size 40 given, 64 requested"
#define OBJECT_TWICE "object freed twice"
#define OTHER_TYPE "object of another type"
#define OTHER_TYPE_CHECKED "object of another type, or written past its end"
#define OTHER_LENGTH "tuple of another length"
#define NOT_REGISTERED "type is not registered"
#define OTHER_SHAPE "type is of another shape"

struct misuse_case {
	const char *program;
	const char *function; /* the one that the message names; NULL: no message */
	const char *what;
	enum ending ending;
	const char *options; /* STRATA_OPTIONS, NULL for none */
};

static const struct misuse_case cases[] = {
	/* By default, at the call. */
	{"foreign_stack", "free", FOREIGN, ABORTS, NULL},
	{"foreign_by_cancelled", "free", FOREIGN, ABORTS, NULL},
	{"foreign_static", "free", FOREIGN, ABORTS, NULL},
	{"foreign_mapping", "free", FOREIGN, ABORTS, NULL},
	{"foreign_realloc", "realloc", FOREIGN, ABORTS, NULL},
	{"foreign_usable_size", "malloc_usable_size", FOREIGN, ABORTS, NULL},
	{"interior_run", "free", INSIDE, ABORTS, NULL},
	{"interior_run_start", "free", INSIDE, ABORTS, NULL},
	{"twice_in_a_row", "free", TWICE, ABORTS, NULL},
	{"twice_in_empty_arena", "free", NOT_IN_USE, ABORTS, NULL},
	{"twice_run", "free", NOT_IN_USE, ABORTS, NULL},
	{"twice_mapping", "free", NOT_IN_USE, ABORTS, NULL},
	{"twice_by_realloc", "realloc", NOT_IN_USE, ABORTS, NULL},
	/* By default, when the block comes home. */
	{"interior_object", "free", INSIDE, ABORTS, NULL},
	{"interior_medium", "free", INSIDE, ABORTS, NULL},
	{"twice_in_pool", "free", TWICE, ABORTS, NULL},
	{"twice_in_medium_pool", "free", TWICE, ABORTS, NULL},
	{"twice_at_exit_of_thread", "free", TWICE, ABORTS, NULL},
	{"twice_by_threads", "free", TWICE, ABORTS, NULL},
	{"twice_then_allocated", "free", TWICE, ABORTS, NULL},
	{"twice_where_kept", "free", TWICE, ABORTS, NULL},
	{"twice_in_idle_bin", "free", TWICE, ABORTS, "decay_ms:10"},
	{"twice_then_idle", "free", TWICE, ABORTS, "decay_ms:10"},
	{"link_overwritten_by_threads", "free", CORRUPT, ABORTS, NULL},
	{"link_overwritten_early", "free", CORRUPT, ABORTS, NULL},
	{"carried_overwritten_by_threads", "free", CORRUPT, ABORTS, NULL},
	{"carried_zeroed_by_threads", "free", CORRUPT, ABORTS, NULL},
	{"carrier_overwritten_by_threads", "free", CORRUPT, ABORTS, NULL},
	{"interior_by_another", "free", INSIDE, ABORTS, NULL},
	{"twice_by_another", "free", TWICE, ABORTS, NULL},
	{"twice_after_batch", "free", TWICE, ABORTS, NULL},
	{"twice_amid_batches", "free", TWICE, ABORTS, NULL},
	{"twice_in_batch", "free", TWICE, ABORTS, NULL},
	{"twice_into_bin", "free", TWICE, ABORTS, NULL},
	/* Found by check:1 only. */
	{"written_after_free", NULL, NULL, GOES_ON, NULL},
	{"link_overwritten", NULL, NULL, GOES_ON, NULL},
	{"written_past_end", NULL, NULL, GOES_ON, NULL},
	{"wrong_size", NULL, NULL, GOES_ON, NULL},
	/* Checked, at the call. */
	{"foreign_stack", "free", FOREIGN, ABORTS, "check:1"},
	{"foreign_by_cancelled", "free", FOREIGN, ABORTS, "check:1"},
	{"foreign_static", "free", FOREIGN, ABORTS, "check:1"},
	{"foreign_mapping", "free", FOREIGN, ABORTS, "check:1"},
	{"foreign_realloc", "realloc", FOREIGN, ABORTS, "check:1"},
	{"foreign_usable_size", "malloc_usable_size", FOREIGN, ABORTS, "check:1"},
	{"freed_usable_size", "malloc_usable_size", FREE, ABORTS, "check:1"},
	{"freed_usable_size", "malloc_usable_size", FREE, ABORTS, "check:1,quarantine:0"},
	{"interior_object", "free", INSIDE, ABORTS, "check:1"},
	{"interior_medium", "free", INSIDE, ABORTS, "check:1"},
	{"interior_run", "free", INSIDE, ABORTS, "check:1"},
	{"interior_run_start", "free", INSIDE, ABORTS, "check:1"},
	{"twice_in_a_row", "free", TWICE, ABORTS, "check:1"},
	{"twice_in_pool", "free", TWICE, ABORTS, "check:1"},
	{"twice_in_medium_pool", "free", TWICE, ABORTS, "check:1"},
	{"twice_at_exit_of_thread", "free", TWICE, ABORTS, "check:1"},
	{"twice_by_threads", "free", TWICE, ABORTS, "check:1"},
	{"twice_where_kept", "free", TWICE, ABORTS, "check:1"},
	{"twice_by_another", "free", TWICE, ABORTS, "check:1"},
	{"twice_after_batch", "free", TWICE, ABORTS, "check:1,quarantine:0"},
	{"twice_in_empty_arena", "free", NOT_IN_USE, ABORTS, "check:1,quarantine:0"},
	{"twice_run", "free", TWICE, ABORTS, "check:1"},
	{"twice_mapping", "free", NOT_IN_USE, ABORTS, "check:1"},
	{"written_after_free", "exit", AFTER_FREE, ABORTS, "check:1"},
	{"link_overwritten", "exit", AFTER_FREE, ABORTS, "check:1"},
	{"written_after_free_evicted", "free", AFTER_FREE, ABORTS, "check:1"},
	{"written_after_free_kept", "exit", AFTER_FREE, ABORTS, "check:1,quarantine:4M"},
	{"written_past_end", "free", PAST_END, ABORTS, "check:1"},
	{"written_past_end_full", "free", PAST_END, ABORTS, "check:1"},
	{"written_past_end_realloc", "realloc", PAST_END, ABORTS, "check:1"},
	{"written_past_end_run", "free", PAST_END, ABORTS, "check:1"},
	{"wrong_size", "free_sized", WRONG_SIZE, ABORTS, "check:1"},
	/* A warning instead. */
	{"foreign_stack", "free", FOREIGN, GOES_ON, "misuse:warn"},
	{"foreign_by_cancelled", "free", FOREIGN, GOES_ON, "misuse:warn"},
	{"twice_in_a_row", "free", TWICE, GOES_ON, "misuse:warn"},
	{"twice_in_idle_bin", "free", TWICE, GOES_ON, "misuse:warn,decay_ms:10"},
	{"twice_in_pool", "free", TWICE, GOES_ON, "misuse:warn"},
	{"twice_run", "free", NOT_IN_USE, GOES_ON, "misuse:warn"},
	{"interior_object", "free", INSIDE, GOES_ON, "misuse:warn"},
	{"link_overwritten_by_threads", "free", CORRUPT, GOES_ON, "misuse:warn"},
	{"link_overwritten_early", "free", CORRUPT, GOES_ON, "misuse:warn"},
	{"carried_overwritten_by_threads", "free", CORRUPT, GOES_ON, "misuse:warn"},
	{"carried_zeroed_by_threads", "free", CORRUPT, GOES_ON, "misuse:warn"},
	{"carrier_overwritten_by_threads", "free", CORRUPT, GOES_ON, "misuse:warn"},
	{"twice_by_another", "free", TWICE, GOES_ON, "misuse:warn"},
	{"twice_amid_batches", "free", TWICE, GOES_ON, "misuse:warn"},
	{"freed_usable_size", "malloc_usable_size", FREE, GOES_ON, "misuse:warn,check:1"},
	{"twice_in_pool", "free", TWICE, GOES_ON, "misuse:warn,check:1"},
	{"written_past_end", "free", PAST_END, GOES_ON, "check:1,misuse:warn"},
	{"written_after_free", "exit", AFTER_FREE, GOES_ON, "check:1,misuse:warn"},
	/* Typed free lists: by default, on the slow path or when the object leaves the list. */
	{"typed_twice_in_a_row", "strata_type_free", OBJECT_TWICE, ABORTS, NULL},
	{"typed_twice", "free", TWICE, ABORTS, NULL},
	{"typed_foreign", "strata_type_free", FOREIGN, ABORTS, NULL},
	{"typed_other_type", "strata_type_free", OTHER_TYPE, ABORTS, NULL},
	{"typed_other_type_later", "strata_type_free", OTHER_TYPE, ABORTS, NULL},
	{"typed_other_length", "strata_tuple_free", OTHER_TYPE, ABORTS, NULL},
	{"typed_unregistered", "strata_type_alloc", NOT_REGISTERED, ABORTS, NULL},
	{"typed_unregistered_tuple", "strata_tuple_free", NOT_REGISTERED, ABORTS, NULL},
	{"typed_other_shape", "strata_type_alloc", OTHER_SHAPE, ABORTS, NULL},
	{"typed_other_shape_list", "strata_list_alloc", OTHER_SHAPE, ABORTS, NULL},
	{"typed_other_type_same_size", NULL, NULL, GOES_ON, NULL},
	{"typed_past_end", NULL, NULL, GOES_ON, NULL},
	{"typed_from_malloc", NULL, NULL, GOES_ON, NULL},
	/* Checked, at the call. */
	{"typed_twice_in_a_row", "strata_type_free", TWICE, ABORTS, "check:1"},
	{"typed_twice", "strata_type_free", TWICE, ABORTS, "check:1"},
	{"typed_foreign", "strata_type_free", FOREIGN, ABORTS, "check:1"},
	{"typed_other_type", "strata_type_free", OTHER_TYPE_CHECKED, ABORTS, "check:1"},
	{"typed_other_type_later", "strata_type_free", OTHER_TYPE_CHECKED, ABORTS, "check:1"},
	{"typed_other_type_same_size", "strata_type_free", OTHER_TYPE_CHECKED, ABORTS, "check:1"},
	{"typed_other_length", "strata_tuple_free", OTHER_LENGTH, ABORTS, "check:1"},
	{"typed_past_end", "strata_type_free", OTHER_TYPE_CHECKED, ABORTS, "check:1"},
	{"typed_from_malloc", "strata_type_free", OTHER_TYPE_CHECKED, ABORTS, "check:1"},
	{"typed_from_malloc_zero", "strata_type_free", OTHER_TYPE_CHECKED, ABORTS, "check:1"},
	{"typed_unregistered", "strata_type_alloc", NOT_REGISTERED, ABORTS, "check:1"},
	{"typed_unregistered_tuple", "strata_tuple_free", NOT_REGISTERED, ABORTS, "check:1"},
	{"typed_other_shape", "strata_type_alloc", OTHER_SHAPE, ABORTS, "check:1"},
	{"typed_other_shape_list", "strata_list_alloc", OTHER_SHAPE, ABORTS, "check:1"},
	/* A warning instead. */
	{"typed_twice_in_a_row", "strata_type_free", OBJECT_TWICE, GOES_ON, "misuse:warn"},
	{"typed_other_type", "strata_type_free", OTHER_TYPE, GOES_ON, "misuse:warn"},
	{"typed_other_type", "strata_type_free", OTHER_TYPE_CHECKED, GOES_ON, "misuse:warn,check:1"},
	{"typed_unregistered", "strata_type_alloc", NOT_REGISTERED, GOES_ON, "misuse:warn"},
	{"typed_other_shape", "strata_type_alloc", OTHER_SHAPE, GOES_ON, "misuse:warn"},
	/* Answered, not reported. */
	{"sizes", NULL, NULL, GOES_ON, NULL},
	{"sizes", NULL, NULL, GOES_ON, "check:1"},
	{"alignments", NULL, NULL, GOES_ON, NULL},
	{"alignments", NULL, NULL, GOES_ON, "check:1"},
	{"domain_from_malloc", NULL, NULL, GOES_ON, NULL},
	{"domain_from_malloc", NULL, NULL, GOES_ON, "check:1"},
	{"random_overwritten", NULL, NULL, GOES_ON, NULL},
	{"random_overwritten", NULL, NULL, GOES_ON, "check:1"},
	{"random_overwritten", NULL, NULL, GOES_ON, "domain_debug:1"},
	/* Well-formed settings. */
	{"settings", NULL, NULL, GOES_ON, ""},
	{"settings", NULL, NULL, GOES_ON,
	 "check:0,misuse:abort,decay_ms:0,cache:64K,quarantine:1M,reserve:64G,purge:free,huge:never,retain:0,stats:0"},
};

/* Settings that are not understood: each gives a line, and the rest of the list still counts. */
static const struct {
	const char *options;
	const char *lines[3];
} malformed[] = {
	{"cache:banana", {"cache:banana"}},
	{"cache:", {"cache:"}},
	{"cache", {"cache"}},
	{"cache:12Q", {"cache:12Q"}},
	{"cache:-1", {"cache:-1"}},
	{"check:2", {"check:2"}},
	{"misuse:maybe", {"misuse:maybe"}},
	{"decay_ms:1.5", {"decay_ms:1.5"}},
	{"decay_ms:99999999999999999999", {"decay_ms:99999999999999999999"}},
	{"reserve:99999999999T", {"reserve:99999999999T"}},
	{"purge:always", {"purge:always"}},
	{"huge:2M", {"huge:2M"}},
	{"nonsense:1", {"nonsense:1"}},
	{"non\nsense:1", {"non?sense:1"}}, /* one line all the same */
	{"nonsense:1,check:0,huge:no", {"nonsense:1", "huge:no"}},
};

static void test_misuse(void **state)
{
	const struct misuse_case *misuse = *state;
	char expected[512] = "";
	struct outcome outcome;

	driver_run(misuse->program, misuse->options, &outcome);
	if (misuse->function)
		snprintf(expected, sizeof expected, "strata: %s(%s): %s\n", misuse->function, outcome.output,
		         misuse->what);
	assert_string_equal(outcome.errors, expected);
	driver_expect(&outcome, misuse->ending);
}

/* Understood, but not to be had: each is told in a line. */
static void test_impossible(void **state)
{
	struct outcome outcome;

	(void)state;
	driver_run("settings", "profile_signal:9", &outcome);
	assert_string_equal(outcome.errors, "strata: profile_signal: 9 cannot be had; passed over\n");
	driver_expect(&outcome, GOES_ON);
	driver_run("settings", "profile:64K,check:1", &outcome);
	assert_string_equal(outcome.errors, "strata: profile: nothing is sampled under check:1\n");
	driver_expect(&outcome, GOES_ON);
}

static void test_malformed(void **state)
{
	const char *const *lines = *state;
	const char *options = lines[0];
	char expected[1024] = "";
	struct outcome outcome;

	for (lines++; *lines; lines++) {
		const size_t used = strlen(expected);

		snprintf(expected + used, sizeof expected - used,
		         "strata: STRATA_OPTIONS: \"%s\" not understood; passed over\n", *lines);
	}
	driver_run("settings", options, &outcome);
	assert_string_equal(outcome.errors, expected);
	driver_expect(&outcome, GOES_ON);
}

/* Behind one that is not understood, check:1 counts. */
static void test_rest_of_settings(void **state)
{
	struct outcome outcome;
	const char *end;

	(void)state;
	driver_run("written_past_end", "nonsense:1,check:1", &outcome);
	end = strchr(outcome.errors, '\n');
	assert_non_null(end);
	assert_non_null(strstr(end, PAST_END));
	driver_expect(&outcome, ABORTS);
}

enum {
	CASES = sizeof cases / sizeof *cases,
	MALFORMED = sizeof malformed / sizeof *malformed,
};

static struct CMUnitTest tests[CASES + MALFORMED + 2];
static char names[CASES + MALFORMED][120];
static const char *lists[MALFORMED][5];

static void fill_tests(void)
{
	for (size_t i = 0; i < CASES; i++) {
		const char *options = cases[i].options ? cases[i].options : "default";

		snprintf(names[i], sizeof names[i], "%s, %s", cases[i].program, options);
		tests[i] = (struct CMUnitTest){names[i], test_misuse, NULL, NULL, (void *)(uintptr_t)&cases[i]};
	}
	for (size_t i = 0; i < MALFORMED; i++) {
		lists[i][0] = malformed[i].options;
		memcpy(&lists[i][1], malformed[i].lines, sizeof malformed[i].lines);
		snprintf(names[CASES + i], sizeof names[0], "malformed: %s", malformed[i].options);
		tests[CASES + i] = (struct CMUnitTest){names[CASES + i], test_malformed, NULL, NULL, (void *)lists[i]};
	}
	tests[CASES + MALFORMED] = (struct CMUnitTest)cmocka_unit_test(test_rest_of_settings);
	tests[CASES + MALFORMED + 1] = (struct CMUnitTest)cmocka_unit_test(test_impossible);
}

int main(void)
{
	if (!driver_begin())
		return 77;
	fill_tests();
	return cmocka_run_group_tests_name("misuse", tests, NULL, NULL);
}
