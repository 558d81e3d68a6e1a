/* SPDX-License-Identifier: MIT */
#include "options.h"

#include "check.h"
#include "os.h"

#include <strata/strata.h>

#include <string.h>

static const struct option table[] = {
#define SETTING(name, field, type, standard, most, when, meaning, ...) \
	{ #name, offsetof(struct options, field), OPTION_##type, OPTION_##when, standard, most, { __VA_ARGS__ } },
#include "options.def"
#undef SETTING
};
#define OPTION_COUNT (sizeof table / sizeof table[0])

/* What no setting may be: above every most. */
#define UNSET SIZE_MAX

/*
 * UNSET until the first call, which may race with its like. Each of them gives a value only to what has none, and all have
 * one when it is through: what the program sets afterwards is not overwritten by one that comes late, and none waits.
 * Relaxed; ready, set by each that is through, releases them. Partner: the acquire in options().
 */
static STRATA_READ_MOSTLY STRATA_ALIGNED(CACHE_LINE) struct options settings = {
#define SETTING(name, field, ...) .field = UNSET,
#include "options.def"
#undef SETTING
};
static STRATA_READ_MOSTLY _Atomic bool ready;

struct text {
	const char *start;
	size_t length;
};

/* Not by memcmp: a small program has no other use for those pages of libc. */
static bool equals(struct text text, const char *word)
{
	size_t at = 0;
	while (at < text.length && word[at] != '\0' && word[at] == text.start[at])
		at++;
	return at == text.length && word[at] == '\0';
}

/* ---- One setting ---------------------------------------------------------------------------------------------------- */

static const struct option *find(struct text name)
{
	for (const struct option *option = table; option < table + OPTION_COUNT; option++)
		if (equals(name, option->name))
			return option;
	return NULL;
}

const struct option *option_find(const char *name)
{
	return find((struct text){ name, strlen(name) });
}

/* The one setting that is a path: the environment's, which first calls that race write alike, and the program's, which goes
 * before it. Written before there is anyone to read it. */
#define PATH_BYTES 256
static char environment_path[PATH_BYTES];
static char program_path[PATH_BYTES];

const char *options_cgroup_path(void)
{
	return program_path[0] != '\0' ? program_path : environment_path;
}

static bool is_path(struct text text)
{
	return text.length > 0 && text.start[0] == '/' && text.length < PATH_BYTES;
}

static int find_word(const struct option *option, struct text text)
{
	for (int i = 0; option->words[i] != NULL; i++)
		if (option->words[i][0] == '/' ? is_path(text) : equals(text, option->words[i]))
			return i;
	return -1;
}

static void keep_path(char *path, const struct option *option, size_t word, struct text text)
{
	if (option->type != OPTION_WORD || option->words[word][0] != '/')
		return;
	memcpy(path, text.start, text.length);
	path[text.length] = '\0';
}

static _Atomic size_t *field_of(const struct option *option)
{
	return (_Atomic size_t *)((char *)&settings + option->offset);
}

/* The environment first: then it no longer gives a value to anything, whoever else is still reading it. */
void option_keep(const struct option *option, size_t value, const char *word)
{
	options();
	if (option->type == OPTION_WORD)
		keep_path(program_path, option, value, (struct text){ word, strlen(word) });
	atomic_store_explicit(field_of(option), value, memory_order_relaxed);
}

const char *option_text(const struct option *option, size_t value)
{
	return option->words[value][0] == '/' ? options_cgroup_path() : option->words[value];
}

int option_word(const struct option *option, const char *word)
{
	return find_word(option, (struct text){ word, strlen(word) });
}

size_t option_value(const struct option *option)
{
	options();
	return atomic_load_explicit(field_of(option), memory_order_relaxed);
}

/* ---- Values as they are written ------------------------------------------------------------------------------------- */

static bool read_number(struct text text, size_t *number)
{
	size_t value = 0;
	size_t at = 0;
	for (; at < text.length && text.start[at] >= '0' && text.start[at] <= '9'; at++) {
		if (__builtin_mul_overflow(value, (size_t)10, &value) ||
		    __builtin_add_overflow(value, (size_t)(text.start[at] - '0'), &value))
			return false;
	}
	*number = value;
	return at > 0 && at == text.length;
}

static bool read_size(struct text text, size_t *size)
{
	static const char units[] = "KMGT";
	unsigned shift = 0;
	if (text.length > 0) {
		char last = text.start[text.length - 1] & ~0x20;
		const char *unit = last != '\0' ? strchr(units, last) : NULL;
		if (unit != NULL) {
			shift = 10 * (unsigned)(unit - units + 1);
			text.length--;
		}
	}
	size_t value;
	if (!read_number(text, &value) || value > SIZE_MAX >> shift)
		return false;
	*size = value << shift;
	return true;
}

static bool read_word(const struct option *option, struct text text, size_t *value)
{
	int word = find_word(option, text);
	*value = (size_t)word;
	return word >= 0;
}

static bool read_value(const struct option *option, struct text text, size_t *value)
{
	bool understood = option->type == OPTION_NUMBER ? read_number(text, value)
			  : option->type == OPTION_BYTES ? read_size(text, value)
							 : read_word(option, text, value);
	return understood && *value <= option->most;
}

/* ---- The program, and the environment ------------------------------------------------------------------------------- */

/* Not there in a program that does not define it. */
#pragma weak strata_options

static void complain(const char *whose, struct text setting)
{
	char copy[64];
	size_t length = setting.length < sizeof copy - 1 ? setting.length : sizeof copy - 1;
	memcpy(copy, setting.start, length);
	copy[length] = '\0';
	message("%s: \"%s\" not understood; passed over", whose, copy);
}

static bool apply(size_t *values, struct text name, struct text text)
{
	const struct option *option = find(name);
	size_t value;
	if (option == NULL || !read_value(option, text, &value))
		return false;
	values[option - table] = value;
	keep_path(environment_path, option, value, text);
	return true;
}

static void parse(const char *whose, size_t *values, const char *all)
{
	while (*all != '\0') {
		struct text setting = { all, strcspn(all, ",") };
		const char *colon = memchr(setting.start, ':', setting.length);
		struct text name = { setting.start, colon != NULL ? (size_t)(colon - setting.start) : setting.length };
		struct text value = { name.start + name.length + 1, setting.length - name.length - 1 };
		if (setting.length > 0 && (colon == NULL || !apply(values, name, value)))
			complain(whose, setting);
		all += setting.length;
		all += *all == ',';
	}
}

/* Collected first: no reader meets a default where the environment says otherwise. */
static void begin(void)
{
	size_t values[OPTION_COUNT];
	const char *all = os_setting("STRATA_OPTIONS");
	for (size_t i = 0; i < OPTION_COUNT; i++)
		ensure(read_value(&table[i], (struct text){ table[i].standard, strlen(table[i].standard) }, &values[i]));
	if (strata_options != NULL)
		parse("strata_options", values, strata_options);
	if (all != NULL)
		parse("STRATA_OPTIONS", values, all);
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		size_t unset = UNSET;
		atomic_compare_exchange_strong_explicit(field_of(&table[i]), &unset, values[i], memory_order_relaxed,
							memory_order_relaxed);
	}
	atomic_store_explicit(&ready, true, memory_order_release);
}

const struct options *options(void)
{
	if (unlikely(!atomic_load_explicit(&ready, memory_order_acquire)))
		begin();
	return &settings;
}
