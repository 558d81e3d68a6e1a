/* SPDX-License-Identifier: MIT */
/*
 * Proves that a thread that is stopped inside strata stalls nobody: a thread of another process is single-stepped to
 * an instruction of the library, and while it stands there all other threads of that process go on allocating,
 * freeing, starting and ending. Then it is let go, and stopped at another instruction. Two parts:
 *   1. a thread that works for long, stopped where it has not been stopped before, STOPS times;
 *   2. threads stopped somewhere between their first call and their end, or in their end, LIVES times.
 * One of the others claims what the stopped thread has cached, each time; contents and accounting are right in the end.
 * Waits for progress only; the watchdog ends it, as failed, when one stop takes minutes. Runs about ten seconds on a
 * machine that is at leisure.
 *
 * argv[1]: the file name of the library. Exit status 77: ptrace is refused here.
 */
#include "lifecycle.h"
#include "stopped.h"

#include <elf.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

enum { STOPS = 400, LIVES = 250, MOST_STEPS = 4000, WATCHDOG_SECONDS = 150, MOST_TEXT = 1 << 20 };

static struct shared *shared;
static pid_t load;
static uintptr_t text_start, text_end;
static unsigned char seen[MOST_TEXT];
static unsigned long distinct;
static char where[128] = "before the first stop";

static void stalled(int signal)
{
	(void)signal;
	(void)!write(2, "failed: other threads stand still; stopped ", 43);
	(void)!write(2, where, strlen(where));
	(void)!write(2, "\n", 1);
	kill(load, SIGKILL);
	_exit(1);
}

/* The library's text in the process: the mapping of that file which may be executed. */
static void find_text(const char *library)
{
	char path[64], line[4400];
	FILE *maps;

	snprintf(path, sizeof path, "/proc/%d/maps", (int)load);
	maps = fopen(path, "r");
	check(maps != NULL);
	while (fgets(line, sizeof line, maps)) {
		char permissions[8] = "", *name = strrchr(line, '/');
		unsigned long start, end;

		if (sscanf(line, "%lx-%lx %7s", &start, &end, permissions) != 3 || !strchr(permissions, 'x') || !name)
			continue;
		name[strcspn(name, "\n")] = '\0';
		if (strcmp(name + 1, library) == 0) {
			text_start = start;
			text_end = end;
		}
	}
	fclose(maps);
	check(text_end != 0 && text_end - text_start <= MOST_TEXT);
}

static uintptr_t position(pid_t thread)
{
	struct user_regs_struct registers;
	struct iovec vector = {&registers, sizeof registers};

	check(ptrace(PTRACE_GETREGSET, thread, NT_PRSTATUS, &vector) == 0);
#if defined(__x86_64__)
	return registers.rip;
#else
	return registers.pc;
#endif
}

/* Whether it stopped; 0 when it ended. */
static int wait_stop(pid_t thread)
{
	int status;

	check(waitpid(thread, &status, __WALL) == thread);
	return WIFSTOPPED(status);
}

static void seize(pid_t thread)
{
	if (ptrace(PTRACE_SEIZE, thread, 0, 0) == 0)
		return;
	if (errno == EPERM || errno == ENOSYS) {
		printf("skipped: ptrace: %s\n", strerror(errno));
		kill(load, SIGKILL);
		exit(77);
	}
	check(!"PTRACE_SEIZE");
}

static int in_text(uintptr_t at)
{
	return at >= text_start && at < text_end;
}

static void remember(uintptr_t at)
{
	distinct += !seen[at - text_start];
	seen[at - text_start] = 1;
	snprintf(where, sizeof where, "at offset 0x%lx of the library's text", (unsigned long)(at - text_start));
}

/* The others sleep while this one steps, and are let go when it stands. */
static void others_pause(void)
{
	alarm(WATCHDOG_SECONDS);
	pause_set(shared, 1);
}

/* Has every thread but the stopped one done something twice: what was begun before the stop, and something after
 * it. */
static void expect_progress(int stopped_worker, int stopped_spawner)
{
	unsigned long worked[WORKERS], spawned[SPAWNERS];

	pause_set(shared, 0);
	for (int i = 0; i < WORKERS; i++)
		worked[i] = shared->worked[i] + 2;
	for (int i = 0; i < SPAWNERS; i++)
		spawned[i] = shared->spawned[i] + 2;
	for (int i = 0; i < WORKERS; i++)
		while (i != stopped_worker && shared->worked[i] < worked[i])
			sched_yield();
	for (int i = 0; i < SPAWNERS; i++)
		while (i != stopped_spawner && shared->spawned[i] < spawned[i])
			sched_yield();
	check(waitpid(load, NULL, WNOHANG) == 0);
}

/* Steps a stopped thread to an instruction of the library where it has not been stopped, or until that took too
 * long and it is at any instruction of it. Returns the position; 0 when the thread ended before. */
static uintptr_t step_to_new(pid_t thread)
{
	uintptr_t at = position(thread);

	for (int steps = 0; !in_text(at) || (seen[at - text_start] && steps < MOST_STEPS); steps++) {
		check(ptrace(PTRACE_SINGLESTEP, thread, 0, 0) == 0);
		if (!wait_stop(thread))
			return 0;
		at = position(thread);
	}
	return at;
}

static void stop_worker(void)
{
	const pid_t victim = shared->worker[0];
	uintptr_t at;

	seize(victim);
	for (int i = 0; i < STOPS; i++) {
		others_pause();
		check(ptrace(PTRACE_INTERRUPT, victim, 0, 0) == 0);
		check(wait_stop(victim));
		check((at = step_to_new(victim)) != 0);
		remember(at);
		expect_progress(0, -1);
		check(ptrace(PTRACE_CONT, victim, 0, 0) == 0);
	}
	check(ptrace(PTRACE_INTERRUPT, victim, 0, 0) == 0);
	check(wait_stop(victim));
	check(ptrace(PTRACE_DETACH, victim, 0, 0) == 0);
	printf("a thread at work: stopped %d times, at %lu different instructions\n", STOPS, distinct);
}

/* Seizes the next thread of the second part before its first call, or before its end. */
static pid_t seize_mortal(int at_end)
{
	pid_t victim;

	while ((victim = shared->mortal) == 0)
		sched_yield();
	if (at_end) {
		shared->mortal_go = 1;
		while (!shared->mortal_ending)
			sched_yield();
	}
	others_pause();
	seize(victim);
	check(ptrace(PTRACE_INTERRUPT, victim, 0, 0) == 0);
	check(wait_stop(victim));
	shared->mortal_go = 2;
	return victim;
}

/* Lets a stopped thread run for a moment. Returns 0 when it ended. */
static int run_a_moment(pid_t thread, unsigned length)
{
	check(ptrace(PTRACE_CONT, thread, 0, 0) == 0);
	for (volatile unsigned i = 0; i < length; i++)
		;
	return ptrace(PTRACE_INTERRUPT, thread, 0, 0) == 0 ? wait_stop(thread) : (wait_stop(thread), 0);
}

/* One life, stopped somewhere. Returns whether it was; 0 when it ended before. */
static int stop_life(int at_end, unsigned moment)
{
	const pid_t victim = seize_mortal(at_end);
	const uintptr_t at = moment == 0 || run_a_moment(victim, moment) ? step_to_new(victim) : 0;

	if (at == 0) {
		pause_set(shared, 0);
		return 0;
	}
	remember(at);
	expect_progress(-1, 0);
	check(ptrace(PTRACE_CONT, victim, 0, 0) == 0);
	/* Signals aside, the next news of it is its end. */
	while (wait_stop(victim))
		check(ptrace(PTRACE_CONT, victim, 0, 0) == 0);
	return 1;
}

static void stop_lives(void)
{
	const unsigned long before = distinct;
	int stops[2] = {0, 0};
	unsigned seed = 1;

	shared->mortals_wait = 1;
	for (int i = 0; i < LIVES; i++) {
		const int at_end = i % 2;
		const unsigned moment = i % 4 < 2 ? 0 : next_random(&seed) % 100000;

		stops[at_end] += stop_life(at_end, moment);
	}
	printf("threads that live and die: stopped %d times in life, %d in their end, at %lu instructions more\n",
	       stops[0], stops[1], distinct - before);
	check(stops[0] > LIVES / 8 && stops[1] > LIVES / 8);
}

int main(int argc, char **argv)
{
	int status;

	check(argc == 2);
	setvbuf(stdout, NULL, _IOLBF, 0);
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	check(shared != MAP_FAILED);
	load = fork();
	check(load >= 0);
	if (load == 0)
		_exit(stopped_load(shared));
	signal(SIGALRM, stalled);
	alarm(WATCHDOG_SECONDS);
	expect_progress(-1, -1);
	find_text(argv[1]);
	stop_worker();
	stop_lives();
	shared->stop = 1;
	shared->mortal_go = 2;
	check(waitpid(load, &status, 0) == load);
	check(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	/* Otherwise the stops have shown little. */
	check(distinct >= 100);
	return 0;
}
