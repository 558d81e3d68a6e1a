/* SPDX-License-Identifier: MIT */
/*
 * One buffer grown by realloc in steps, each step's last word written; an operation is one step. doubling: as vectors
 * do, 16 bytes to the end, several at once.
 */
#include "bench.h"

#include <string.h>

/* Marks the end of what a step added. */
static void mark(char *buffer, size_t end)
{
	memcpy(buffer + end - sizeof end, &end, sizeof end);
}

static void verify(const char *buffer, size_t step, size_t end)
{
	size_t found;

	for (size_t at = step; at <= end; at += step) {
		memcpy(&found, buffer + at - sizeof at, sizeof at);
		if (found != at)
			bench_fail("realloc lost the word before %zu of %zu", at, end);
	}
}

static char *grow(char *buffer, size_t size)
{
	char *grown = realloc(buffer, size);

	if (!grown)
		bench_fail("no block of %zu bytes", size);
	return grown;
}

/* load->count: the steps' length; load->size: the end. */
static void steps_work(struct bench_thread *thread)
{
	size_t step = thread->load->count, end = thread->load->size;

	for (size_t turn = 0; turn < thread->load->repeat; turn++) {
		char *buffer = NULL;

		for (size_t size = step; size <= end; size += step) {
			buffer = grow(buffer, size);
			mark(buffer, size);
		}
		if (thread->checking) {
			verify(buffer, step, end);
			bench_fill(thread, buffer, end);
			bench_at_peak(thread);
			bench_verify(thread, buffer);
		}
		free(buffer);
		bench_empty();
	}
	thread->ops += end / step * thread->load->repeat;
}

#define VECTORS 16u

static void doubling_work(struct bench_thread *thread)
{
	size_t steps = 0;

	for (size_t turn = 0; turn < thread->load->repeat; turn++) {
		char *vector[VECTORS] = {NULL};

		for (size_t size = 16; size <= thread->load->size; size *= 2) {
			for (unsigned i = 0; i < VECTORS; i++) {
				void *old = vector[i];

				vector[i] = grow(old, size);
				if (!thread->checking) {
					mark(vector[i], size);
					continue;
				}
				if (old && bench_verify_moved(thread, vector[i], old) != size / 2)
					bench_fail("realloc lost a block of %zu bytes", size / 2);
				bench_fill(thread, vector[i], size);
			}
			steps += VECTORS;
		}
		for (unsigned i = 0; i < VECTORS; i++)
			bench_put(thread, vector[i]);
		bench_empty();
	}
	thread->ops += steps;
}

static void add(enum bench_set set, const char *name, size_t step, size_t end, size_t repeat,
                void (*work)(struct bench_thread *))
{
	struct bench_load load = {
		.set = set,
		.threads = 1,
		.count = step,
		.size = end,
		.repeat = repeat,
		.work = work,
		.check_once = end > (size_t)1 << 20,
	};

	bench_register(&load, "realloc/%s", name);
}

void load_realloc_register(void)
{
	add(BENCH_MAIN, "64-to-256K", 64, (size_t)256 << 10, 1, steps_work);
	add(BENCH_MAIN, "4K-to-16M", 4096, (size_t)16 << 20, 1, steps_work);
	add(BENCH_MAIN, "doubling-to-64K", 0, (size_t)64 << 10, 20, doubling_work);
	add(BENCH_MORE, "4K-to-64M", 4096, (size_t)64 << 20, 1, steps_work);
	add(BENCH_MORE, "doubling-to-16M", 0, (size_t)16 << 20, 1, doubling_work);
}
