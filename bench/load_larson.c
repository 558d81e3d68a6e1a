/* SPDX-License-Identifier: MIT */
/*
 * A server after Larson and Krishnan (1998): threads replace blocks in random slots; after a while a thread ends and
 * hands its slots on to a new one, which frees what the dead one allocated.
 */
#include "bench.h"

#include <string.h>

struct larson {
	size_t sizes[BENCH_SIZES_LENGTH];
	void *slot[];
};

static void larson_thread_set_up(struct bench_thread *thread)
{
	struct larson *larson = bench_own(sizeof *larson + thread->load->count * sizeof larson->slot[0]);

	bench_draw_sizes(thread->load->sizes, thread->load->size, larson->sizes);
	thread->own = larson;
}

/* One generation. The first finds the slots empty. */
static void larson_generation(struct bench_thread *thread)
{
	struct larson *larson = thread->own;
	size_t count = thread->load->count, repeat = thread->load->repeat;

	for (size_t i = 0; i < count; i++)
		if (!larson->slot[i])
			larson->slot[i] = bench_get(thread, larson->sizes[i % BENCH_SIZES_LENGTH]);
	for (size_t i = 0; i < repeat; i++) {
		uint64_t random = bench_random(thread);
		void **slot = &larson->slot[(random >> 12) % count];

		bench_put(thread, *slot);
		*slot = bench_get(thread, larson->sizes[random % BENCH_SIZES_LENGTH]);
	}
	thread->ops += repeat;
}

static void larson_work(struct bench_thread *thread)
{
	struct larson *larson = thread->own;

	for (unsigned i = 0; i < thread->load->children; i++)
		bench_children(thread, i, 1, larson_generation, &thread->own);
	bench_at_peak(thread);
	for (size_t i = 0; i < thread->load->count; i++)
		bench_put(thread, larson->slot[i]);
	memset(larson->slot, 0, thread->load->count * sizeof larson->slot[0]);
}

static void add(enum bench_set set, unsigned threads)
{
	struct bench_load load = {
		.set = set,
		.threads = threads,
		.sizes = BENCH_SMALL,
		.count = 1000,
		.repeat = 10000,
		.children = 4,
		.thread_set_up = larson_thread_set_up,
		.work = larson_work,
	};

	bench_register(&load, "larson/threads:%u", threads);
}

void load_larson_register(void)
{
	add(BENCH_MAIN, 4);
	add(BENCH_MAIN, 16);
	add(BENCH_SCALING, 1);
	add(BENCH_SCALING, 2);
	add(BENCH_SCALING, 64);
}
