/* SPDX-License-Identifier: MIT */
/*
 * A limit on address space that the program sets while it runs: the heap keeps to it, threads still start, all that was allocated
 * stays; when it is lifted the heap may grow again; also while other threads allocate; and who only has this memory for a while
 * (vfork), or is another process (fork), changes nothing here.
 */
#include "address_space.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIMIT (1024 * MIB)
#define PIECE (8 * MIB)
#define MOST 1000

static void *nothing(void *argument)
{
	return block_new((size_t)argument);
}

static void start_a_thread(void)
{
	pthread_t thread;
	void *block;

	check(pthread_create(&thread, NULL, nothing, (void *)1000) == 0 && pthread_join(thread, &block) == 0);
	block_free(block);
}

static char *blocks[MOST];

static size_t allocate_until_refused(void)
{
	size_t count = 0;

	errno = 0;
	while (count < MOST && (blocks[count] = malloc(PIECE)) != NULL)
		blocks[count++][0] = 1;
	check(count < MOST && errno == ENOMEM);
	return count;
}

static void free_them(size_t count)
{
	while (count > 0)
		free(blocks[--count]);
}

/* What was memory once stays address space: so each limit is higher than the one before. */
static void the_heap_keeps_to_it(void)
{
	char *before = block_new(5000), *large = block_new(20 * MIB);
	size_t count, again;

	limit_to(LIMIT);
	check(address_space() < LIMIT);
	start_a_thread();
	count = allocate_until_refused();
	check(count * PIECE > LIMIT / 2 && count * PIECE < LIMIT);
	start_a_thread();
	free_them(count);
	again = allocate_until_refused();
	check(again + 2 >= count);
	free_them(again);
	limit_to(2 * LIMIT);
	check(address_space() < 2 * LIMIT);
	again = allocate_until_refused();
	check(again > count + count / 2);
	start_a_thread();
	free_them(again);
	block_check(large);
	limit_to(RLIM_INFINITY);
	check(address_space() > 100 * LIMIT);
	free(malloc(3 * LIMIT));
	large = realloc(large, 3 * LIMIT);
	check(large != NULL);
	free(large);
	block_free(before);
}

static void who_has_the_memory_for_a_while_changes_nothing(void)
{
	size_t before = address_space();
	int status;
	pid_t child = vfork();

	if (child == 0) {
		struct rlimit limit = {LIMIT, LIMIT};

		setrlimit(RLIMIT_AS, &limit);
		_exit(0);
	}
	check(child > 0 && waitpid(child, &status, 0) == child && status == 0);
	check(address_space() == before);
}

static void another_process_changes_nothing(void)
{
	size_t before = address_space();
	int status;
	pid_t child;

	who_has_the_memory_for_a_while_changes_nothing();
	child = fork();
	if (child == 0) {
		limit_to(LIMIT);
		check(address_space() < 8 * LIMIT);
		free_them(allocate_until_refused());
		_exit(0);
	}
	check(child > 0 && waitpid(child, &status, 0) == child && status == 0);
	check(address_space() == before);
	/* As programs do that want more of a child than fork gives: no handler runs. */
	child = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
	if (child == 0) {
		who_has_the_memory_for_a_while_changes_nothing();
		limit_to(LIMIT);
		check(address_space() < 8 * LIMIT);
		start_a_thread();
		free_them(allocate_until_refused());
		_exit(0);
	}
	check(child > 0 && waitpid(child, &status, 0) == child && status == 0);
	check(address_space() == before);
}

static void *churn_until(void *argument)
{
	_Atomic int *stop = argument;

	while (!*stop)
		churn(7, 300);
	return NULL;
}

/* Each uses more of the region for the first time, and large blocks, again and again. */
static void others_go_on(void)
{
	static _Atomic int stop;
	pthread_t threads[6];

	for (size_t i = 0; i < 6; i++)
		check(pthread_create(&threads[i], NULL, churn_until, &stop) == 0);
	for (int i = 0; i < 300; i++) {
		char *block;

		limit_to(i % 2 ? RLIM_INFINITY : 16 * LIMIT);
		block = malloc(((size_t)i + 30) * MIB);
		check(block != NULL);
		block[0] = 1;
		free(block);
		sched_yield();
	}
	stop = 1;
	for (size_t i = 0; i < 6; i++)
		check(pthread_join(threads[i], NULL) == 0);
	limit_to(RLIM_INFINITY);
	another_process_changes_nothing();
}

int main(void)
{
	churn(1, 100);
	the_heap_keeps_to_it();
	another_process_changes_nothing();
	others_go_on();
	puts("the limit holds");
	return 0;
}
