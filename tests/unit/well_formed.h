/* SPDX-License-Identifier: MIT */
/* Whether a text is well-formed XML, as far as a report of numbers needs: one root, tags nested and closed, attributes
 * quoted and none twice, no bare '<' or '&'. No document types, comments or CDATA: those count as malformed. */
#ifndef STRATA_TESTS_UNIT_WELL_FORMED_H
#define STRATA_TESTS_UNIT_WELL_FORMED_H

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct xml_name {
	const char *start;
	size_t length;
};

static inline struct xml_name xml_name_at(const char **at)
{
	struct xml_name name = {*at, 0};

	if (isalpha((unsigned char)**at) || **at == '_')
		while (isalnum((unsigned char)name.start[name.length]) || (name.start[name.length] != '\0' &&
		       strchr("-_.:", name.start[name.length]) != NULL))
			name.length++;
	*at += name.length;
	return name;
}

static inline bool xml_same(struct xml_name a, struct xml_name b)
{
	return a.length == b.length && memcmp(a.start, b.start, a.length) == 0;
}

static inline void xml_skip_space(const char **at)
{
	while (isspace((unsigned char)**at))
		++*at;
}

/* Attributes up to '>', '/' or '?'; false for anything else. */
static inline bool xml_attributes(const char **at)
{
	struct xml_name seen[32];
	size_t count = 0;

	for (xml_skip_space(at); strchr(">/?", **at) == NULL; xml_skip_space(at)) {
		struct xml_name name = xml_name_at(at);
		char quote;

		for (size_t i = 0; i < count; i++)
			if (xml_same(seen[i], name))
				return false;
		if (name.length == 0 || *(*at)++ != '=' || count == sizeof seen / sizeof *seen)
			return false;
		seen[count++] = name;
		quote = *(*at)++;
		if (quote != '"' && quote != '\'')
			return false;
		for (; **at != quote; ++*at)
			if (**at == '\0' || **at == '<' || **at == '&')
				return false;
		++*at;
	}
	return **at != '\0';
}

static inline bool xml_well_formed(const char *at)
{
	struct xml_name open[64];
	size_t depth = 0, roots = 0;

	if (strncmp(at, "<?xml ", 6) == 0) {
		at += 6;
		if (!xml_attributes(&at) || strncmp(at, "?>", 2) != 0)
			return false;
		at += 2;
	}
	while (*at != '\0') {
		if (*at == '&' || (*at != '<' && depth == 0 && !isspace((unsigned char)*at)))
			return false;
		if (*at++ != '<')
			continue;
		if (*at == '/') {
			struct xml_name name = (++at, xml_name_at(&at));

			xml_skip_space(&at);
			if (depth == 0 || !xml_same(open[--depth], name) || *at++ != '>')
				return false;
			continue;
		}
		roots += depth == 0;
		open[depth] = xml_name_at(&at);
		if (open[depth].length == 0 || !xml_attributes(&at) || *at == '?')
			return false;
		if (*at == '/')
			at++;
		else if (++depth == sizeof open / sizeof *open)
			return false;
		if (*at++ != '>')
			return false;
	}
	return depth == 0 && roots == 1;
}

#endif
