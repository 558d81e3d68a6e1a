/* SPDX-License-Identifier: MIT */
/*
 * Settings: STRATA_OPTIONS="name:value,name:value", read once, at the first call; then by strata_option_set. options.def
 * lists them.
 */
#ifndef STRATA_OPTIONS_H
#define STRATA_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum huge_policy { HUGE_NEVER, HUGE_BY_SIZE, HUGE_ALWAYS };
enum numa_policy { NUMA_AUTO, NUMA_OFF };
enum cgroup_policy { CGROUP_AUTO, CGROUP_OFF, CGROUP_PATH };

/* Atomic: strata_option_set changes one while others read. No two of them must agree with each other, so none orders. */
struct options {
#define SETTING(name, field, ...) _Atomic size_t field;
#include "options.def"
#undef SETTING
};

enum option_type { OPTION_FLAG = 1, OPTION_NUMBER, OPTION_BYTES, OPTION_WORD };
enum option_when { OPTION_FIRST, OPTION_ANY };

#define OPTION_WORDS 4 /* most that one takes, and a NULL */

struct option {
	const char *name;
	size_t offset; /* in struct options */
	enum option_type type;
	enum option_when when;
	const char *standard; /* the default */
	size_t most;
	const char *words[OPTION_WORDS];
};

/* The settings in force. Reads the environment on the first call. */
const struct options *options(void);

/* With CGROUP_PATH: the directory. */
const char *options_cgroup_path(void);

/* The setting of that name, NULL when there is none. */
const struct option *option_find(const char *name);

/* The number of the word among those the setting takes; -1: none of them. A path is only recognised, not kept. */
int option_word(const struct option *option, const char *word);

size_t option_value(const struct option *option);

/* For an OPTION_WORD: the value as it is written. */
const char *option_text(const struct option *option, size_t value);

/* Changes the setting; word is that of an OPTION_WORD, which may be a path. */
void option_keep(const struct option *option, size_t value, const char *word);

#endif
