/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "profile.h"

#include "call_stack.h"
#include "check.h"
#include "core.h"
#include "os.h"
#include "run.h"
#include "sample.h"
#include "thread.h"

#include <strata/strata.h>

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- Which blocks --------------------------------------------------------------------------------------------------- */

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state * UINT64_C(0x2545f4914f6cdd1d);
}

/* -ln(u) for a u between 0 and 1, to five digits: of its exponent, and of its mantissa by the series of artanh. Not by libm, which would
 * be one more library of every program. */
static double minus_ln(uint64_t random)
{
	union {
		double number;
		uint64_t bits;
	} u = { .number = (double)((random >> 11) + 1) * 0x1p-53 };
	int exponent = (int)(u.bits >> 52) - 1023;
	u.bits = (u.bits & ((UINT64_C(1) << 52) - 1)) | UINT64_C(1023) << 52;
	double t = (u.number - 1) / (u.number + 1);
	double square = t * t;
	double ln = 2 * t * (1 + square * (1.0 / 3 + square * (1.0 / 5 + square * (1.0 / 7 + square / 9))));
	return -(exponent * 0.69314718055994531 + ln);
}

/* Bytes to the next sample: each byte is one with the same chance, whatever came before (a Poisson process), so that what is in the
 * profile stands for what is not. */
static int64_t draw(uint64_t *state, size_t rate)
{
	return 1 + (int64_t)(minus_ln(next_random(state)) * (double)rate);
}

static void begin_thread(struct thread *self)
{
	static _Atomic uint64_t threads; /* relaxed: no two get the same */
	uint64_t number = atomic_fetch_add_explicit(&threads, 1, memory_order_relaxed);
	self->sample_random = (os_secret() ^ number * UINT64_C(0x9e3779b97f4a7c15)) | 1;
}

static bool chooses(size_t size)
{
	struct thread *self = &thread_self;
	size_t rate = options()->profile_bytes;
	if (unlikely(self->sample_rate != rate)) {
		if (self->sample_random == 0)
			begin_thread(self);
		self->sample_rate = rate;
		self->sample_left = draw(&self->sample_random, rate);
	}
	profile_write_if_wanted();
	if (self->sample_paused || rate == 0)
		return false;
	self->sample_left -= (int64_t)size;
	if (likely(self->sample_left > 0))
		return false;
	self->sample_left = draw(&self->sample_random, rate);
	return !call_stack_is_looked_at();
}

#define FRAMES_MOST 32u

/* What the class that it is kept from would make usable: programs use what strata_good_size says. */
static size_t sampled_size(size_t size)
{
	return size_max(size, core_good_size(size_max(size, 1)));
}

static void *allocate_sampled(size_t size, size_t alignment, bool zero, const void *caller)
{
	uint32_t sample = sample_begin(size, call_stack_from(caller, FRAMES_MOST));
	if (sample == 0)
		return NULL;
	void *block = run_allocate(sampled_size(size), alignment, zero);
	if (block != NULL)
		run_set_sample(block, sample);
	else
		sample_end(sample);
	return block;
}

void *profile_allocate(size_t size, size_t alignment, bool zero, const void *caller)
{
	return chooses(size) ? allocate_sampled(size, alignment, zero, caller) : NULL;
}

/* ---- Resizing ------------------------------------------------------------------------------------------------------- */

/* A block of any size is sampled with the chance that its size has, or what is reckoned from it is wrong. Drawing for what it grew by
 * would do, if it were known what was requested last; that is known of blocks that are sampled alone. */
static void *move(void *block, size_t size, void *to)
{
	if (to == NULL)
		return NULL;
	memcpy(to, block, size_min(size, core_usable(block, "realloc")));
	core_free(block, "realloc");
	return to;
}

static void *resize_run(void *block, size_t size)
{
	return run_resize(block, size) ? block : run_move(block, size);
}

static void *keep_sampled(void *block, size_t size)
{
	void *moved = resize_run(block, sampled_size(size));
	if (moved != NULL)
		run_note_size(moved, size);
	return moved;
}

/* A block that is not to be sampled any more, as others are: one of a class, or a run. */
static void *stop_sampling(void *block, size_t size)
{
	if (size <= MEDIUM_MAX)
		return move(block, size, core_allocate(size, 16, false));
	void *moved = resize_run(block, size);
	if (moved != NULL)
		run_set_sample(moved, 0);
	return moved;
}

static void *draw_for(void *block, size_t size, const void *caller)
{
	bool sampled = core_tag(block) == TAG_RUN && run_is_sampled(block);
	bool chosen = chooses(size);
	if (sampled)
		return chosen ? keep_sampled(block, size) : stop_sampling(block, size);
	return chosen ? move(block, size, allocate_sampled(size, 1, false, caller)) : NULL;
}

void *profile_reallocate(void *block, size_t size, const void *caller)
{
	void *moved = draw_for(block, size, caller);
	thread_self.sample_paused = moved == NULL;
	return moved;
}

void profile_pause(void)
{
	thread_self.sample_paused = true;
}

void profile_resume(void)
{
	thread_self.sample_paused = false;
}

/* ---- Written as gperftools' heap profile, version 2, which pprof and jeprof read ------------------------------------------- */

struct writer {
	char text[4096];
	size_t length;
	int file;
	int error;
};

static void flush(struct writer *writer)
{
	if (writer->error == 0)
		writer->error = -os_write(writer->file, writer->text, writer->length);
	writer->length = 0;
}

#define PIECE_MOST 1100u /* a line of /proc/self/maps */

__attribute__((format(printf, 2, 3))) static void put(struct writer *writer, const char *format, ...)
{
	va_list arguments;
	if (sizeof writer->text - writer->length < PIECE_MOST)
		flush(writer);
	va_start(arguments, format);
	int length = vsnprintf(writer->text + writer->length, PIECE_MOST, format, arguments);
	va_end(arguments);
	writer->length += size_min((size_t)length, PIECE_MOST - 1);
}

static void put_sample(struct writer *writer, size_t size, stack_number stack)
{
	void *const *frames;
	unsigned count = depot_get(stack, &frames);
	put(writer, "1: %zu [1: %zu] @", size, size);
	for (unsigned i = 0; i < count; i++)
		put(writer, " %p", frames[i]);
	put(writer, "\n");
}

static bool put_line(const char *text, void *writer)
{
	put(writer, "%s\n", text);
	return true;
}

/* How many there are, or with a writer: writes each. One that begins or ends meanwhile may be in either, or in neither. */
static size_t walk(struct writer *writer, size_t *bytes)
{
	size_t count = 0;
	*bytes = 0;
	for (uint32_t number = 1; number < sample_bound(); number++) {
		size_t size;
		stack_number stack;
		if (!sample_look(number, &size, &stack))
			continue;
		count++;
		*bytes += size;
		if (writer != NULL)
			put_sample(writer, size, stack);
	}
	return count;
}

STRATA_PUBLIC int strata_profile_write(int file)
{
	struct writer writer = { .file = file };
	size_t bytes;
	size_t count = walk(NULL, &bytes);
	/* A rate of 1 says that what follows is all there is. */
	size_t rate = size_max(options()->profile_bytes, 1);
	put(&writer, "heap profile: %zu: %zu [%zu: %zu] @ heap_v2/%zu\n", count, bytes, count, bytes, rate);
	walk(&writer, &bytes);
	put(&writer, "\nMAPPED_LIBRARIES:\n");
	os_each_line("/proc/self/maps", put_line, &writer);
	flush(&writer);
	return writer.error;
}

/* ---- When ----------------------------------------------------------------------------------------------------------- */

/* Set in the signal's handler, and taken by whoever writes. */
static _Atomic bool wanted;
/* Counted by whoever writes; relaxed: each file has its number. */
static _Atomic unsigned files_written;

static void want(int number)
{
	(void)number;
	atomic_store(&wanted, true);
}

static void write_file(const char *path)
{
	int file = os_create(path);
	int error = file < 0 ? -file : strata_profile_write(file);
	if (file >= 0)
		os_close(file);
	if (error != 0)
		message("%s: heap profile not written: error %u", path, (unsigned)error);
}

void profile_write_if_wanted(void)
{
	char path[64];
	if (likely(!atomic_load_explicit(&wanted, memory_order_relaxed)) || !atomic_exchange(&wanted, false))
		return;
	unsigned number = atomic_fetch_add_explicit(&files_written, 1, memory_order_relaxed) + 1;
	snprintf(path, sizeof path, "strata.%d.%u.heap", os_process(), number);
	write_file(path);
}

/* The signal that is ours, and what it did before. Written and read by whoever sets it: the constructor, and the program before its first
 * allocation, and so before it has threads. */
static int own_signal;
static struct sigaction former_action;

int profile_begin(void)
{
	struct sigaction action = { .sa_handler = want, .sa_flags = SA_RESTART | SA_ONSTACK };
	int wanted_signal = (int)options()->profile_signal;
	int saved_errno = errno;
	struct sigaction former = { .sa_handler = SIG_DFL };
	if (wanted_signal == own_signal)
		return 0;
	if (wanted_signal != 0 && sigaction(wanted_signal, &action, &former) != 0) {
		errno = saved_errno;
		return EINVAL;
	}
	if (own_signal != 0)
		sigaction(own_signal, &former_action, NULL);
	own_signal = wanted_signal;
	former_action = former;
	return 0;
}

void profile_prepare(void)
{
	if (options()->profile_bytes != 0)
		call_stack_prepare();
}

void profile_fork_child(void)
{
	atomic_store(&wanted, false);
	atomic_store(&files_written, 0);
}

void profile_end(void)
{
	char path[64];
	if (!options()->profile_exit || options()->profile_bytes == 0)
		return;
	snprintf(path, sizeof path, "strata.%d.heap", os_process());
	write_file(path);
}
