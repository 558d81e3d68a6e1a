/* SPDX-License-Identifier: MIT */
/*
 * Resident memory over time, under the loads whose memory operators complain of: what stays when most is freed, when
 * sizes change, when threads sleep, when a peak is over. Prints a line for each reading: seconds since the start, bytes
 * resident, and what just happened. Its own tables are mappings of their own, the same for every allocator.
 *
 *     rss fragment N    400 MiB of 48-byte blocks, all but every N-th freed; 400 MiB of 400-byte blocks; all freed
 *     rss lru           a cache of 96 MiB with LRU eviction whose values grow from 64 bytes to 4 KiB and shrink again
 *     rss idle          300 threads build up and free 256 KiB each, then sleep; one thread goes on a little
 *     rss spike         1 GiB of blocks of 64 bytes to 64 KiB, all freed; one thread goes on a little
 *     rss random SECONDS   reads at random in 2 GiB of 1 KiB blocks; says ns for a read (huge pages)
 */
#include "clock.h"
#include "memory.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)
#define IDLE_THREADS 300u
#define TICK_MS 10u

static uint64_t started;
static uint64_t random_state = 88172645463325252u;

static size_t random_below(size_t limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (size_t)((random_state >> 32) * limit >> 32);
}

static void reading(const char *what)
{
	printf("%.3f %llu %s\n", (double)(clock_ns() - started) / 1e9, (unsigned long long)memory_resident(), what);
	fflush(stdout);
}

static void *own(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		abort();
	return memory;
}

static void *get(size_t size)
{
	char *block = malloc(size);

	if (block == NULL)
		abort();
	for (size_t at = 0; at < size; at += 4096)
		block[at] = 1;
	return block;
}

/* What a server that has little to do still does: a request that takes some blocks. */
static void tick(void)
{
	static void *blocks[512];
	size_t count = 1 + random_below(512);

	for (size_t i = 0; i < count; i++) {
		size_t size = (size_t)16 << random_below(9);

		blocks[i] = get(size + random_below(size));
	}
	for (size_t i = 0; i < count; i++)
		free(blocks[i]);
	usleep(TICK_MS * 1000);
}

static void tick_for(unsigned seconds, const char *what)
{
	for (unsigned i = 0; i < seconds * 4; i++) {
		for (unsigned at = 0; at < 250 / TICK_MS; at++)
			tick();
		reading(what);
	}
}

/* ---- Fragmentation -------------------------------------------------------------------------------------------------- */

static void fragment(size_t step)
{
	size_t small = 400 * MIB / 48;
	size_t large = 400 * MIB / 400;
	void **blocks = own(small * sizeof *blocks);
	void **others = own(large * sizeof *others);

	for (size_t i = 0; i < small; i++) {
		blocks[i] = get(48);
		if (i % (small / 8) == 0)
			reading("building up 48");
	}
	reading("built up 48");
	for (size_t i = 0; i < small; i++)
		if (i % step != 0)
			free(blocks[i]);
	reading("thinned out");
	for (size_t i = 0; i < large; i++) {
		others[i] = get(400);
		if (i % (large / 8) == 0)
			reading("building up 400");
	}
	reading("built up 400");
	for (size_t i = 0; i < small; i += step)
		free(blocks[i]);
	for (size_t i = 0; i < large; i++)
		free(others[i]);
	reading("all freed");
	tick_for(3, "waiting");
}

/* ---- A cache -------------------------------------------------------------------------------------------------------- */

#define CACHE_BYTES (96 * MIB)
#define CACHE_SLOTS ((size_t)2 << 20)
#define CACHE_STEPS ((size_t)3000000)

/* Geometric between 64 and 4096, up and down again. */
static size_t drifting_size(size_t step)
{
	double way = (double)step / CACHE_STEPS * 2;
	double doublings = 6 * (way < 1 ? way : 2 - way);
	size_t middle = 64u << (unsigned)doublings;

	middle += (size_t)((double)middle * (doublings - (unsigned)doublings));
	return middle / 2 + random_below(middle);
}

static void lru(void)
{
	void **blocks = own(CACHE_SLOTS * sizeof *blocks);
	uint32_t *sizes = own(CACHE_SLOTS * sizeof *sizes);
	size_t oldest = 0;
	size_t bytes = 0;

	for (size_t step = 0; step < CACHE_STEPS; step++) {
		size_t size = drifting_size(step);

		while (bytes + size > CACHE_BYTES || step - oldest >= CACHE_SLOTS) {
			free(blocks[oldest % CACHE_SLOTS]);
			bytes -= sizes[oldest++ % CACHE_SLOTS];
		}
		blocks[step % CACHE_SLOTS] = get(size);
		sizes[step % CACHE_SLOTS] = (uint32_t)size;
		bytes += size;
		if (step % (CACHE_STEPS / 60) == 0)
			reading(step * 2 < CACHE_STEPS ? "growing values" : "shrinking values");
	}
	reading("full");
	for (; oldest < CACHE_STEPS; oldest++)
		free(blocks[oldest % CACHE_SLOTS]);
	reading("all freed");
	tick_for(3, "waiting");
}

/* ---- Threads that sleep --------------------------------------------------------------------------------------------- */

static pthread_barrier_t gate;

static void *build_and_sleep(void *unused)
{
	void *blocks[1024];
	size_t bytes = 0;
	size_t count = 0;
	unsigned seed = (unsigned)(uintptr_t)unused;

	pthread_barrier_wait(&gate);
	/* Parked: only the stack. The main thread reads. */
	pthread_barrier_wait(&gate);
	while (bytes < 256 << 10 && count < 1024) {
		size_t size = 16 + (size_t)rand_r(&seed) % 1024;

		blocks[count++] = get(size);
		bytes += size;
	}
	while (count > 0)
		free(blocks[--count]);
	pthread_barrier_wait(&gate);
	pause();
	return NULL;
}

static void idle(void)
{
	pthread_attr_t attributes;
	pthread_t thread;

	pthread_barrier_init(&gate, NULL, IDLE_THREADS + 1);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 256 << 10);
	for (uintptr_t i = 0; i < IDLE_THREADS; i++)
		if (pthread_create(&thread, &attributes, build_and_sleep, (void *)i) != 0)
			abort();
	pthread_barrier_wait(&gate);
	tick();
	reading("parked");
	pthread_barrier_wait(&gate);
	pthread_barrier_wait(&gate);
	reading("all asleep");
	tick_for(10, "asleep");
}

/* ---- A peak --------------------------------------------------------------------------------------------------------- */

static void spike(void)
{
	size_t most = (size_t)1 << 20;
	void **blocks = own(most * sizeof *blocks);
	size_t count = 0;

	for (unsigned i = 0; i < 4; i++)
		tick();
	reading("before");
	for (size_t bytes = 0; bytes < 1024 * MIB && count < most; count++) {
		size_t size = (size_t)64 << random_below(10);

		size += random_below(size);
		blocks[count] = memset(get(size), 1, size);
		bytes += size;
	}
	reading("peak");
	while (count > 0)
		free(blocks[--count]);
	reading("all freed");
	tick_for(12, "waiting");
}

/* ---- Huge pages ----------------------------------------------------------------------------------------------------- */

static void random_access(unsigned seconds)
{
	size_t count = 2048 * MIB / 1024;
	volatile char **blocks = own(count * sizeof *blocks);
	uint64_t begin, end;
	uint64_t reads = 0;
	unsigned sum = 0;

	for (size_t i = 0; i < count; i++)
		blocks[i] = memset(get(1024), 1, 1024);
	reading("built up");
	begin = clock_cpu_ns();
	do {
		for (unsigned i = 0; i < 1000000; i++)
			sum += (unsigned)blocks[random_below(count)][random_below(1024)];
		reads += 1000000;
		end = clock_cpu_ns();
	} while (end - begin < seconds * (uint64_t)1000000000);
	reading(sum != 0 ? "read" : "");
	printf("%.2f ns of processor time for a read\n", (double)(end - begin) / (double)reads);
}

int main(int count, char **arguments)
{
	const char *load = count > 1 ? arguments[1] : "";

	started = clock_ns();
	reading("start");
	if (strcmp(load, "fragment") == 0 && count == 3)
		fragment(strtoul(arguments[2], NULL, 10));
	else if (strcmp(load, "lru") == 0)
		lru();
	else if (strcmp(load, "idle") == 0)
		idle();
	else if (strcmp(load, "spike") == 0)
		spike();
	else if (strcmp(load, "random") == 0 && count == 3)
		random_access((unsigned)strtoul(arguments[2], NULL, 10));
	else
		return 2;
	return 0;
}
