/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "background.h"

#include "claim.h"
#include "decay.h"
#include "heap.h"
#include "limit.h"
#include "os.h"
#include "typed_tier.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BUSY_MS 100       /* between two looks while there was something to do */
#define IDLE_MS 1000      /* and when there was nothing for long */
#define STEPS_MOST 64u    /* bounded parts in a row */
#define STACK_BYTES ((size_t)64 << 10)

#define FILTERS_UNASKED (-2)
#define FILTERS_UNKNOWN (-1) /* there is no /proc, or not any more */

STRATA_READ_MOSTLY _Atomic unsigned background_begun;

/* Written by the constructor, after the next. */
static STRATA_READ_MOSTLY _Atomic bool allowed;
/* Written once, by whoever first finds the setting on; a child of a fork has what its parent saw. */
static _Atomic int filters_at_start = FILTERS_UNASKED;
static _Atomic uint32_t stopping; /* a futex */
static _Atomic int running_in;    /* the process whose thread is to be joined, or 0; written after thread, and read before it at the end */
static pthread_t thread;

/* As many parts as it takes to look at every heap, and on while there is something to give back. */
static bool keep_house(void)
{
	unsigned least = heap_count() / CLAIM_HEAPS + 1;
	bool did = false;
	for (unsigned step = 0; step < STEPS_MOST && atomic_load(&stopping) == 0; step++) {
		size_t bytes = limit_maintain(CALLBACKS_MAY_NOT);
		did |= bytes != 0;
		if (bytes == 0 && step >= least)
			break;
	}
	return did;
}

static void *run(void *unused)
{
	unsigned pause = BUSY_MS;
	pthread_setname_np(pthread_self(), "strata");
	while (atomic_load(&stopping) == 0) {
		bool did = options()->background && keep_house();
		pause = did ? BUSY_MS : (unsigned)size_min(pause * 2, IDLE_MS);
		os_wait(&stopping, 0, pause);
	}
	return unused;
}

/* ---- Sandboxes ------------------------------------------------------------------------------------------------------ */

static bool read_filters(const char *line, void *context)
{
	static const char name[] = "Seccomp_filters:\t";
	if (strncmp(line, name, sizeof name - 1) != 0)
		return true;
	*(int *)context = atoi(line + sizeof name - 1);
	return false;
}

static int count_filters(void)
{
	int count = FILTERS_UNKNOWN;
	os_each_line("/proc/thread-self/status", read_filters, &count);
	return count;
}

void background_note_filters(void)
{
	int unasked = FILTERS_UNASKED;
	if (options()->background && atomic_load(&filters_at_start) == FILTERS_UNASKED)
		atomic_compare_exchange_strong(&filters_at_start, &unasked, count_filters());
}

/* A filter that the program has put on itself since it started (seccomp), as servers do in processes that they fork, may end it for
 * beginning a thread. One that was there before is the container's. */
static bool entered_sandbox(void)
{
	background_note_filters();
	return count_filters() != atomic_load(&filters_at_start);
}

/* ---- The thread's beginning and end --------------------------------------------------------------------------------- */

static int create(size_t stack_bytes)
{
	pthread_attr_t attributes;
	int error = pthread_attr_init(&attributes);
	if (error != 0)
		return error;
	if (stack_bytes != 0)
		pthread_attr_setstacksize(&attributes, stack_bytes);
	error = pthread_create(&thread, &attributes, run, NULL);
	pthread_attr_destroy(&attributes);
	return error;
}

/* A program with much static TLS needs a larger stack: then the usual one. */
static void create_blocking_signals(void)
{
	sigset_t all, before;
	sigfillset(&all);
	if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
		return;
	if (create(STACK_BYTES) == 0 || create(0) == 0)
		atomic_store(&running_in, os_process());
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void background_begin(const void *caller)
{
	int saved_errno = errno;
	unsigned none = 0;
	if (!atomic_load(&allowed) || (caller != NULL && os_is_system_code(caller)))
		return;
	/* pthread_create allocates: it must not come here again. */
	if (atomic_compare_exchange_strong(&background_begun, &none, 1) && !entered_sandbox())
		create_blocking_signals();
	errno = saved_errno;
}

void background_allow(void)
{
	os_learn_system_code();
	background_note_filters();
	atomic_store(&allowed, true);
}

void background_end(void)
{
	atomic_store(&background_begun, 1);
	/* A copy of that process for which no fork handler ran (_Fork) has no such thread to wait for. */
	int in = atomic_exchange(&running_in, 0);
	if (in == 0 || in != os_process())
		return;
	struct timespec deadline;
	atomic_store(&stopping, 1);
	os_wake(&stopping);
	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec++;
	if (pthread_timedjoin_np(thread, NULL, &deadline) != 0)
		pthread_detach(thread);
}

void background_forget(void)
{
	atomic_store(&running_in, 0);
	atomic_store(&background_begun, 0);
}
