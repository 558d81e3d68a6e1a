/* SPDX-License-Identifier: MIT */
/*
 * Proves, with the test build of the library: what a sleeping thread has at hand, much of it, can be taken back while the system refuses
 * any call and all after it; and on a system with larger pages, where nothing is moved that shares one with something else. The thread
 * goes on when it is over, with all contents in place.
 */
#include <pthread.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#include <strata/strata.h>

#include "../unit/support.h"

void strata_os_fail_after(long calls);
void strata_os_fail_sticky(bool sticky);
void strata_os_pretend_page_size(size_t size);

enum { THREADS = 6, DEEP = 20000, BURSTS = 12, HELD = 50, SIZE = 64 };

static pthread_barrier_t asleep, awake;
static void *blocks[THREADS][DEEP];

static void burst(void **own, size_t count, size_t seed)
{
	for (size_t i = 0; i < count; i++) {
		own[i] = strata_malloc(SIZE);
		if (own[i] == NULL)
			fatal("no memory");
		pattern_write(own[i], SIZE, seed + i);
	}
	for (size_t i = 0; i < count; i++) {
		if (!pattern_holds(own[i], SIZE, seed + i))
			fatal("the contents of a block changed");
		strata_free(own[i]);
	}
}

/* Every second one sleeps, and the others end. */
static void *live(void *own)
{
	size_t number = (size_t)((void *(*)[DEEP])own - blocks);
	void *held[HELD];

	for (int i = 0; i < BURSTS; i++)
		burst(own, DEEP, number);
	for (size_t i = 0; i < HELD; i++)
		pattern_write(held[i] = strata_malloc(SIZE), SIZE, i);
	pthread_barrier_wait(&asleep);
	if (number % 2 == 0)
		pthread_barrier_wait(&awake);
	for (size_t i = 0; i < HELD; i++) {
		if (!pattern_holds(held[i], SIZE, i))
			fatal("the contents of a held block changed");
		strata_free(held[i]);
	}
	burst(own, HELD, number);
	return NULL;
}

static void with_sleepers(void (*act)(long), long argument)
{
	pthread_t threads[THREADS];

	strata_free(strata_malloc(1));
	pthread_barrier_init(&asleep, NULL, THREADS + 1);
	pthread_barrier_init(&awake, NULL, THREADS / 2 + 1);
	for (size_t i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, live, blocks[i]) != 0)
			fatal("no thread");
	pthread_barrier_wait(&asleep);
	for (size_t i = 1; i < THREADS; i += 2)
		pthread_join(threads[i], NULL);
	act(argument);
	pthread_barrier_wait(&awake);
	for (size_t i = 0; i < THREADS; i += 2)
		pthread_join(threads[i], NULL);
	strata_trim();
}

static void trim_refused(long call)
{
	strata_os_fail_sticky(true);
	strata_os_fail_after(call);
	strata_trim();
	strata_os_fail_after(-1);
	strata_os_fail_sticky(false);
}

static void trim(long unused)
{
	(void)unused;
	strata_trim();
}

static void refused_from(size_t call)
{
	with_sleepers(trim_refused, (long)call);
}

/* With this reservation the records of some heaps begin where a page of the system does. */
static void on_large_pages(size_t page)
{
	const struct strata_option reserve = {.type = STRATA_OPTION_BYTES, .number = 64 * MIB};

	if (strata_option_set("reserve", &reserve) != 0)
		fatal("no setting");
	strata_os_pretend_page_size(page);
	with_sleepers(trim, 0);
}

static void in_child(void (*test)(size_t), size_t argument)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		test(argument);
		_exit(0);
	}
	while (waitpid(pid, &status, 0) != pid)
		continue;
	if (status != 0)
		fatal("%zu: status 0x%x", argument, (unsigned)status);
}

int main(void)
{
	for (size_t call = 1; call <= 40; call++)
		in_child(refused_from, call);
	in_child(on_large_pages, 16 * KIB);
	in_child(on_large_pages, 64 * KIB);
	return 0;
}
