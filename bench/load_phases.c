/* SPDX-License-Identifier: MIT */
/*
 * Asymmetric phases: blocks of one range of sizes are built up to a number of bytes, then all but each 64th are freed
 * at random, then blocks of other sizes are built up, and so on. Shows fragmentation: whether memory that one size has
 * left can serve another.
 */
#include "bench.h"

#define PHASES 4u

static const struct {
	size_t low, high;
} phase_sizes[PHASES] = {{16, 128}, {1024, 4096}, {128, 512}, {8192, 32768}};

struct phases {
	void **blocks;   /* of the phase */
	uint32_t *order; /* in which they are freed */
	void **kept;     /* survivors of all phases */
	size_t kept_count;
	size_t most; /* blocks in a phase */
};

static void phases_thread_set_up(struct bench_thread *thread)
{
	struct phases *phases = bench_own(sizeof *phases);

	phases->most = thread->load->size / ((phase_sizes[0].low + phase_sizes[0].high) / 2);
	phases->blocks = bench_own(phases->most * sizeof phases->blocks[0]);
	phases->order = bench_own(phases->most * sizeof phases->order[0]);
	phases->kept = bench_own((phases->most / 64 + 1) * PHASES * sizeof phases->kept[0]);
	bench_draw_order(BENCH_RANDOM, phases->order, phases->most);
	thread->own = phases;
}

static void phase(struct bench_thread *thread, struct phases *phases, size_t low, size_t high)
{
	size_t count = thread->load->size / ((low + high) / 2);

	for (size_t i = 0; i < count; i++)
		phases->blocks[i] = bench_get(thread, low + bench_random(thread) % (high - low + 1));
	bench_at_peak(thread);
	for (size_t i = 0; i < phases->most; i++) {
		size_t at = phases->order[i];

		if (at >= count)
			continue;
		if (at % 64 == 0)
			phases->kept[phases->kept_count++] = phases->blocks[at];
		else
			bench_put(thread, phases->blocks[at]);
	}
	thread->ops += count;
}

static void phases_work(struct bench_thread *thread)
{
	struct phases *phases = thread->own;

	for (unsigned i = 0; i < PHASES; i++)
		phase(thread, phases, phase_sizes[i].low, phase_sizes[i].high);
	for (size_t i = 0; i < phases->kept_count; i++)
		bench_put(thread, phases->kept[i]);
	phases->kept_count = 0;
	bench_empty();
}

static void add(enum bench_set set, unsigned threads)
{
	struct bench_load load = {
		.set = set,
		.threads = threads,
		.size = (size_t)16 << 20, /* bytes in a phase */
		.thread_set_up = phases_thread_set_up,
		.work = phases_work,
	};

	bench_register(&load, threads == 1 ? "phases" : "phases/threads:%u", threads);
}

void load_phases_register(void)
{
	add(BENCH_MAIN, 1);
	add(BENCH_MORE, 4);
}
