/* SPDX-License-Identifier: MIT */
/*
 * Proves that a thread that is stopped inside strata stalls nobody: a thread of another process is single-stepped to an
 * instruction of the library, and while it stands there all other threads of that process go on allocating, freeing,
 * starting and ending. Then it is let go, and stopped at another instruction. Two parts:
 *   1. a thread that works for long, stopped where it has not been stopped before, STOPS times;
 *   2. threads that are stepped from before their first call to some point of their life or of their end, LIVES times.
 * Waits for progress only; the watchdog ends it, as failed, when there is none. Runs about ten seconds.
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

enum { STOPS = 400, LIVES = 250, MOST_STEPS = 4000, WATCHDOG_SECONDS = 240, MOST_TEXT = 1 << 20 };

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

/* Has every thread but the stopped one done something twice: what was begun before the stop, and something after it. */
static void expect_progress(int stopped_worker, int stopped_spawner)
{
	unsigned long worked[WORKERS], spawned[SPAWNERS];

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

/* Steps a stopped thread to an instruction of the library where it has not been stopped, or until that took too long and
 * it is at any instruction of it. */
static uintptr_t step_to_new(pid_t thread)
{
	uintptr_t at = position(thread);

	for (int steps = 0; !in_text(at) || (seen[at - text_start] && steps < MOST_STEPS); steps++) {
		check(ptrace(PTRACE_SINGLESTEP, thread, 0, 0) == 0);
		check(wait_stop(thread));
		at = position(thread);
	}
	return at;
}

static void stop_worker(void)
{
	const pid_t victim = shared->worker[0];

	seize(victim);
	for (int i = 0; i < STOPS; i++) {
		check(ptrace(PTRACE_INTERRUPT, victim, 0, 0) == 0);
		check(wait_stop(victim));
		remember(step_to_new(victim));
		expect_progress(0, -1);
		check(ptrace(PTRACE_CONT, victim, 0, 0) == 0);
	}
	check(ptrace(PTRACE_INTERRUPT, victim, 0, 0) == 0);
	check(wait_stop(victim));
	check(ptrace(PTRACE_DETACH, victim, 0, 0) == 0);
	printf("a thread at work: stopped %d times, at %lu different instructions\n", STOPS, distinct);
}

/* Steps a thread until it has done count instructions of the library. Returns how many it did; fewer when it ended. */
static unsigned long step_life(pid_t thread, unsigned long count)
{
	unsigned long done = 0;

	while (done < count) {
		uintptr_t at;

		check(ptrace(PTRACE_SINGLESTEP, thread, 0, 0) == 0);
		if (!wait_stop(thread))
			break;
		at = position(thread);
		if (in_text(at)) {
			done++;
			if (done == count)
				remember(at);
		}
	}
	return done;
}

/* One life, stopped after count instructions. Returns count, or the length of the life if that is less. */
static unsigned long stop_life(unsigned long count)
{
	unsigned long done;
	pid_t victim;

	while ((victim = shared->mortal) == 0)
		sched_yield();
	seize(victim);
	check(ptrace(PTRACE_INTERRUPT, victim, 0, 0) == 0);
	check(wait_stop(victim));
	shared->mortal_go = 1;
	done = step_life(victim, count);
	if (done < count)
		return done;
	expect_progress(-1, 0);
	check(ptrace(PTRACE_CONT, victim, 0, 0) == 0);
	/* Signals aside, the next news of it is its end. */
	while (wait_stop(victim))
		check(ptrace(PTRACE_CONT, victim, 0, 0) == 0);
	return done;
}

static void stop_lives(void)
{
	const unsigned long before = distinct;
	unsigned long length;
	unsigned seed = 1;

	shared->mortals_wait = 1;
	length = stop_life(~0ul);
	check(length > 0);
	for (int i = 0; i < LIVES; i++) {
		/* A third each: at the beginning, near the end, anywhere. */
		const unsigned long near = next_random(&seed) % 600, any = next_random(&seed) % length;
		const unsigned long done = stop_life(i % 3 == 0 ? near + 1 : i % 3 == 1 && near < length ? length - near : any + 1);

		if (done > length)
			length = done;
	}
	shared->mortals_wait = 0;
	printf("threads that live and die: stopped %d times, at %lu instructions more; a life has %lu\n", LIVES,
	       distinct - before, length);
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
	shared->mortal_go = 1;
	check(waitpid(load, &status, 0) == load);
	check(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	/* Otherwise the stops have shown little. */
	check(distinct >= 100);
	return 0;
}
