/* SPDX-License-Identifier: MIT */
/*
 * fork from a process with many allocating threads: the child allocates, frees what it inherited, starts threads,
 * forks again and ends in order. From the main thread and from another one, with handlers of fork that allocate. And
 * vfork and posix_spawn. Ends after a fixed number of forks. argv[1] is how many threads.
 */
#include "lifecycle.h"

#include <errno.h>
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>

enum { THREADS_MOST = 1000, FORKS = 4, KEPT = 200 };

extern char **environ;

static char *kept[KEPT];
static char *_Atomic passed[64];
static atomic_bool stop;

/* Handlers of fork, of before and after strata's own. */
static void handler_allocates(void)
{
	churn(21, 10);
}

__attribute__((constructor(101))) static void install_early(void)
{
	check(pthread_atfork(handler_allocates, handler_allocates, handler_allocates) == 0);
}

static void wait_for(pid_t child)
{
	int status;

	check(child > 0);
	while (waitpid(child, &status, 0) < 0)
		check(errno == EINTR);
	check(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void *allocate_on(void *argument)
{
	unsigned seed = (unsigned)(size_t)argument;

	const struct timespec pause = {0, 5000000};

	/* The pause leaves the processors to those that fork. */
	while (!stop) {
		churn(next_random(&seed), 20);
		nanosleep(&pause, NULL);
		block_free(atomic_exchange(&passed[next_random(&seed) % 64], block_new(random_size(&seed))));
	}
	return NULL;
}

static void *allocate_once(void *argument)
{
	churn((unsigned)(size_t)argument, 200);
	return NULL;
}

static void start_and_join(void)
{
	pthread_t threads[4];

	for (size_t i = 0; i < 4; i++)
		check(pthread_create(&threads[i], NULL, allocate_once, (void *)(i + 50)) == 0);
	for (size_t i = 0; i < 4; i++)
		check(pthread_join(threads[i], NULL) == 0);
}

/* What a child may expect. kept and passed are copies of its parent's. */
static void use_memory(void)
{
	churn(31, 200);
	for (unsigned i = 0; i < KEPT; i++)
		block_free(kept[i]);
	for (unsigned i = 0; i < 64; i++)
		block_free(atomic_exchange(&passed[i], NULL));
	for (unsigned i = 0; i < KEPT; i++)
		kept[i] = block_new(i * 30);
	start_and_join();
}

/* A child, its child, and that one's. */
static void child_lives(void)
{
	for (int generation = 0; generation < 3; generation++) {
		pid_t child;

		use_memory();
		child = fork();
		if (child != 0) {
			wait_for(child);
			break;
		}
	}
	churn(32, 200);
	exit(0);
}

static void fork_and_wait(void)
{
	const pid_t child = fork();

	if (child == 0)
		child_lives();
	wait_for(child);
	for (unsigned i = 0; i < KEPT; i++)
		block_check(kept[i]);
}

static void *fork_here(void *unused)
{
	churn(41, 100);
	for (int i = 0; i < FORKS / 2; i++)
		fork_and_wait();
	return unused;
}

static void spawn_and_wait(void)
{
	char *arguments[] = {(char *)(size_t)"true", NULL};
	pid_t child = vfork();

	if (child == 0) {
		execvp("true", arguments);
		_exit(127);
	}
	wait_for(child);
	check(posix_spawnp(&child, "true", NULL, NULL, arguments, environ) == 0);
	wait_for(child);
}

int main(int argc, char **argv)
{
	static pthread_t threads[THREADS_MOST];
	const size_t count = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;
	pthread_t forker;

	check(count > 0 && count <= THREADS_MOST);
	for (unsigned i = 0; i < KEPT; i++)
		kept[i] = block_new(i * 25);
	for (size_t i = 0; i < count; i++)
		check(pthread_create(&threads[i], NULL, allocate_on, (void *)(i + 1)) == 0);
	check(pthread_atfork(handler_allocates, handler_allocates, handler_allocates) == 0);
	for (int i = 0; i < FORKS; i++)
		fork_and_wait();
	check(pthread_create(&forker, NULL, fork_here, NULL) == 0);
	check(pthread_join(forker, NULL) == 0);
	spawn_and_wait();
	stop = 1;
	for (size_t i = 0; i < count; i++)
		check(pthread_join(threads[i], NULL) == 0);
	return 0;
}
