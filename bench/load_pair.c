/* SPDX-License-Identifier: MIT */
/* One block at a time: allocated, touched, freed. The shortest way through an allocator. */
#include "bench.h"

#define CHECK_BYTES ((size_t)64 << 20) /* filled and verified at most */

static size_t repeats(const struct bench_thread *thread)
{
	size_t most = CHECK_BYTES / thread->load->size + 1, repeat = thread->load->repeat;

	return thread->checking && repeat > most ? most : repeat;
}

static void pair_work(struct bench_thread *thread)
{
	size_t size = thread->load->size, repeat = repeats(thread);

	for (size_t i = 0; i < repeat; i++)
		bench_put(thread, bench_get(thread, size));
	thread->ops += repeat;
}

static void calloc_work(struct bench_thread *thread)
{
	size_t size = thread->load->size, repeat = repeats(thread);

	for (size_t i = 0; i < repeat; i++) {
		unsigned char *block = calloc(1, size);

		if (thread->checking)
			for (size_t at = 0; block && at < size; at++)
				if (block[at])
					bench_fail("calloc(1, %zu): not zero at %zu", size, at);
		bench_put(thread, bench_touch(thread, block, size));
	}
	thread->ops += repeat;
}

static void aligned_work(struct bench_thread *thread)
{
	size_t size = thread->load->size, repeat = repeats(thread);

	for (size_t i = 0; i < repeat; i++) {
		void *block = aligned_alloc(64, size);

		if ((uintptr_t)block % 64)
			bench_fail("aligned_alloc(64, %zu) gave %p", size, block);
		bench_put(thread, bench_touch(thread, block, size));
	}
	thread->ops += repeat;
}

static void add(enum bench_set set, const char *name, size_t size, unsigned threads,
                void (*work)(struct bench_thread *))
{
	struct bench_load load = {
		.set = set,
		.threads = threads,
		.size = size,
		.count = 1,
		.repeat = size <= 4096 ? 20000 * (threads == 1 ? 1 : 10) : 1000,
		.work = work,
	};

	bench_register(&load, threads == 1 ? "%s/%zu" : "%s/%zu/threads:%u", name, size, threads);
}

void load_pair_register(void)
{
	static const size_t main_sizes[] = {64, 2000, 20000, 262144, 1048576};
	static const size_t more_sizes[] = {8, 16, 128, 512, 513, 1024, 4096, 8192, 32768, 65536, 65537, 4194304};

	for (size_t i = 0; i < sizeof main_sizes / sizeof main_sizes[0]; i++)
		add(BENCH_MAIN, "pair", main_sizes[i], 1, pair_work);
	for (size_t i = 0; i < sizeof more_sizes / sizeof more_sizes[0]; i++)
		add(BENCH_MORE, "pair", more_sizes[i], 1, pair_work);
	for (unsigned threads = 2; threads <= 64; threads *= threads == 2 ? 2 : 4)
		add(BENCH_MORE, "pair", 64, threads, pair_work);
	add(BENCH_MAIN, "calloc", 1000, 1, calloc_work);
	add(BENCH_MORE, "calloc", 100000, 1, calloc_work);
	add(BENCH_MAIN, "aligned", 192, 1, aligned_work);
}
