/* SPDX-License-Identifier: MIT */
/*
 * Limits on address space that are set while something else goes on: by two threads, around forks, with mappings of the program's own
 * where the reservation was, and with more threads than there are heaps for. By argument, one of them: what each needs differs.
 */
#include "lifecycle.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define MIB ((size_t)1 << 20)
#define LIMIT (1024 * MIB)

static void limit_to(rlim_t bytes)
{
	struct rlimit limit = {bytes, RLIM_INFINITY};

	check(setrlimit(RLIMIT_AS, &limit) == 0);
}

static size_t address_space(void)
{
	size_t pages = 0;
	FILE *file = fopen("/proc/self/statm", "r");

	check(file != NULL && fscanf(file, "%zu", &pages) == 1);
	fclose(file);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* Compilers leave out what is freed at once. */
static void make_the_reservation(void)
{
	void *volatile block = malloc(1);

	free(block);
}

static void wait_for(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) < 0)
		check(errno == EINTR);
	check(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* Whichever the system has heard last, the reservation follows. */
static pthread_barrier_t round_begins, round_ends;

static void *set_each_round(void *limit)
{
	for (;;) {
		pthread_barrier_wait(&round_begins);
		limit_to(*(rlim_t *)limit);
		pthread_barrier_wait(&round_ends);
	}
	return NULL;
}

static void two_set_it(void)
{
	static rlim_t limits[2] = {LIMIT, RLIM_INFINITY};
	struct rlimit now;
	pthread_t thread;

	pthread_barrier_init(&round_begins, NULL, 3);
	pthread_barrier_init(&round_ends, NULL, 3);
	for (int i = 0; i < 2; i++)
		check(pthread_create(&thread, NULL, set_each_round, &limits[i]) == 0);
	for (int i = 0; i < 3000; i++) {
		pthread_barrier_wait(&round_begins);
		pthread_barrier_wait(&round_ends);
		check(getrlimit(RLIMIT_AS, &now) == 0);
		if (now.rlim_cur == RLIM_INFINITY)
			check(address_space() > 100 * LIMIT);
		else
			check(address_space() < LIMIT);
		limit_to(RLIM_INFINITY);
	}
}

static void *set_again_and_again(void *unused)
{
	for (;;) {
		limit_to(LIMIT);
		limit_to(RLIM_INFINITY);
	}
	return unused;
}

/* The child has what it can reckon with, though a thread that it does not have was in the middle of it. */
static void forks_meanwhile(void)
{
	pthread_t thread;

	check(pthread_create(&thread, NULL, set_again_and_again, NULL) == 0);
	for (int i = 0; i < 300; i++) {
		pid_t child = fork();

		check(child >= 0);
		if (child == 0) {
			limit_to(RLIM_INFINITY);
			check(address_space() > 100 * LIMIT);
			limit_to(LIMIT);
			check(address_space() < LIMIT);
			_exit(0);
		}
		wait_for(child);
	}
}

/* A signal handler that forks has interrupted the thread while it made more of the reservation memory. */
static volatile bool interrupt;
static volatile pid_t forked = -1;

int mprotect(void *start, size_t size, int access)
{
	if (interrupt && access == (PROT_READ | PROT_WRITE)) {
		interrupt = false;
		raise(SIGUSR1);
	}
	return (int)syscall(SYS_mprotect, start, size, access);
}

static void fork_there(int number)
{
	(void)number;
	forked = fork();
}

static void a_fork_in_the_middle(void)
{
	void *volatile block;

	signal(SIGUSR1, fork_there);
	interrupt = true;
	block = malloc(200 * MIB);
	check(block != NULL && !interrupt && forked >= 0);
	limit_to(LIMIT);
	check(address_space() < LIMIT);
	if (forked == 0)
		_exit(0);
	wait_for(forked);
}

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

/* Started below a limit. */
static void more_threads_than_heaps(void)
{
	static pthread_t threads[300];

	start_many(threads, 300);
	for (size_t size = 1; size < 20000; size += 50) {
		void *volatile block = malloc(size);

		check(block != NULL);
		free(block);
	}
	end_many(threads, 300);
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
		wait_for(child);
	}
}

static const struct {
	const char *name;
	void (*call)(void);
} cases[] = {
	{"two_set_it", two_set_it},
	{"forks_meanwhile", forks_meanwhile},
	{"a_fork_in_the_middle", a_fork_in_the_middle},
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
