/* SPDX-License-Identifier: MIT */
/*
 * For the drivers beside it: runs a misuse program with strata preloaded, and has what it said and how it ended.
 */
#ifndef STRATA_TESTS_MISUSE_DRIVER_H
#define STRATA_TESTS_MISUSE_DRIVER_H

#include <stdbool.h>

enum ending {
	ABORTS,
	GOES_ON,
};

struct outcome {
	int status;
	char output[256]; /* the pointer, in words, without the end of the line */
	char errors[8192];
};

/* False, after a word: there is no library to preload. */
bool driver_begin(void);

/* options: STRATA_OPTIONS; NULL for none. */
void driver_run(const char *program, const char *options, struct outcome *outcome);

void driver_expect(const struct outcome *outcome, enum ending ending);

#endif
