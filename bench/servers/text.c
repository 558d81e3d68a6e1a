/* SPDX-License-Identifier: MIT */
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH 32u
#define TUPLE_MOST 64u

/* ---- Reading -------------------------------------------------------------------------------------------------------- */

struct reader {
	const char *at, *end;
	unsigned depth;
};

static bool accept(struct reader *reader, char c)
{
	while (reader->at < reader->end && (*reader->at == ' ' || *reader->at == '\n'))
		reader->at++;
	if (reader->at == reader->end || *reader->at != c)
		return false;
	reader->at++;
	return true;
}

static struct value *read_value(struct reader *reader);

static struct value *read_number(struct reader *reader)
{
	bool negative = accept(reader, '-');
	const char *first = reader->at;
	double number = 0, scale = 1;
	bool fraction = false;

	for (; reader->at < reader->end; reader->at++) {
		if (*reader->at == '.' && !fraction) {
			fraction = true;
			continue;
		}
		if (*reader->at < '0' || *reader->at > '9')
			break;
		number = number * 10 + (*reader->at - '0');
		scale *= fraction ? 10 : 1;
	}
	return reader->at == first ? NULL : number_new((negative ? -number : number) / scale);
}

/* Without escapes: a string ends at the next quote. */
static struct value *read_string(struct reader *reader)
{
	const char *first = reader->at;
	const char *quote = memchr(first, '"', (size_t)(reader->end - first));

	if (!quote)
		return NULL;
	reader->at = quote + 1;
	return string_new(first, (size_t)(quote - first));
}

static struct value *dropped(struct value *value)
{
	value_drop(value);
	return NULL;
}

static struct value *read_list(struct reader *reader)
{
	struct value *list = list_new();

	if (accept(reader, ']'))
		return list;
	do {
		struct value *item = read_value(reader);

		if (!item)
			return dropped(list);
		list_append(list, item);
	} while (accept(reader, ','));
	return accept(reader, ']') ? list : dropped(list);
}

static struct value *read_tuple(struct reader *reader)
{
	struct value *items[TUPLE_MOST], *tuple;
	size_t count = 0;
	bool sound = true;

	if (accept(reader, ')'))
		return tuple_new(NULL, 0);
	do {
		sound = count < TUPLE_MOST && (items[count] = read_value(reader)) != NULL;
		count += sound;
	} while (sound && accept(reader, ','));
	tuple = tuple_new(items, count);
	return sound && accept(reader, ')') ? tuple : dropped(tuple);
}

static bool read_entry(struct reader *reader, struct value *dict)
{
	struct value *key = accept(reader, '"') ? read_string(reader) : NULL, *value = NULL;

	if (key && accept(reader, ':'))
		value = read_value(reader);
	if (value)
		dict_set(dict, key, value);
	else if (key)
		value_drop(key);
	return value != NULL;
}

static struct value *read_dict(struct reader *reader)
{
	struct value *dict = dict_new();

	if (accept(reader, '}'))
		return dict;
	do {
		if (!read_entry(reader, dict))
			return dropped(dict);
	} while (accept(reader, ','));
	return accept(reader, '}') ? dict : dropped(dict);
}

static struct value *read_value(struct reader *reader)
{
	struct value *value;

	if (reader->depth == DEPTH)
		return NULL;
	reader->depth++;
	value = accept(reader, '{') ? read_dict(reader) :
		accept(reader, '[') ? read_list(reader) :
		accept(reader, '(') ? read_tuple(reader) :
		accept(reader, '"') ? read_string(reader) :
				      read_number(reader);
	reader->depth--;
	return value;
}

struct value *text_parse(const char *data, size_t bytes)
{
	struct reader reader = {data, data + bytes, 0};
	struct value *value = read_value(&reader);

	return value && reader.at != reader.end ? dropped(value) : value;
}

/* ---- Writing -------------------------------------------------------------------------------------------------------- */

void text_put(struct text *text, const char *data, size_t bytes)
{
	if (text->used + bytes > text->size) {
		text->size = 2 * (text->used + bytes) + 256;
		text->data = realloc(text->data, text->size);
		if (!text->data)
			abort();
	}
	memcpy(text->data + text->used, data, bytes);
	text->used += bytes;
}

static void put_number(struct text *text, double number)
{
	char digits[40];

	text_put(text, digits, (size_t)snprintf(digits, sizeof digits, "%.10g", number));
}

static void put_string(struct text *text, const struct string *string)
{
	text_put(text, "\"", 1);
	text_put(text, string->text, string->head.count);
	text_put(text, "\"", 1);
}

static void put_items(struct text *text, struct value *const *items, size_t count, const char *brackets)
{
	text_put(text, brackets, 1);
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			text_put(text, ",", 1);
		text_put_value(text, items[i]);
	}
	text_put(text, brackets + 1, 1);
}

static void put_dict(struct text *text, const struct dict *dict)
{
	const char *before = "{";

	for (size_t i = 0; i < dict->slots; i++) {
		if (!dict->table[i].key)
			continue;
		text_put(text, before, 1);
		put_string(text, dict->table[i].key);
		text_put(text, ":", 1);
		text_put_value(text, dict->table[i].value);
		before = ",";
	}
	text_put(text, "{}", dict->head.count == 0 ? 2 : 0);
	text_put(text, "}", dict->head.count != 0);
}

void text_put_value(struct text *text, const struct value *value)
{
	switch (value->kind) {
	case NUMBER:
		put_number(text, ((const struct number *)value)->number);
		break;
	case STRING:
		put_string(text, (const struct string *)value);
		break;
	case TUPLE:
		put_items(text, ((const struct tuple *)value)->items, value->count, "()");
		break;
	case LIST:
		put_items(text, ((const struct list *)value)->items, value->count, "[]");
		break;
	default:
		put_dict(text, (const struct dict *)value);
	}
}
