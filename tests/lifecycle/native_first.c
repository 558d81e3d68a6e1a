/* SPDX-License-Identifier: MIT */
/*
 * Loads strata (argv[1]) with a local name space, and many threads make their first calls at the same time under a limit on
 * address space: each tries to reserve most of what is left, one of them has it, and the others find it. None is refused,
 * though in some the one that has it is held up before it says so. In many children, since a process has one first call.
 */
#include "address_space.h"

#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

enum { CHILDREN = 200, HELD_UP_EVERY = 40, HELD_UP_MS = 100, THREADS = 16, STACK = 128 << 10, LEFT = 60 << 20 };

static void *(*native_malloc)(size_t size);
static pthread_barrier_t together;

static bool hold_up;

/* The library's as well. */
void *mmap(void *place, size_t size, int access, int flags, int file, off_t offset)
{
	const struct timespec time = { 0, HELD_UP_MS * 1000000L };
	void *start = (void *)syscall(SYS_mmap, place, size, access, flags, file, offset);

	if (hold_up && start != MAP_FAILED && size > LEFT / 2)
		nanosleep(&time, NULL);
	return start;
}

static void *call_first(void *unused)
{
	(void)unused;
	pthread_barrier_wait(&together);
	return native_malloc(100);
}

/* Their stacks are made before the limit is set, and count against it. */
static void start_under_limit(pthread_t *threads)
{
	pthread_attr_t small;

	pthread_attr_init(&small);
	check(pthread_attr_setstacksize(&small, STACK) == 0);
	pthread_barrier_init(&together, NULL, THREADS + 1);
	for (unsigned i = 0; i < THREADS; i++)
		check(pthread_create(&threads[i], &small, call_first, NULL) == 0);
	limit_to(address_space() + LEFT);
	pthread_barrier_wait(&together);
}

__attribute__((noreturn)) static void be_child(void)
{
	pthread_t threads[THREADS];
	void *block;

	start_under_limit(threads);
	for (unsigned i = 0; i < THREADS; i++) {
		check(pthread_join(threads[i], &block) == 0);
		check(block != NULL);
	}
	_exit(0);
}

int main(int argc, char **argv)
{
	void *library = argc == 2 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
	int status;

	if (!library)
		dprintf(2, "%s\n", dlerror());
	check(library != NULL);
	native_malloc = (void *(*)(size_t))dlsym(library, "strata_malloc");
	check(native_malloc != NULL);
	/* An arena of libc's own for each thread would take the room. */
	check(mallopt(M_ARENA_MAX, 1) == 1);
	for (unsigned i = 0; i < CHILDREN; i++) {
		pid_t child;

		hold_up = i % HELD_UP_EVERY == 0;
		child = fork();
		check(child >= 0);
		if (child == 0)
			be_child();
		while (waitpid(child, &status, 0) < 0)
			check(errno == EINTR);
		check(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
	return 0;
}
