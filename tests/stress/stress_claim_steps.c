/* SPDX-License-Identifier: MIT */
/*
 * Proves: what a thread has cached can be claimed while it stands at any instruction of a call. A thread of another process is
 * single-stepped through one call; after each number of steps, from none to all that it takes or STEPS_MOST, it is held, another
 * thread takes what it has, and it is let go. Then it is the one that takes, and is held after as many of its steps as CLAIMS
 * rounds have room for: meanwhile the other makes a few calls. After each both threads take as much as there was and more, and
 * each finds that nobody else has what it has; the statistics say that nothing is lost.
 *
 * The calls: a free of another thread's block, into a batch that holds some already; an object of a type allocated and freed, and a
 * list with its buffer; beside a claim the last two. Exit status 77: ptrace is refused here.
 */
#include "../lifecycle/lifecycle.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <strata/strata.h>
#include <strata/typed.h>

enum { BATCH = 20, BEFORE = 10, TAKEN = 64, FEW = 3, CLAIMS = 300, CLAIM_STEPS = 20000, WARM_UP = 5000, STEPS_MOST = 400 };
enum { WATCHDOG_SECONDS = 60 };

enum call { FREE_OTHERS, TYPE_ALLOC, TYPE_FREE, LIST_ALLOC, LIST_FREE, CALLS };
static const char *const names[CALLS] = {"free of another's block", "strata_type_alloc", "strata_type_free", "strata_list_alloc",
					 "strata_list_free"};

/* In memory of both processes. Rounds count from 1; each word is the last round for which that was so. */
static struct {
	_Atomic pid_t stepped;    /* the thread */
	_Atomic unsigned call;    /* enum call; CALLS: it is over */
	_Atomic unsigned prepare; /* by the tracer: the round begins */
	_Atomic unsigned given;   /* what is given is there */
	_Atomic unsigned ready;   /* the thread is about to call, once it may go */
	_Atomic unsigned go;      /* by the tracer */
	_Atomic unsigned inside;  /* it calls */
	_Atomic unsigned done;    /* it has called */
	_Atomic unsigned claims;  /* 1: the thread that is stepped claims, and the other calls */
	_Atomic unsigned turn;    /* by the tracer: the other may make its calls */
	_Atomic unsigned taken;   /* it has */
	_Atomic unsigned claim;   /* by the tracer: to be taken from; or, it has taken */
	_Atomic unsigned claimed;
	_Atomic unsigned verify[2], verified[2];
} *shared;

static void await(_Atomic unsigned *word, unsigned round)
{
	while (*word < round)
		sched_yield();
}

/* src/reclaim.h, src/typed_claim.h: of the test build. */
size_t reclaim_all(void);
size_t typed_claim_all(void);

static void claim_all(enum call call)
{
	if (call == FREE_OTHERS)
		reclaim_all();
	else
		typed_claim_all();
}

/* ---- The process that is traced ------------------------------------------------------------------------------------- */

struct list {
	uint64_t *items;
	size_t capacity;
};

static strata_type *fixed, *lists;
static void *given[BATCH]; /* blocks of the first thread, for the one that is stepped to free */

static void *take(enum call call)
{
	void *object = call == FREE_OTHERS ? strata_malloc(64) :
		       call <= TYPE_FREE   ? strata_type_alloc(fixed) :
					     strata_list_alloc(lists, 4);

	check(object != NULL);
	return object;
}

static void give(enum call call, void *object)
{
	if (call == FREE_OTHERS)
		strata_free(object);
	else if (call <= TYPE_FREE)
		strata_type_free(fixed, object);
	else
		strata_list_free(lists, object);
}

static uint64_t *place_in(enum call call, void *object)
{
	return call >= LIST_ALLOC ? ((struct list *)object)->items : object;
}

/* Both threads hold theirs at the same time. */
static void verify(enum call call, unsigned round, int number)
{
	void *mine[TAKEN];

	for (int i = 0; i < TAKEN; i++) {
		mine[i] = take(call);
		*place_in(call, mine[i]) = (uintptr_t)&mine[i];
	}
	shared->verify[number] = round;
	await(&shared->verify[!number], round);
	for (int i = 0; i < TAKEN; i++)
		check(*place_in(call, mine[i]) == (uintptr_t)&mine[i]);
	shared->verified[number] = round;
	await(&shared->verified[!number], round);
	for (int i = 0; i < TAKEN; i++)
		give(call, mine[i]);
}

static uint64_t live_bytes(void)
{
	struct strata_stats stats;

	check(strata_stats_read(&stats, sizeof stats) == 0);
	return stats.live_bytes;
}

static uint64_t live_of(strata_type *type)
{
	struct strata_type_stats stats;

	check(strata_type_stats_read(type, &stats, sizeof stats) == 0);
	return stats.live_objects;
}

/* What is before the call is such that it has no slow path; what it takes comes back. */
static void round_of_stepped(enum call call, unsigned round)
{
	const int allocates = call == TYPE_ALLOC || call == LIST_ALLOC;
	void *mine[BATCH], *object = NULL;
	int left = allocates ? 0 : 1;

	if (call == FREE_OTHERS) {
		memcpy(mine, given, sizeof mine);
		left = BATCH - BEFORE;
		/* After a slow call a few more are sent to look at the clock (thread.h). */
		for (int i = 0; i < WARM_UP; i++)
			strata_free(strata_malloc(64));
	} else {
		for (int i = 0; i < BATCH; i++)
			mine[i] = take(call);
	}
	for (int i = 0; i < BATCH - left; i++)
		give(call, mine[i]);
	shared->ready = round;
	while (shared->go < round)
		;
	shared->inside = round;
	if (allocates)
		object = take(call);
	else
		give(call, mine[BATCH - left]);
	shared->done = round;
	for (int i = BATCH - left + 1; i < BATCH; i++)
		give(call, mine[i]);
	if (object != NULL)
		give(call, object);
	verify(call, round, 1);
}

/* The claim, step by step. */
static void claim_of_stepped(enum call call, unsigned round)
{
	shared->ready = round;
	while (shared->go < round)
		;
	shared->inside = round;
	claim_all(call);
	shared->done = round;
	verify(call, round, 1);
}

static void *stepped(void *unused)
{
	shared->stepped = (pid_t)syscall(SYS_gettid);
	for (unsigned round = 1;; round++) {
		await(&shared->prepare, round);
		await(&shared->given, round);
		if (shared->call == CALLS)
			return unused;
		if (shared->claims)
			claim_of_stepped(shared->call, round);
		else
			round_of_stepped(shared->call, round);
	}
}

/* The first thread's calls while the other is held in a claim. */
static void call_a_few(enum call call, unsigned round)
{
	void *mine[BATCH];

	for (int i = 0; i < BATCH; i++)
		mine[i] = take(call);
	for (int i = 0; i < BATCH; i++)
		give(call, mine[i]);
	shared->taken = round - 1;
	await(&shared->turn, round);
	for (int i = 0; i < FEW; i++)
		mine[i] = take(call);
	for (int i = 0; i < FEW - 1; i++)
		give(call, mine[i]);
	shared->taken = round;
	await(&shared->done, round);
	give(call, mine[FEW - 1]);
}

static int traced(void)
{
	const struct strata_type_info fixed_info = {.name = "fixed", .size = 64};
	const struct strata_type_info lists_info = {
	    .name = "lists",
	    .shape = STRATA_LIST,
	    .size = sizeof(struct list),
	    .item_size = 8,
	    .buffer_offset = offsetof(struct list, items),
	    .capacity_offset = offsetof(struct list, capacity),
	};
	size_t live;
	pthread_t thread;

	fixed = strata_type_register(&fixed_info, sizeof fixed_info);
	lists = strata_type_register(&lists_info, sizeof lists_info);
	check(fixed != NULL && lists != NULL);
	check(pthread_create(&thread, NULL, stepped, NULL) == 0);
	while (shared->stepped == 0)
		sched_yield();
	live = live_bytes();
	for (unsigned round = 1;; round++) {
		for (int i = 0; i < BATCH; i++)
			given[i] = strata_malloc(64);
		shared->given = round;
		await(&shared->claimed, round - 1);
		await(&shared->prepare, round);
		if (shared->call == CALLS)
			break;
		enum call call = shared->call;
		if (call != FREE_OTHERS)
			for (int i = 0; i < BATCH; i++)
				strata_free(given[i]);
		if (shared->claims) {
			await(&shared->ready, round);
			call_a_few(call, round);
		} else {
			await(&shared->claim, round);
			claim_all(call);
			claim_all(call);
		}
		shared->claimed = round;
		verify(call, round, 0);
	}
	for (int i = 0; i < BATCH; i++)
		strata_free(given[i]);
	check(pthread_join(thread, NULL) == 0);
	check(live_of(fixed) == 0 && live_of(lists) == 0);
	check(live_bytes() == live);
	return 0;
}

/* ---- The tracer ----------------------------------------------------------------------------------------------------- */

static pid_t process;
static char where[128] = "before the first step";

static void stalled(int signal)
{
	(void)signal;
	(void)!write(2, "failed: no end of it; held ", 27);
	(void)!write(2, where, strlen(where));
	(void)!write(2, "\n", 1);
	kill(process, SIGKILL);
	_exit(1);
}

static void wait_stop(pid_t thread)
{
	int status;

	check(waitpid(thread, &status, __WALL) == thread);
	check(WIFSTOPPED(status));
}

static void step(pid_t thread)
{
	check(ptrace(PTRACE_SINGLESTEP, thread, 0, 0) == 0);
	wait_stop(thread);
}

/* The thread is ready for the round, and stands after so many steps of it, or at its end. Returns how many it took. */
static unsigned hold(pid_t thread, unsigned round, unsigned steps)
{
	unsigned taken = 0;

	check(ptrace(PTRACE_INTERRUPT, thread, 0, 0) == 0);
	wait_stop(thread);
	shared->go = round;
	while (shared->inside < round)
		step(thread);
	for (; taken < steps && shared->done < round; taken++) {
		if (taken % 1000 == 0)
			alarm(WATCHDOG_SECONDS);
		step(thread);
	}
	return taken;
}

static void let_go(pid_t thread, unsigned round)
{
	check(ptrace(PTRACE_CONT, thread, 0, 0) == 0);
	await(&shared->verified[0], round);
	await(&shared->verified[1], round);
}

/* Whether the call took so many steps; else it is over. */
static int hold_after(pid_t thread, enum call call, unsigned round, unsigned steps)
{
	unsigned taken;

	alarm(WATCHDOG_SECONDS);
	shared->call = call;
	shared->prepare = round;
	await(&shared->ready, round);
	snprintf(where, sizeof where, "in a %s after %u steps", names[call], steps);
	taken = hold(thread, round, steps);
	shared->claim = round;
	await(&shared->claimed, round);
	let_go(thread, round);
	return taken == steps;
}

/* One claim, held after so many steps, or at its end. Returns how many it were. */
static unsigned hold_claim(pid_t thread, enum call call, unsigned round, unsigned steps)
{
	unsigned taken;

	alarm(WATCHDOG_SECONDS);
	snprintf(where, sizeof where, "in a claim after %u steps, beside a %s", steps, names[call]);
	shared->call = call;
	shared->claims = 1;
	shared->prepare = round;
	await(&shared->ready, round);
	await(&shared->taken, round - 1);
	taken = hold(thread, round, steps);
	shared->turn = round;
	await(&shared->taken, round);
	let_go(thread, round);
	return taken;
}

static void hold_claims(pid_t thread, enum call call, unsigned *round)
{
	const unsigned all = hold_claim(thread, call, ++*round, CLAIM_STEPS);

	for (unsigned i = 0; i < CLAIMS; i++)
		hold_claim(thread, call, ++*round, (unsigned)((uint64_t)all * i / CLAIMS));
	printf("claim beside a %s: held after %d of %u instructions\n", names[call], CLAIMS, all);
}

int main(void)
{
	unsigned round = 0;
	int status;

	setvbuf(stdout, NULL, _IOLBF, 0);
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	check(shared != MAP_FAILED);
	process = fork();
	check(process >= 0);
	if (process == 0)
		_exit(traced());
	signal(SIGALRM, stalled);
	alarm(WATCHDOG_SECONDS);
	while (shared->stepped == 0)
		sched_yield();
	if (ptrace(PTRACE_SEIZE, shared->stepped, 0, 0) != 0) {
		printf("skipped: ptrace: %s\n", strerror(errno));
		kill(process, SIGKILL);
		return 77;
	}
	for (enum call call = 0; call < CALLS; call++) {
		unsigned steps = 0;

		while (hold_after(shared->stepped, call, ++round, steps) && steps < STEPS_MOST)
			steps++;
		printf("%s: held at each of %u instructions\n", names[call], steps);
		check(steps > 10);
	}
	hold_claims(shared->stepped, TYPE_ALLOC, &round);
	hold_claims(shared->stepped, LIST_ALLOC, &round);
	shared->call = CALLS;
	shared->prepare = round + 1;
	check(waitpid(shared->stepped, &status, __WALL) > 0);
	check(waitpid(process, &status, 0) == process);
	check(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	return 0;
}
