/* SPDX-License-Identifier: MIT */
/*
 * The debug hooks of the domains: each finding's program, what the report names, and how it ends. And what goes unnoticed
 * without the hooks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "driver.h"

#define ON "domain_debug:1"

struct finding {
	const char *program;
	const char *function;
	const char *what;
	const char *block; /* the second line, which names size, domain and serial number; NULL: no block is known */
	bool freed;        /* the stack that freed it is told, too */
	const char *options;
};

static const struct finding findings[] = {
	{"domain_past_end", "domain_free", "written past its end: byte 40 is 0xec", "40 bytes in domain obj", false, ON},
	{"domain_past_end_realloc", "domain_realloc", "written past its end: byte 1002 is 0xec", "1000 bytes in domain buf",
	 false, ON},
	{"domain_before_start", "domain_free", "written before its start: byte -1 is 0xec", "100 bytes in domain mem", false,
	 ON},
	{"domain_far_before_start", "domain_free", "not a block of a domain, or all in front of it was overwritten", NULL,
	 false, ON},
	{"domain_after_free", "exit", "written after it was freed: byte 17 is 0xcc", "200 bytes in domain raw", true, ON},
	{"domain_after_free_evicted", "domain_free", "written after it was freed: byte 17 is 0xcc",
	 "200 bytes in domain raw", true, ON},
	{"domain_after_realloc", "exit", "written after it was freed: byte 0 is 0xcc", "40 bytes in domain obj", true, ON},
	{"domain_twice", "domain_free", "block freed twice", "24 bytes in domain obj", true, ON},
	{"domain_wrong", "domain_free", "block of another domain", "300 bytes in domain raw", false, ON},
	{"domain_foreign", "domain_free", "not a block of a domain, or all in front of it was overwritten", NULL, false, ON},
	{"domain_foreign_stack", "domain_free", "not a block of strata", NULL, false, ON},
	{"domain_inside", "domain_free", "not a block of a domain, or all in front of it was overwritten", NULL, false, ON},
	{"domain_past_end", "domain_free", "written past its end: byte 40 is 0xec", "40 bytes in domain obj", false,
	 ON ",check:1"},
};

static const char *line_end(const char *text)
{
	const char *end = strchr(text, '\n');

	return end ? end + 1 : text + strlen(text);
}

/* The word "allocated by:" and frames, one of them the program's; returns what follows. */
static const char *expect_stack(const char *text, const char *verb, const char *program)
{
	char expected[100];
	bool found = false;

	snprintf(expected, sizeof expected, "strata:   %s by:\n", verb);
	assert_memory_equal(text, expected, strlen(expected));
	for (text = line_end(text); *text && strncmp(text, "strata:", 7) != 0; text = line_end(text)) {
		const char *name = strstr(text, program);

		found = found || (name != NULL && name < line_end(text));
	}
	assert_true(found);
	return text;
}

static void expect_report(const struct finding *finding, const struct outcome *outcome)
{
	const char *text = outcome->errors;
	char expected[512];

	snprintf(expected, sizeof expected, "strata: %s(%s): %s\n", finding->function, outcome->output, finding->what);
	assert_memory_equal(text, expected, strlen(expected));
	text = line_end(text);
	if (finding->block) {
		snprintf(expected, sizeof expected, "strata:   block of %s, serial number 1\n", finding->block);
		assert_memory_equal(text, expected, strlen(expected));
		text = expect_stack(line_end(text), "allocated", finding->program);
		if (finding->freed)
			text = expect_stack(text, "freed", finding->program);
	}
	assert_string_equal(text, "");
}

static void test_finding(void **state)
{
	const struct finding *finding = *state;
	struct outcome outcome;

	driver_run(finding->program, finding->options, &outcome);
	expect_report(finding, &outcome);
	driver_expect(&outcome, ABORTS);
}

static void test_warning(void **state)
{
	const struct finding *finding = *state;
	struct outcome outcome;

	driver_run(finding->program, ON ",misuse:warn", &outcome);
	expect_report(finding, &outcome);
	driver_expect(&outcome, GOES_ON);
}

/* Writes into what nobody uses hurt nobody; the hooks alone tell. */
static void test_unnoticed(void **state)
{
	struct outcome outcome;

	driver_run(*state, NULL, &outcome);
	assert_string_equal(outcome.errors, "");
	driver_expect(&outcome, GOES_ON);
}

enum { FINDINGS = sizeof findings / sizeof *findings };

int main(void)
{
	static struct CMUnitTest tests[FINDINGS + 9];
	static char names[FINDINGS][120];
	static const char *const unnoticed[] = {"domain_wrong", "domain_past_end_realloc", "domain_foreign"};
	static const size_t warned[] = {0, 2, 4, 7, 8, 10};
	size_t count = 0;

	if (!driver_begin())
		return 77;
	for (size_t i = 0; i < FINDINGS; i++) {
		snprintf(names[i], sizeof names[i], "%s, %s", findings[i].program, findings[i].options);
		tests[count++] = (struct CMUnitTest){names[i], test_finding, NULL, NULL, (void *)(uintptr_t)&findings[i]};
	}
	for (size_t i = 0; i < sizeof warned / sizeof *warned; i++)
		tests[count++] = (struct CMUnitTest){findings[warned[i]].program, test_warning, NULL, NULL,
		                                     (void *)(uintptr_t)&findings[warned[i]]};
	for (size_t i = 0; i < sizeof unnoticed / sizeof *unnoticed; i++)
		tests[count++] = (struct CMUnitTest){unnoticed[i], test_unnoticed, NULL, NULL,
		                                     (void *)(uintptr_t)unnoticed[i]};
	return cmocka_run_group_tests_name("domain debug", tests, NULL, NULL);
}
