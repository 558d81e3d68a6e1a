/* SPDX-License-Identifier: MIT */
/*
 * Proves: a process in which 100 threads allocate and free without pause can fork at any moment; the child allocates,
 * verifies and frees blocks it inherited from all of those threads (which do not exist in it), starts threads that do
 * the same, and forks again; and the parent goes on unharmed, each thread with its own heap again. Runs for
 * STRATA_STRESS_SECONDS (2), at least 6 forks.
 */
#include "stress.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define THREADS 100
#define KEPT 50
#define CHILD_THREADS 4

/* Blocks that each thread allocated at its start and does not touch any more. */
static struct piece kept[THREADS][KEPT];
static atomic_size_t ready;
static atomic_bool last_fork_done;

static void churn(struct piece *pieces, size_t count, uint64_t *random, size_t turns)
{
	for (; turns > 0; turns--) {
		struct piece *piece = &pieces[random_below(random, count)];

		if (piece->block != NULL)
			piece_free(piece);
		else
			*piece = piece_new(random_size(random, 128 * KIB), random);
	}
}

static void free_all(struct piece *pieces, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (pieces[i].block != NULL)
			piece_free(&pieces[i]);
}

static void *parents_thread(void *argument)
{
	size_t self = (size_t)argument;
	uint64_t random = self + 1;
	struct piece own[KEPT] = {{0}};

	for (size_t i = 0; i < KEPT; i++)
		kept[self][i] = piece_new(random_size(&random, 16 * KIB), &random);
	atomic_fetch_add(&ready, 1);
	while (!atomic_load_explicit(&last_fork_done, memory_order_relaxed)) {
		churn(own, KEPT, &random, 100);
		/* A pace, not a synchronisation: 100 threads that never rest would leave the children no processor. */
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	}
	free_all(own, KEPT);
	return NULL;
}

/* Frees what every CHILD_THREADS-th of the parent's threads left, among work of its own. */
static void *childs_thread(void *argument)
{
	size_t self = (size_t)argument;
	uint64_t random = self + 1000;
	struct piece own[KEPT] = {{0}};

	for (size_t i = self; i < THREADS; i += CHILD_THREADS + 1) {
		churn(own, KEPT, &random, 50);
		free_all(kept[i], KEPT);
	}
	free_all(own, KEPT);
	return NULL;
}

static int ending(pid_t child)
{
	int status = 0;

	while (waitpid(child, &status, 0) != child)
		continue;
	return status;
}

static _Noreturn void child(int generation)
{
	pthread_t threads[CHILD_THREADS];
	pid_t grandchild;

	/* Alarms are not inherited; and a child that hangs would keep its parent. */
	alarm(300);
	for (size_t i = 0; i < CHILD_THREADS; i++)
		threads[i] = stress_thread(childs_thread, (void *)i);
	if (generation == 1) {
		grandchild = fork();
		if (grandchild == 0) {
			/* The threads above may have been in the midst of theirs; only this one's share is whole. */
			childs_thread((void *)(size_t)CHILD_THREADS);
			_exit(0);
		}
		if (grandchild < 0 || ending(grandchild) != 0)
			fatal("stress_fork: a grandchild ended badly");
	}
	childs_thread((void *)(size_t)CHILD_THREADS);
	for (size_t i = 0; i < CHILD_THREADS; i++)
		stress_join(threads[i]);
	_exit(0);
}

static void *forks(void *count)
{
	uint64_t random = 7777;
	struct piece own[KEPT] = {{0}};
	size_t done = 0;

	for (; done < 6 || !stress_over(); done++) {
		pid_t pid;
		int status;

		churn(own, KEPT, &random, 200);
		pid = fork();
		if (pid == 0) {
			free_all(own, KEPT);
			child(1 + (int)(done % 2));
		}
		if (pid < 0)
			fatal("stress_fork: fork: %s", strerror(errno));
		status = ending(pid);
		if (status != 0)
			fatal("stress_fork: child %zu ended with status 0x%x", done, (unsigned)status);
	}
	free_all(own, KEPT);
	*(size_t *)count = done;
	return NULL;
}

/* Heaps that belong to living threads: one for each, but two while a thread works with a spare. */
static size_t heaps_of_threads(void)
{
	return (size_t)totals().threads;
}

int main(void)
{
	pthread_t threads[THREADS], forker;
	size_t count = 0;

	stress_begin("stress_fork");
	for (size_t i = 0; i < THREADS; i++)
		threads[i] = stress_thread(parents_thread, (void *)i);
	while (atomic_load(&ready) < THREADS)
		sched_yield();
	forker = stress_thread(forks, &count);
	stress_run_for(1);
	stress_join(forker);
	/* Every thread goes home when it comes to its slow path; one that does not keeps us here. */
	while (heaps_of_threads() > THREADS + 1)
		sched_yield();
	atomic_store(&last_fork_done, true);
	for (size_t i = 0; i < THREADS; i++)
		stress_join(threads[i]);
	for (size_t i = 0; i < THREADS; i++)
		free_all(kept[i], KEPT);
	return stress_end("%zu forks of a process with %d threads", count, THREADS);
}
