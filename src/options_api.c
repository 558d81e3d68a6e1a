/* SPDX-License-Identifier: MIT */
/* Settings by call. */
#include <strata/strata.h>

#include "background.h"
#include "layout.h"
#include "limit.h"
#include "options.h"
#include "profile.h"

#include <errno.h>
#include <string.h>

_Static_assert((int)STRATA_OPTION_FLAG == OPTION_FLAG && (int)STRATA_OPTION_NUMBER == OPTION_NUMBER &&
	       (int)STRATA_OPTION_BYTES == OPTION_BYTES && (int)STRATA_OPTION_WORD == OPTION_WORD, "one meaning");

static bool is_fixed(const struct option *option)
{
	return option->when == OPTION_FIRST && others_read(region_span) != 0;
}

STRATA_PUBLIC int strata_option_get(const char *name, struct strata_option *out)
{
	if (name == NULL || out == NULL)
		return EINVAL;
	const struct option *option = option_find(name);
	if (option == NULL)
		return ENOENT;
	size_t value = option_value(option);
	*out = (struct strata_option){
		.type = (enum strata_option_type)option->type,
		.fixed = is_fixed(option),
		.number = value,
		.word = option->type == OPTION_WORD ? option_text(option, value) : NULL,
	};
	return 0;
}

/* 0 and the value that the setting keeps, or why not. */
static int value_for(const struct option *option, const struct strata_option *in, size_t *value)
{
	if ((int)in->type != (int)option->type)
		return EINVAL;
	*value = in->number;
	if (option->type == OPTION_WORD) {
		int word = in->word != NULL ? option_word(option, in->word) : -1;
		*value = (size_t)word;
		return word >= 0 ? 0 : EINVAL;
	}
	return in->number <= option->most ? 0 : ERANGE;
}

static bool is_setting(const struct option *option, size_t offset)
{
	return option->offset == offset;
}

/* What follows from a setting that is not just looked at the next time. */
static int change(const struct option *option, size_t value, const char *word)
{
	size_t former = option_value(option);
	option_keep(option, value, word);
	if (is_setting(option, offsetof(struct options, profile_signal)) && profile_begin() != 0) {
		option_keep(option, former, NULL);
		return EINVAL;
	}
	if (is_setting(option, offsetof(struct options, profile_bytes)))
		profile_prepare();
	limit_changed();
	background_note_filters();
	return 0;
}

STRATA_PUBLIC int strata_option_set(const char *name, const struct strata_option *in)
{
	size_t value;
	if (name == NULL || in == NULL)
		return EINVAL;
	const struct option *option = option_find(name);
	if (option == NULL)
		return ENOENT;
	int result = value_for(option, in, &value);
	if (result == 0 && is_fixed(option))
		result = EBUSY;
	return result == 0 ? change(option, value, in->word) : result;
}
