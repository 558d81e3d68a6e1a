/* SPDX-License-Identifier: MIT */
/*
 * Random sizes and random lifetimes: a thread replaces blocks in randomly chosen slots (after rpmalloc's benchmark).
 * private: each thread has slots of its own. shared: all threads exchange blocks in the same slots, so that most blocks
 * are freed by another thread than the one that allocated them, which lives on.
 */
#include "bench.h"

struct slots {
	size_t sizes[BENCH_SIZES_LENGTH];
	void *slot[];
};

static struct slots *slots_new(const struct bench_load *load, size_t count)
{
	struct slots *slots = bench_own(sizeof *slots + count * sizeof slots->slot[0]);

	bench_draw_sizes(load->sizes, load->size, slots->sizes);
	return slots;
}

static void private_thread_set_up(struct bench_thread *thread)
{
	thread->own = slots_new(thread->load, thread->load->count);
}

static void private_work(struct bench_thread *thread)
{
	struct slots *slots = thread->own;
	size_t count = thread->load->count, repeat = thread->load->repeat;

	for (size_t i = 0; i < count; i++)
		slots->slot[i] = bench_get(thread, slots->sizes[i % BENCH_SIZES_LENGTH]);
	for (size_t i = 0; i < repeat; i++) {
		uint64_t random = bench_random(thread);
		void **slot = &slots->slot[(random >> 12) % count];

		bench_put(thread, *slot);
		*slot = bench_get(thread, slots->sizes[random % BENCH_SIZES_LENGTH]);
	}
	bench_at_peak(thread);
	for (size_t i = 0; i < count; i++)
		bench_put(thread, slots->slot[i]);
	bench_empty();
	thread->ops += count + repeat;
}

static void shared_set_up(struct bench_run *run)
{
	const struct bench_load *load = bench_load_of(run);

	bench_set_data(run, slots_new(load, load->count));
}

/* The thread that comes to a slot takes what is there and leaves a block of its own. At the end each thread empties the
 * slots once; the last finds those that others filled meanwhile. */
static void shared_work(struct bench_thread *thread)
{
	struct slots *slots = bench_data(thread->run);
	size_t count = thread->load->count, repeat = thread->load->repeat;

	for (size_t i = 0; i < repeat; i++) {
		uint64_t random = bench_random(thread);
		void **slot = &slots->slot[(random >> 12) % count];
		void *mine = bench_get(thread, slots->sizes[random % BENCH_SIZES_LENGTH]);
		void *old = __atomic_exchange_n(slot, mine, __ATOMIC_ACQ_REL);

		if (old)
			bench_put(thread, old);
	}
	bench_at_peak(thread);
	for (size_t i = 0; i < count; i++) {
		void *old = __atomic_exchange_n(&slots->slot[i], NULL, __ATOMIC_ACQ_REL);

		if (old)
			bench_put(thread, old);
	}
	thread->ops += repeat;
}

static void add(enum bench_set set, const char *name, enum bench_sizes sizes, unsigned threads, bool shared)
{
	struct bench_load load = {
		.set = set,
		.threads = threads,
		.sizes = sizes,
		.count = shared ? 4000 : threads > 4 ? 1000 : 4000,
		.repeat = threads == 1 ? 50000 : threads > 16 ? 10000 : 40000,
		.set_up = shared ? shared_set_up : NULL,
		.thread_set_up = shared ? NULL : private_thread_set_up,
		.work = shared ? shared_work : private_work,
	};

	bench_register(&load, "%s/%s/threads:%u", name, shared ? "shared" : "private", threads);
}

void load_slots_register(void)
{
	add(BENCH_MAIN, "small", BENCH_SMALL, 1, false);
	add(BENCH_MAIN, "small", BENCH_SMALL, 4, false);
	add(BENCH_MAIN, "small", BENCH_SMALL, 2, true);
	add(BENCH_MAIN, "small", BENCH_SMALL, 16, true);
	add(BENCH_MAIN, "powerlaw", BENCH_POWERLAW, 1, false);
	add(BENCH_MAIN, "powerlaw", BENCH_POWERLAW, 4, false);
	add(BENCH_MAIN, "powerlaw", BENCH_POWERLAW, 16, false);
	add(BENCH_MAIN, "powerlaw", BENCH_POWERLAW, 4, true);
	for (unsigned threads = 2; threads <= 64; threads *= threads == 2 ? 2 : 4) {
		if (threads != 4)
			add(BENCH_SCALING, "small", BENCH_SMALL, threads, false);
		if (threads == 4 || threads == 64)
			add(BENCH_SCALING, "small", BENCH_SMALL, threads, true);
		if (threads == 2 || threads == 64)
			add(BENCH_SCALING, "powerlaw", BENCH_POWERLAW, threads, false);
		if (threads != 4)
			add(BENCH_MORE, "powerlaw", BENCH_POWERLAW, threads, true);
	}
}
