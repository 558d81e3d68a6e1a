/* SPDX-License-Identifier: MIT */
/*
 * False sharing, after cache-scratch and cache-thrash (Hoard): threads write to small blocks of their own again and
 * again. It costs when the allocator gives neighbours in one cache line to different threads.
 *
 * thrash (active): each thread allocates, writes, frees. scratch (passive): each thread begins with a block that the
 * first thread allocated, next to those of the others; it frees it, and goes on as in thrash.
 */
#include "bench.h"

#include <pthread.h>

#define WRITES 200u /* to a block, between its allocation and its free */

struct sharing {
	pthread_barrier_t given; /* the first thread has allocated a block for each */
	void *first[64];
};

static void sharing_set_up(struct bench_run *run)
{
	struct sharing *sharing = bench_own(sizeof *sharing);

	pthread_barrier_init(&sharing->given, NULL, bench_load_of(run)->threads);
	bench_set_data(run, sharing);
}

static void write_often(struct bench_thread *thread, void *block)
{
	volatile uint64_t *word = block;

	if (thread->checking)
		return;
	for (unsigned i = 0; i < WRITES; i++)
		*word = *word + 1;
}

static void thrash_work(struct bench_thread *thread)
{
	for (size_t i = 0; i < thread->load->repeat; i++) {
		void *block = bench_get(thread, thread->load->size);

		write_often(thread, block);
		bench_put(thread, block);
	}
	thread->ops += thread->load->repeat;
}

static void scratch_work(struct bench_thread *thread)
{
	struct sharing *sharing = bench_data(thread->run);
	void *block;

	if (thread->index == 0)
		for (unsigned i = 0; i < thread->load->threads; i++)
			sharing->first[i] = bench_get(thread, thread->load->size);
	pthread_barrier_wait(&sharing->given);
	block = sharing->first[thread->index];
	write_often(thread, block);
	bench_put(thread, block);
	thrash_work(thread);
}

static void add(enum bench_set set, const char *name, unsigned threads, void (*work)(struct bench_thread *))
{
	struct bench_load load = {
		.set = set,
		.threads = threads,
		.size = 8,
		.repeat = 10000,
		.set_up = sharing_set_up,
		.work = work,
	};

	bench_register(&load, "%s/threads:%u", name, threads);
}

void load_sharing_register(void)
{
	add(BENCH_MAIN, "cache-scratch", 2, scratch_work);
	add(BENCH_MAIN, "cache-thrash", 2, thrash_work);
	for (unsigned threads = 4; threads <= 16; threads *= 4) {
		add(BENCH_MORE, "cache-scratch", threads, scratch_work);
		add(BENCH_MORE, "cache-thrash", threads, thrash_work);
	}
}
