/* SPDX-License-Identifier: MIT */
/*
 * fork by a process whose threads call by domain through a table of the program's own, while another thread exchanges it;
 * the child calls through the table, exchanges it (which would wait for ever for readers that did not come along), starts
 * threads, forks again, and finds the accounts of the domains going on. Handlers of fork that were there before strata's, and so
 * run while its own have done their part, are refused a table: the first setter waits for forks under way.
 *
 * domain_fork own: the program is a user of liburcu-bp itself, has read sections of its own around calls by domain, and
 * calls liburcu's handlers around fork; it is run with urcu_fork:0.
 */
#include "lifecycle.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <strata/domain.h>
#include <sys/wait.h>
#include <time.h>
#include <urcu-bp.h>

enum { THREADS = 8, FORKS = 3 };

static struct strata_domain_table builtin;
static atomic_uint stop, calls;
static int own_sections;

/* ---- The table ------------------------------------------------------------------------------------------------------ */

static void *table_malloc(void *ctx, size_t size)
{
	atomic_fetch_add(&calls, 1);
	check(*(int *)ctx == 4711);
	return builtin.malloc(builtin.ctx, size);
}

static void *table_calloc(void *ctx, size_t count, size_t size)
{
	check(*(int *)ctx == 4711);
	return builtin.calloc(builtin.ctx, count, size);
}

static void *table_realloc(void *ctx, void *block, size_t size)
{
	check(*(int *)ctx == 4711);
	return builtin.realloc(builtin.ctx, block, size);
}

static void table_free(void *ctx, void *block)
{
	check(*(int *)ctx == 4711);
	builtin.free(builtin.ctx, block);
}

static int *install(void)
{
	int *ctx = malloc(sizeof *ctx);
	struct strata_domain_table table = {ctx, table_malloc, table_calloc, table_realloc, table_free, NULL};

	check(ctx != NULL);
	*ctx = 4711;
	check(strata_domain_set_table(STRATA_DOMAIN_OBJ, &table) == 0);
	return ctx;
}

static void take_back(int *ctx)
{
	check(strata_domain_set_table(STRATA_DOMAIN_OBJ, NULL) == 0);
	*ctx = 0;
	free(ctx);
}

/* ---- Threads -------------------------------------------------------------------------------------------------------- */

static void work(unsigned seed, unsigned turns)
{
	char *blocks[20] = {NULL};

	for (unsigned i = 0; i < turns; i++) {
		const unsigned at = next_random(&seed) % 20;

		if (own_sections)
			urcu_bp_read_lock();
		if (blocks[at]) {
			check(blocks[at][0] == (char)at);
			strata_domain_free(STRATA_DOMAIN_OBJ, blocks[at]);
			blocks[at] = NULL;
		} else {
			blocks[at] = strata_domain_malloc(STRATA_DOMAIN_OBJ, 1 + next_random(&seed) % 700);
			check(blocks[at] != NULL);
			blocks[at][0] = (char)at;
		}
		if (own_sections) {
			check(strata_domain_set_table(STRATA_DOMAIN_RAW, NULL) == EDEADLK);
			urcu_bp_read_unlock();
		}
	}
	for (unsigned i = 0; i < 20; i++)
		strata_domain_free(STRATA_DOMAIN_OBJ, blocks[i]);
}

static void *works(void *argument)
{
	for (unsigned seed = (unsigned)(size_t)argument; !atomic_load(&stop); seed += THREADS) {
		work(seed, 100);
		/* A pace: threads that never rest would leave those that wait no processor. */
		nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
	}
	return NULL;
}

static void *exchanges(void *argument)
{
	while (!atomic_load(&stop))
		take_back(install());
	return argument;
}

/* ---- Forks ---------------------------------------------------------------------------------------------------------- */

static void set_in_handler(void)
{
	check(strata_domain_set_table(STRATA_DOMAIN_BUF, NULL) == EDEADLK);
}

static void set_in_childs_handler(void)
{
	alarm(120);
	set_in_handler();
}

static void be_first(void)
{
	pthread_atfork(set_in_handler, set_in_handler, set_in_childs_handler);
}

/* Before the libraries' constructors. */
__attribute__((section(".preinit_array"), used)) static void (*const first)(void) = be_first;

static pid_t fork_here(void)
{
	pid_t pid;

	if (!own_sections)
		return fork();
	urcu_bp_before_fork();
	pid = fork();
	if (pid == 0)
		urcu_bp_after_fork_child();
	else
		urcu_bp_after_fork_parent();
	return pid;
}

static void expect_success(pid_t child)
{
	int status;

	check(child > 0 && waitpid(child, &status, 0) == child);
	check(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* When no table was ever set. */
static void fork_alone(void)
{
	pid_t child = fork_here();

	if (child == 0)
		_exit(0);
	expect_success(child);
}

static void *works_once(void *argument)
{
	work((unsigned)(size_t)argument, 500);
	return NULL;
}

static _Noreturn void be_child(void)
{
	struct strata_domain_stats before, after;
	pthread_t threads[4];
	pid_t grandchild;
	int *ctx;

	alarm(120);
	check(strata_domain_stats_read(STRATA_DOMAIN_OBJ, &before, sizeof before) == 0);
	work(3, 300);
	ctx = install();
	for (size_t i = 0; i < 4; i++)
		check(pthread_create(&threads[i], NULL, works_once, (void *)(i + 100)) == 0);
	grandchild = fork_here();
	if (grandchild == 0) {
		work(6, 300);
		take_back(ctx);
		_exit(0);
	}
	expect_success(grandchild);
	for (size_t i = 0; i < 4; i++)
		check(pthread_join(threads[i], NULL) == 0);
	work(4, 300);
	take_back(ctx);
	work(5, 300);
	/* Blocks of threads that did not come along stay live. */
	check(strata_domain_stats_read(STRATA_DOMAIN_OBJ, &after, sizeof after) == 0);
	check(after.live_blocks == before.live_blocks && after.live_bytes == before.live_bytes);
	check(after.allocations > before.allocations);
	_exit(0);
}

int main(int count, char **arguments)
{
	pthread_t threads[THREADS + 1];

	own_sections = count > 1 && strcmp(arguments[1], "own") == 0;
	alarm(300);
	fork_alone();
	check(strata_domain_get_table(STRATA_DOMAIN_OBJ, &builtin) == 0);
	for (size_t i = 0; i < THREADS; i++)
		check(pthread_create(&threads[i], NULL, works, (void *)(i + 1)) == 0);
	check(pthread_create(&threads[THREADS], NULL, exchanges, NULL) == 0);
	while (atomic_load(&calls) == 0)
		sched_yield();
	for (unsigned i = 0; i < FORKS; i++) {
		pid_t child = fork_here();

		if (child == 0)
			be_child();
		expect_success(child);
		work(i, 100);
	}
	atomic_store(&stop, 1);
	for (size_t i = 0; i <= THREADS; i++)
		check(pthread_join(threads[i], NULL) == 0);
	return 0;
}
