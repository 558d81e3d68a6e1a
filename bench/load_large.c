/* SPDX-License-Identifier: MIT */
/*
 * Large blocks, replaced in random slots, with every page written: page runs (64 KiB to 1 MiB) and direct mappings (1
 * to 30 MiB). Shows whether memory is kept, and what purging costs.
 */
#include "bench.h"

struct large {
	size_t sizes[BENCH_SIZES_LENGTH];
	void *slot[];
};

static void large_thread_set_up(struct bench_thread *thread)
{
	struct large *large = bench_own(sizeof *large + thread->load->count * sizeof large->slot[0]);

	bench_draw_sizes(thread->load->sizes, thread->load->size, large->sizes);
	thread->own = large;
}

static void *large_get(struct bench_thread *thread, size_t size)
{
	volatile unsigned char *block = bench_get(thread, size);

	if (!thread->checking)
		for (size_t at = 4096; at < size; at += 4096)
			block[at] = 1;
	return (void *)block;
}

static void large_work(struct bench_thread *thread)
{
	struct large *large = thread->own;
	size_t count = thread->load->count, repeat = thread->load->repeat;

	for (size_t i = 0; i < count; i++)
		large->slot[i] = large_get(thread, large->sizes[i]);
	bench_at_peak(thread);
	for (size_t i = 0; i < repeat; i++) {
		uint64_t random = bench_random(thread);
		void **slot = &large->slot[(random >> 12) % count];

		bench_put(thread, *slot);
		*slot = large_get(thread, large->sizes[random % BENCH_SIZES_LENGTH]);
	}
	for (size_t i = 0; i < count; i++)
		bench_put(thread, large->slot[i]);
	bench_empty();
	thread->ops += count + repeat;
}

static void add(enum bench_set set, enum bench_sizes sizes, unsigned threads)
{
	bool runs = sizes == BENCH_RUNS;
	struct bench_load load = {
		.set = set,
		.threads = threads,
		.sizes = sizes,
		.count = runs ? 32 : 6,
		.repeat = runs ? 300 : 12,
		.thread_set_up = large_thread_set_up,
		.work = large_work,
	};

	bench_register(&load, threads == 1 ? "large/%s" : "large/%s/threads:%u", runs ? "64K-1M" : "1M-30M", threads);
}

void load_large_register(void)
{
	add(BENCH_MAIN, BENCH_RUNS, 1);
	add(BENCH_MAIN, BENCH_LARGE, 1);
	add(BENCH_MORE, BENCH_RUNS, 4);
	add(BENCH_MORE, BENCH_LARGE, 4);
}
