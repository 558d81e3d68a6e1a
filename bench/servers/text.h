/* SPDX-License-Identifier: MIT */
/*
 * Values as text: JSON's numbers, strings, lists and dicts, and tuples in parentheses.
 */
#ifndef BENCH_SERVERS_TEXT_H
#define BENCH_SERVERS_TEXT_H

#include "value.h"

/* Text that is being written. Begin with all zero; free(data). */
struct text {
	char *data;
	size_t used, size;
};

void text_put(struct text *text, const char *data, size_t bytes);
void text_put_value(struct text *text, const struct value *value);

/* NULL for what is no value, or is nested too deep. */
struct value *text_parse(const char *data, size_t bytes);

#endif
