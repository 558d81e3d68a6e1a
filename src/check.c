/* SPDX-License-Identifier: MIT */
#include "check.h"

#include "options.h"
#include "os.h"

#include <strata/strata.h>

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct line {
	char text[512];
	size_t length;
};

static void put(struct line *line, char c)
{
	if (line->length < sizeof line->text - 1)
		line->text[line->length++] = c;
}

static void put_string(struct line *line, const char *string)
{
	while (*string != '\0')
		put(line, *string++);
}

static void put_number(struct line *line, unsigned long number, unsigned base)
{
	char digits[24];
	size_t count = 0;
	do {
		digits[count++] = "0123456789abcdef"[number % base];
		number /= base;
	} while (number != 0);
	while (count > 0)
		put(line, digits[--count]);
}

static void put_format(struct line *line, const char *format, va_list arguments)
{
	for (; *format != '\0'; format++) {
		if (*format != '%') {
			put(line, *format);
			continue;
		}
		switch (*++format) {
		case 's':
			put_string(line, va_arg(arguments, const char *));
			break;
		case 'p':
			put_string(line, "0x");
			put_number(line, (unsigned long)va_arg(arguments, void *), 16);
			break;
		case 'l': /* %lu */
			format++;
			put_number(line, va_arg(arguments, unsigned long), 10);
			break;
		default:
			put_number(line, va_arg(arguments, unsigned), 10);
		}
	}
}

/* Exchanged by the program at any time, read by all that have something to say. */
static _Atomic(struct strata_message_handler *) handler;

STRATA_PUBLIC struct strata_message_handler *strata_on_message(struct strata_message_handler *next)
{
	return atomic_exchange_explicit(&handler, next, memory_order_acq_rel);
}

/* For whoever looks at a core dump of a program without stderr: written by all, in no order, and read by no code. The newest line, or of
 * several threads' at once a mixture. */
STRATA_HIDDEN char strata_last_message[sizeof(struct line)];

/* Acquire: what the program wrote into the structure; partner: the release in strata_on_message. */
static void say(const struct line *line)
{
	struct strata_message_handler *called = atomic_load_explicit(&handler, memory_order_acquire);
	memcpy(strata_last_message, line->text, line->length);
	strata_last_message[line->length] = '\0';
	if (called != NULL)
		called->call(called, line->text, line->length);
	else
		os_write_error(line->text, line->length);
}

void message(const char *format, ...)
{
	struct line line = { .length = 0 };
	va_list arguments;
	put_string(&line, "strata: ");
	va_start(arguments, format);
	put_format(&line, format, arguments);
	va_end(arguments);
	/* One line, whatever a name or a value is made of. */
	for (size_t i = 0; i < line.length; i++)
		if ((unsigned char)line.text[i] < ' ' || line.text[i] == 0x7f)
			line.text[i] = '?';
	line.text[line.length++] = '\n';
	say(&line);
}

void misuse(const char *function, const void *block, const char *what)
{
	message("%s(%p): %s", function, (void *)(uintptr_t)block, what);
	if (!options()->misuse_warns)
		abort();
}

void misuse_twice(const void *block)
{
	misuse("free", block, "block freed twice");
}

void misuse_size(const char *function, const void *block, size_t given, size_t requested)
{
	message("%s(%p): size %lu given, %lu requested", function, (void *)(uintptr_t)block, given, requested);
	if (!options()->misuse_warns)
		abort();
}

void invariant_broken(const char *file, unsigned line, const char *condition)
{
	message("%s:%u: invariant broken: %s", file, line, condition);
	abort();
}
