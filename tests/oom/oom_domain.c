/* SPDX-License-Identifier: MIT */
/*
 * Proves: whichever call to the operating system is refused, once or from then on, a call by domain gives a block or NULL and
 * ENOMEM, service resumes, and the accounts are exact, also where there was no memory for the thread's own record. Attempts
 * with an odd number have the debug hooks on. Each runs in a child of its own.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <strata/domain.h>

#include "../unit/support.h"

void strata_os_fail_after(long calls);
void strata_os_fail_sticky(bool sticky);

enum { MOST = 40, BLOCKS = 400 };

static void *blocks[BLOCKS];
static unsigned held;

static void *calls(void *argument)
{
	const enum strata_domain domain = STRATA_DOMAIN_OBJ;

	for (size_t i = 0; i < BLOCKS; i++) {
		size_t size = i % 40 == 39 ? 400 * KIB : 8 + i % 25 * 24;
		void *larger;

		errno = 0;
		blocks[i] = i % 3 == 0 ? strata_domain_calloc(domain, 1, size) : strata_domain_malloc(domain, size);
		if (blocks[i] == NULL) {
			if (errno != ENOMEM)
				fatal("oom_domain: NULL with errno %d", errno);
			continue;
		}
		held++;
		pattern_write(blocks[i], size, i);
		larger = strata_domain_realloc(domain, blocks[i], size + 200);
		if (larger != NULL)
			blocks[i] = larger;
		if (!pattern_holds(blocks[i], size, i))
			fatal("oom_domain: contents changed");
	}
	return argument;
}

static void expect_live(unsigned count)
{
	struct strata_domain_stats stats;

	strata_domain_stats_read(STRATA_DOMAIN_OBJ, &stats, sizeof stats);
	if (stats.live_blocks != count || (count == 0 && stats.live_bytes != 0))
		fatal("oom_domain: %lu bytes in %lu blocks, where %u blocks are held", (unsigned long)stats.live_bytes,
		      (unsigned long)stats.live_blocks, count);
}

static void free_all(void)
{
	for (size_t i = 0; i < BLOCKS; i++)
		strata_domain_free(STRATA_DOMAIN_OBJ, blocks[i]);
	held = 0;
}

static _Noreturn void attempt(long number, bool sticky)
{
	pthread_t thread;

	if (strata_domain_debug(number % 2) != 0)
		fatal("oom_domain: the hooks cannot be set");
	strata_os_fail_sticky(sticky);
	strata_os_fail_after(number / 2);
	calls(NULL);
	strata_os_fail_after(-1);
	expect_live(held);
	free_all();
	expect_live(0);
	/* Service resumes, for this thread and others. */
	calls(NULL);
	if (held != BLOCKS)
		fatal("oom_domain: refused, with memory there");
	free_all();
	if (pthread_create(&thread, NULL, calls, NULL) != 0 || pthread_join(thread, NULL) != 0)
		fatal("oom_domain: no thread");
	expect_live(BLOCKS);
	free_all();
	expect_live(0);
	_exit(0);
}

static void run(long number, bool sticky)
{
	pid_t child = fork();
	int status = 0;

	if (child == 0)
		attempt(number, sticky);
	if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
		fatal("oom_domain: attempt %ld%s: status 0x%x", number, sticky ? ", sticky" : "", (unsigned)status);
}

int main(void)
{
	for (long number = 0; number < MOST; number++) {
		run(number, false);
		run(number, true);
	}
	return 0;
}
