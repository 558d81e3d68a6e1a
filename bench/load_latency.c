/* SPDX-License-Identifier: MIT */
/*
 * Single calls, timed by the processor's counter outside the allocator: random small blocks and some larger ones in
 * random slots. The times go into histograms of 32 steps to a doubling, and come out as percentiles in nanoseconds.
 */
#include "bench.h"
#include "clock.h"

#include <string.h>

#define STEPS   32u
#define BUCKETS (STEPS * 48u)

struct histogram {
	uint64_t count[BUCKETS];
};

struct latency {
	size_t sizes[BENCH_SIZES_LENGTH];
	struct histogram malloc_ticks, free_ticks;
	void *slot[];
};

struct all_latency {
	uint64_t ticks_begin, ns_begin; /* to tell how long a tick is */
	struct latency *thread[64];
};

static unsigned bucket_of(uint64_t ticks)
{
	unsigned doubling = 63 - (unsigned)__builtin_clzll(ticks | STEPS); /* 5 or more */
	unsigned bucket = (doubling - 5) * STEPS + (unsigned)(ticks >> (doubling - 5));

	return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

/* The middle of a bucket. */
static double ticks_of(unsigned bucket)
{
	unsigned doubling = bucket < 2 * STEPS ? 0 : bucket / STEPS - 1;
	uint64_t low = (uint64_t)(bucket - doubling * STEPS) << doubling;

	return (double)low + (double)((uint64_t)1 << doubling) / 2;
}

static void latency_set_up(struct bench_run *run)
{
	struct all_latency *all = bench_own(sizeof *all);

	all->ticks_begin = clock_ticks();
	all->ns_begin = clock_ns();
	bench_set_data(run, all);
}

static void latency_thread_set_up(struct bench_thread *thread)
{
	struct all_latency *all = bench_data(thread->run);
	struct latency *latency = bench_own(sizeof *latency + thread->load->count * sizeof latency->slot[0]);
	size_t larger[BENCH_SIZES_LENGTH];

	bench_draw_sizes(BENCH_SMALL, 0, latency->sizes);
	bench_draw_sizes(BENCH_POWERLAW, 0, larger);
	for (size_t i = 0; i < BENCH_SIZES_LENGTH; i += 4)
		latency->sizes[i] = larger[i];
	thread->own = all->thread[thread->index] = latency;
}

static void *timed_get(struct bench_thread *thread, struct latency *latency, size_t size)
{
	uint64_t begin = clock_ticks();
	void *block = malloc(size);
	uint64_t ticks = clock_ticks() - begin;

	if (!thread->checking)
		latency->malloc_ticks.count[bucket_of(ticks)]++;
	return bench_touch(thread, block, size);
}

static void timed_put(struct bench_thread *thread, struct latency *latency, void *block)
{
	if (thread->checking)
		bench_verify(thread, block);

	uint64_t begin = clock_ticks();

	free(block);

	uint64_t ticks = clock_ticks() - begin;

	if (!thread->checking)
		latency->free_ticks.count[bucket_of(ticks)]++;
}

static void latency_work(struct bench_thread *thread)
{
	struct latency *latency = thread->own;
	size_t count = thread->load->count, repeat = thread->load->repeat;

	for (size_t i = 0; i < count; i++)
		latency->slot[i] = timed_get(thread, latency, latency->sizes[i % BENCH_SIZES_LENGTH]);
	for (size_t i = 0; i < repeat; i++) {
		uint64_t random = bench_random(thread);
		void **slot = &latency->slot[(random >> 12) % count];

		timed_put(thread, latency, *slot);
		*slot = timed_get(thread, latency, latency->sizes[random % BENCH_SIZES_LENGTH]);
	}
	bench_at_peak(thread);
	for (size_t i = 0; i < count; i++)
		timed_put(thread, latency, latency->slot[i]);
	bench_empty();
	thread->ops += count + repeat;
}

static void report_one(struct bench_run *run, const struct histogram *histogram, double tick,
                       const char *const names[5])
{
	static const double shares[] = {0.5, 0.9, 0.99, 0.999, 0.9999};
	uint64_t total = 0, passed = 0;
	unsigned share = 0;

	for (unsigned i = 0; i < BUCKETS; i++)
		total += histogram->count[i];
	for (unsigned i = 0; i < BUCKETS && share < 5; i++) {
		passed += histogram->count[i];
		while (share < 5 && (double)passed >= shares[share] * (double)total)
			bench_extra(run, names[share++], ticks_of(i) * tick);
	}
}

static void latency_report(struct bench_run *run)
{
	static const char *const malloc_names[] = {"malloc_p50", "malloc_p90", "malloc_p99", "malloc_p99.9",
	                                           "malloc_p99.99"};
	static const char *const free_names[] = {"free_p50", "free_p90", "free_p99", "free_p99.9", "free_p99.99"};
	static struct histogram malloc_ticks, free_ticks;
	const struct all_latency *all = bench_data(run);
	double tick = (double)(clock_ns() - all->ns_begin) / (double)(clock_ticks() - all->ticks_begin);

	memset(&malloc_ticks, 0, sizeof malloc_ticks);
	memset(&free_ticks, 0, sizeof free_ticks);
	for (unsigned thread = 0; thread < bench_load_of(run)->threads; thread++) {
		for (unsigned i = 0; i < BUCKETS; i++) {
			malloc_ticks.count[i] += all->thread[thread]->malloc_ticks.count[i];
			free_ticks.count[i] += all->thread[thread]->free_ticks.count[i];
		}
	}
	report_one(run, &malloc_ticks, tick, malloc_names);
	report_one(run, &free_ticks, tick, free_names);
}

static void add(enum bench_set set, unsigned threads)
{
	struct bench_load load = {
		.set = set,
		.threads = threads,
		.count = 1000,
		.repeat = threads == 64 ? 4000 : 20000,
		.set_up = latency_set_up,
		.thread_set_up = latency_thread_set_up,
		.work = latency_work,
		.report = latency_report,
	};

	bench_register(&load, "latency/threads:%u", threads);
}

void load_latency_register(void)
{
	add(BENCH_MAIN, 1);
	add(BENCH_SCALING, 4);
	add(BENCH_MAIN, 64);
}
