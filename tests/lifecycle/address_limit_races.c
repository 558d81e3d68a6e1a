/* SPDX-License-Identifier: MIT */
/*
 * Limits on address space that are set while something else goes on: by two threads, around forks, by one that is held up in the middle,
 * and interrupted. By argument, one of them: what each needs differs.
 */
#include "address_space.h"

#include "../mremap.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>

#define LIMIT (1024 * MIB)

/* Whichever the system has heard last, the reservation follows. */
static pthread_barrier_t round_begins, round_ends;

static void *set_each_round(void *limit)
{
	for (;;) {
		pthread_barrier_wait(&round_begins);
		set_limit(*(rlim_t *)limit);
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
		set_limit(LIMIT);
		set_limit(RLIM_INFINITY);
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
		wait_for_child(child);
	}
}

/* ---- Held up ---------------------------------------------------------------------------------------------------------- */

/* A thread that sets a limit stands where it said, until it may go. The functions below that are named as libc's are the library's as
 * well. Volatile: libc says of its own functions that they call none of these. */
enum point { NOWHERE, IN_ITS_FIT, BEFORE_THE_LIMIT, AFTER_THE_LIMIT, WITH_WHAT_IT_READ, IN_A_MOVE };

static __thread volatile enum point hold_at;
static __thread volatile bool has_set;
static sem_t held, may_go;
static __thread volatile bool lets_go; /* the other, as soon as it has to wait itself */
static __thread volatile unsigned waits;

static void hold(enum point here)
{
	if (hold_at != here)
		return;
	hold_at = NOWHERE;
	check(sem_post(&held) == 0);
	while (sem_wait(&may_go) != 0)
		check(errno == EINTR);
}

/* What the library calls by itself nothing can stand in front of: the kernel tells of it, by a signal (seccomp). */
#define LET_THROUGH 0x5eed /* as the sixth argument, which neither of the two calls has here */

#ifdef __aarch64__
#define CALL_RESULT(context) ((context)->uc_mcontext.regs[0])
#define CALL_ARGUMENT(context, number) ((context)->uc_mcontext.regs[number])
#else
static const int argument_registers[] = {REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8};
#define CALL_RESULT(context) ((context)->uc_mcontext.gregs[REG_RAX])
#define CALL_ARGUMENT(context, number) ((context)->uc_mcontext.gregs[argument_registers[number]])
#endif

static void called(int signal, siginfo_t *info, void *interrupted)
{
	ucontext_t *context = interrupted;
	const bool sets = info->si_syscall == SYS_prlimit64;
	const int saved_errno = errno;
	long result;

	(void)signal;
	if (sets)
		hold(BEFORE_THE_LIMIT);
	waits += !sets;
	if (!sets && lets_go)
		check(sem_post(&may_go) == 0);
	result = syscall(info->si_syscall, CALL_ARGUMENT(context, 0), CALL_ARGUMENT(context, 1), CALL_ARGUMENT(context, 2),
			 CALL_ARGUMENT(context, 3), CALL_ARGUMENT(context, 4), LET_THROUGH);
	result = result == -1 ? -errno : result;
	has_set |= sets;
	if (sets)
		hold(AFTER_THE_LIMIT);
	CALL_RESULT(context) = result;
	errno = saved_errno;
}

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define SKIP(equal, then, otherwise) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, equal, then, otherwise)

/* It does where a limit is set, and of a wait for a time. */
static void watch_calls(void)
{
	struct sigaction action = {.sa_sigaction = called, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_RESTART};
	struct sock_filter program[] = {
	    LOAD(nr),
	    SKIP(SYS_prlimit64, 0, 2),
	    LOAD(args[2]),
	    SKIP(0, 7, 5),
	    SKIP(SYS_futex, 0, 6),
	    LOAD(args[1]),
	    SKIP(FUTEX_WAIT_PRIVATE, 0, 4),
	    LOAD(args[3]),
	    SKIP(0, 2, 0),
	    LOAD(args[5]),
	    SKIP(LET_THROUGH, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
	};
	const struct sock_fprog filter = {sizeof program / sizeof *program, program};

	check(sigaction(SIGSYS, &action, NULL) == 0);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0)
		_exit(77);
}

int getrlimit(__rlimit_resource_t resource, struct rlimit *limit)
{
	const long result = syscall(SYS_prlimit64, 0L, (long)resource, 0L, limit);

	if (has_set)
		hold(WITH_WHAT_IT_READ);
	return (int)result;
}

int munmap(void *start, size_t size)
{
	if (size > 16 * MIB)
		hold(IN_ITS_FIT);
	return (int)syscall(SYS_munmap, start, size);
}

static bool before_mremap(size_t old_size, size_t new_size, int flags, void *to)
{
	(void)new_size, (void)to;
	if (flags & MREMAP_DONTUNMAP && old_size > MIB)
		hold(IN_A_MOVE);
	return true;
}

struct setter {
	pthread_t thread;
	enum point point;
	rlim_t limit;
};

static void *set_and_stand(void *argument)
{
	const struct setter *setter = argument;

	hold_at = setter->point;
	set_limit(setter->limit);
	return NULL;
}

/* A block that has no room behind it grows. */
static void *move_and_stand(void *argument)
{
	const struct setter *mover = argument;
	char *block = malloc(8 * MIB), *behind = malloc(8 * MIB);

	check(block && behind && memset(block, 1, 8 * MIB) == block);
	hold_at = mover->point;
	check((block = realloc(block, 64 * MIB)) != NULL && hold_at == NOWHERE);
	check(block[0] == 1 && block[8 * MIB - 1] == 1);
	free(block);
	free(behind);
	return NULL;
}

static void begin_to_set(struct setter *setter)
{
	make_the_reservation();
	sem_init(&held, 0, 0);
	sem_init(&may_go, 0, 0);
	check(pthread_create(&setter->thread, NULL, setter->point == IN_A_MOVE ? move_and_stand : set_and_stand, setter) == 0);
	while (sem_wait(&held) != 0)
		check(errno == EINTR);
}

static void end_to_set(const struct setter *setter)
{
	check(sem_post(&may_go) == 0 && pthread_join(setter->thread, NULL) == 0);
}

/* What one has read is not in force any more when it comes to it. */
static void an_older_limit_gives_way(void)
{
	struct setter one = {.point = WITH_WHAT_IT_READ, .limit = LIMIT};

	begin_to_set(&one);
	lets_go = true;
	set_limit(RLIM_INFINITY);
	end_to_set(&one);
	check(address_space() > 100 * LIMIT);
	lets_go = false;
	limit_to(2 * LIMIT);
	one.limit = RLIM_INFINITY;
	begin_to_set(&one);
	lets_go = true;
	set_limit(LIMIT);
	end_to_set(&one);
	check(address_space() < LIMIT);
}

/* Whoever has set a limit has room for what it needs next, though another is in the middle of that. */
static void each_has_its_turn(void)
{
	struct setter one = {.point = IN_ITS_FIT, .limit = 2 * LIMIT};

	begin_to_set(&one);
	lets_go = true;
	set_limit(LIMIT);
	check(address_space() < LIMIT);
	end_to_set(&one);
}

/* That one stands for longer than others wait: it does what they wanted when it goes on. */
static void a_wish_is_fulfilled(void)
{
	struct setter one = {.point = WITH_WHAT_IT_READ, .limit = RLIM_INFINITY};

	make_the_reservation();
	limit_to(2 * LIMIT);
	begin_to_set(&one);
	set_limit(LIMIT);
	end_to_set(&one);
	check(address_space() < LIMIT);
}

static void check_that_a_child_has_all(void)
{
	pid_t child = fork();

	check(child >= 0);
	if (child == 0) {
		check(address_space() > 100 * LIMIT);
		_exit(0);
	}
	wait_for_child(child);
}

/* A thread that the child does not have had made room for a limit that it did not set, or lifted one and not taken back the room. */
static void a_child_makes_good(void)
{
	struct setter one = {.point = BEFORE_THE_LIMIT, .limit = LIMIT};

	begin_to_set(&one);
	check(address_space() < LIMIT);
	check_that_a_child_has_all();
	end_to_set(&one);
	one.point = AFTER_THE_LIMIT;
	one.limit = RLIM_INFINITY;
	begin_to_set(&one);
	check(address_space() < LIMIT);
	check_that_a_child_has_all();
	end_to_set(&one);
}

/* It stands for ever: only the first who comes waits for it. So until it goes on: then another is waited for again. */
static void is_waited_for_once(struct setter one)
{
	alarm(100);
	for (int round = 0; round < 2; round++) {
		begin_to_set(&one);
		waits = 0;
		set_limit(2 * LIMIT);
		check(waits > 0);
		waits = 0;
		for (int i = 0; i < 3; i++) {
			pid_t child = fork();

			check(child >= 0);
			if (child == 0)
				_exit(0);
			wait_for_child(child);
			set_limit((rlim_t)(2 + i) * LIMIT);
		}
		check(waits == 0);
		end_to_set(&one);
		set_limit(RLIM_INFINITY);
	}
	check(address_space() > 100 * LIMIT);
}

static void who_stands_is_waited_for_once(void)
{
	is_waited_for_once((struct setter){.point = IN_ITS_FIT, .limit = LIMIT});
}

static void who_moves_is_waited_for_once(void)
{
	is_waited_for_once((struct setter){.point = IN_A_MOVE});
}

/* ---- Interrupted ------------------------------------------------------------------------------------------------------ */

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
	wait_for_child(forked);
}

static const struct {
	const char *name;
	void (*call)(void);
} cases[] = {
	{"two_set_it", two_set_it},
	{"forks_meanwhile", forks_meanwhile},
	{"an_older_limit_gives_way", an_older_limit_gives_way},
	{"each_has_its_turn", each_has_its_turn},
	{"a_wish_is_fulfilled", a_wish_is_fulfilled},
	{"who_stands_is_waited_for_once", who_stands_is_waited_for_once},
	{"who_moves_is_waited_for_once", who_moves_is_waited_for_once},
	{"a_child_makes_good", a_child_makes_good},
	{"a_fork_in_the_middle", a_fork_in_the_middle},
};

int main(int argc, char **argv)
{
	watch_calls();
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		if (argc == 2 && strcmp(argv[1], cases[i].name) == 0) {
			cases[i].call();
			_exit(0);
		}
	return 1;
}
