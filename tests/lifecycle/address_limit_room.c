/* SPDX-License-Identifier: MIT */
/*
 * What a limit on address space leaves room for: with mappings of the program's own where the reservation was, and with more threads than
 * there are heaps for. By argument, one of them: what each needs differs.
 */
#include "address_space.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/mman.h>

#include <strata/strata.h>

#define LIMIT (1024 * MIB)

/* All above and below a mapping of the program's own, the first time that the limit is lifted. It is larger than any gap that the
 * reservation's alignment leaves. */
static void all_comes_back(void)
{
	size_t once;

	make_the_reservation();
	limit_to(LIMIT);
	check(mmap(NULL, 20 * MIB, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
	limit_to(RLIM_INFINITY);
	once = address_space();
	for (int i = 0; i < 20; i++)
		limit_to(RLIM_INFINITY);
	check(address_space() < once + 20 * MIB);
}

/* More threads than records: each takes one of the domains' as well. */
static pthread_barrier_t all_are_there, all_may_go;

static void *(*domain_malloc)(int domain, size_t size);

static void *allocate_two(void *unused)
{
	void *counted = domain_malloc(0, 64);
	void *mine = malloc(64);
	void *large = malloc(3000);

	check(counted != NULL && mine != NULL && large != NULL && malloc_usable_size(mine) >= 64);
	memset(mine, 1, 64);
	mine = realloc(mine, 200);
	check(mine != NULL && ((char *)mine)[63] == 1);
	pthread_barrier_wait(&all_are_there);
	pthread_barrier_wait(&all_may_go);
	free(mine);
	free(large);
	free(counted);
	return unused;
}

static size_t stack_bytes(void)
{
	return 64 << 10 > PTHREAD_STACK_MIN ? 64 << 10 : (size_t)PTHREAD_STACK_MIN;
}

static void start_many(pthread_t *threads, unsigned count)
{
	pthread_attr_t small;

	domain_malloc = (void *(*)(int, size_t))dlsym(RTLD_DEFAULT, "strata_domain_malloc");
	check(domain_malloc != NULL);
	pthread_attr_init(&small);
	check(pthread_attr_setstacksize(&small, stack_bytes()) == 0);
	pthread_barrier_init(&all_are_there, NULL, count + 1);
	pthread_barrier_init(&all_may_go, NULL, count + 1);
	for (unsigned i = 0; i < count; i++)
		check(pthread_create(&threads[i], &small, allocate_two, NULL) == 0);
	pthread_barrier_wait(&all_are_there);
}

static void end_many(const pthread_t *threads, unsigned count)
{
	pthread_barrier_wait(&all_may_go);
	for (unsigned i = 0; i < count; i++)
		check(pthread_join(threads[i], NULL) == 0);
}

static size_t live_bytes(void)
{
	static int (*read)(struct strata_stats *out, size_t size);
	struct strata_stats stats;

	if (read == NULL)
		read = (int (*)(struct strata_stats *, size_t))dlsym(RTLD_DEFAULT, "strata_stats_read");
	check(read != NULL && read(&stats, sizeof stats) == 0);
	check(stats.cached_bytes < stats.heap_bytes + stats.metadata_bytes);
	return stats.live_bytes;
}

static void *allocate_and_free(void *unused)
{
	for (int i = 0; i < 200; i++) {
		void *volatile block = malloc(4000);

		check(block != NULL);
		free(block);
	}
	return unused;
}

/* Started below a limit. Under check:1 what a thread has kept back goes with it. */
static void more_threads_than_heaps(void)
{
	static pthread_t threads[300];
	size_t live;

	start_many(threads, 300);
	for (size_t size = 1; size < 20000; size += 50) {
		void *volatile block = malloc(size);

		check(block != NULL);
		free(block);
	}
	live = live_bytes();
	for (int i = 0; i < 20; i++) {
		pthread_t thread;

		check(pthread_create(&thread, NULL, allocate_and_free, NULL) == 0 && pthread_join(thread, NULL) == 0);
	}
	check(live_bytes() < live + MIB);
	end_many(threads, 300);
	check(live_bytes() <= live);
}

/* Where each part of the reservation ends now, the program maps something. */
#define MOST 64
static char *plugs[MOST];
static unsigned plug_count;

static void plug_the_holes(void)
{
	static char lines[1000][512];
	unsigned long start, end, next_start, next_end;
	char access[5];
	unsigned count = 0;
	FILE *maps = fopen("/proc/self/maps", "r");

	check(maps != NULL);
	while (count < 1000 && fgets(lines[count], sizeof lines[count], maps) != NULL)
		count++;
	fclose(maps);
	for (unsigned i = 0; i + 1 < count && plug_count < MOST; i++) {
		check(sscanf(lines[i], "%lx-%lx %4s", &start, &end, access) == 3);
		check(sscanf(lines[i + 1], "%lx-%lx", &next_start, &next_end) == 2);
		if (strcmp(access, "---p") != 0 || next_start == end)
			continue;
		plugs[plug_count] = mmap((void *)end, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
		plug_count += plugs[plug_count] == (void *)end;
	}
	check(plug_count > 0);
}

/* The number of heaps that there is room for need not be a multiple of what is made memory at a time: it goes by the limit. */
static void under_limit(rlim_t limit)
{
	static pthread_t threads[290];
	int ends[2];

	make_the_reservation();
	limit_to(limit);
	plug_the_holes();
	start_many(threads, 290);
	check(pipe(ends) == 0);
	for (unsigned i = 0; i < plug_count; i++)
		check(write(ends[1], plugs[i], 1) == -1 && errno == EFAULT);
	end_many(threads, 290);
}

static void what_lies_beyond_stays(void)
{
	/* Larger ones leave too little room beside so few heaps. */
	for (rlim_t limit = 110 * MIB; limit < 190 * MIB && stack_bytes() == 64 << 10; limit += 8 * MIB) {
		pid_t child = fork();

		check(child >= 0);
		if (child == 0) {
			under_limit(limit);
			_exit(0);
		}
		wait_for_child(child);
	}
}

static const struct {
	const char *name;
	void (*call)(void);
} cases[] = {
	{"all_comes_back", all_comes_back},
	{"more_threads_than_heaps", more_threads_than_heaps},
	{"what_lies_beyond_stays", what_lies_beyond_stays},
};

int main(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		if (argc == 2 && strcmp(argv[1], cases[i].name) == 0) {
			cases[i].call();
			_exit(0);
		}
	return 1;
}
