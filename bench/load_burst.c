/* SPDX-License-Identifier: MIT */
/*
 * Bursts: count blocks of one size are allocated, then all are freed, in the order of allocation, in reverse or at
 * random. Shows the caps on caches and the cost of what lies below them.
 */
#include "bench.h"

#define BYTES_MAX ((size_t)512 << 20) /* live at once */

struct burst {
	uint32_t *order;
	void *blocks[];
};

static void burst_thread_set_up(struct bench_thread *thread)
{
	size_t count = thread->load->count;
	struct burst *burst = bench_own(sizeof *burst + count * sizeof burst->blocks[0]);

	burst->order = bench_own(count * sizeof burst->order[0]);
	bench_draw_order(thread->load->order, burst->order, count);
	thread->own = burst;
}

static void burst_work(struct bench_thread *thread)
{
	struct burst *burst = thread->own;
	size_t count = thread->load->count, size = thread->load->size;
	size_t repeat = thread->checking && thread->load->repeat > 2 ? 2 : thread->load->repeat;

	for (size_t turn = 0; turn < repeat; turn++) {
		for (size_t i = 0; i < count; i++)
			burst->blocks[i] = bench_get(thread, size);
		if (turn == 0)
			bench_at_peak(thread);
		for (size_t i = 0; i < count; i++)
			bench_put(thread, burst->blocks[burst->order[i]]);
		bench_empty();
	}
	thread->ops += count * repeat;
}

static void add(enum bench_set set, size_t size, size_t count, enum bench_order order, unsigned threads)
{
	static const char *const names[] = {"order", "reverse", "random"};
	size_t ops = size <= 4096 ? 20000 : size <= 16384 ? 4000 : 2000;
	struct bench_load load = {
		.set = set,
		.threads = threads,
		.size = size,
		.count = count,
		.repeat = (ops * (threads == 1 ? 1 : 4) + count - 1) / count,
		.order = order,
		.thread_set_up = burst_thread_set_up,
		.work = burst_work,
	};

	if (size * count * threads > BYTES_MAX)
		return;
	bench_register(&load, threads == 1 ? "burst/%zu/%zu/%s" : "burst/%zu/%zu/%s/threads:%u", size, count,
	               names[order], threads);
}

/* The loads of the main table; every other combination is among the additional ones. */
static const struct {
	size_t size, count;
	enum bench_order order;
	unsigned threads;
} chosen[] = {
	{64, 100, BENCH_IN_ORDER, 1},
	{16, 1000, BENCH_RANDOM, 1},
	{128, 1000, BENCH_REVERSE, 1},
	{512, 1000, BENCH_RANDOM, 1},
	{2048, 1000, BENCH_RANDOM, 1},
	{4096, 1000, BENCH_RANDOM, 1},
	{16384, 1000, BENCH_IN_ORDER, 1},
	{65536, 1000, BENCH_RANDOM, 1},
	{4096, 10000, BENCH_RANDOM, 1},
	{512, 10000, BENCH_REVERSE, 1},
	{64, 100000, BENCH_RANDOM, 1},
	{512, 100000, BENCH_IN_ORDER, 1},
	{128, 1000, BENCH_RANDOM, 4},
	{64, 10000, BENCH_RANDOM, 16},
};

static bool is_chosen(size_t size, size_t count, enum bench_order order)
{
	for (size_t i = 0; i < sizeof chosen / sizeof chosen[0]; i++)
		if (chosen[i].size == size && chosen[i].count == count && chosen[i].order == order &&
		    chosen[i].threads == 1)
			return true;
	return false;
}

static void add_orders(size_t size, size_t count)
{
	int last = count > 1 ? BENCH_RANDOM : BENCH_IN_ORDER;

	for (int order = BENCH_IN_ORDER; order <= last; order++) {
		bool surface = order == BENCH_RANDOM && (count == 1000 || count == 10000);

		if (!is_chosen(size, count, (enum bench_order)order))
			add(surface ? BENCH_SURFACE : BENCH_MORE, size, count, (enum bench_order)order, 1);
	}
}

void load_burst_register(void)
{
	static const size_t sizes[] = {8,   16,   32,   64,   128,  256,  384,   480,   512,  520,
	                               768, 1024, 2048, 3072, 4096, 8192, 16384, 32768, 65536};
	static const size_t counts[] = {1, 100, 1000, 10000, 100000};

	for (size_t i = 0; i < sizeof chosen / sizeof chosen[0]; i++)
		add(BENCH_MAIN, chosen[i].size, chosen[i].count, chosen[i].order, chosen[i].threads);
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
		for (size_t j = 0; j < sizeof counts / sizeof counts[0]; j++)
			add_orders(sizes[i], counts[j]);
	for (unsigned threads = 2; threads <= 64; threads *= threads == 2 ? 2 : 4)
		add(BENCH_SCALING, 64, 1000, BENCH_RANDOM, threads);
}
