/* SPDX-License-Identifier: MIT */
/*
 * Limits on address space that are set while something else goes on: by two threads, around forks, with mappings of the program's own
 * where the reservation was, and with more threads than there are heaps for. By argument, one of them: what each needs differs.
 */
#include "address_space.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include <strata/strata.h>

#define LIMIT (1024 * MIB)

/* Compilers leave out what is freed at once. */
static void make_the_reservation(void)
{
	void *volatile block = malloc(1);

	free(block);
}

static void wait_for(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) < 0)
		check(errno == EINTR);
	check(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

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
		wait_for(child);
	}
}

/* ---- Held up ---------------------------------------------------------------------------------------------------------- */

/* A thread that sets a limit stands where it said, until it may go. The functions below are the library's as well. */
enum point { NOWHERE, IN_ITS_FIT, BEFORE_THE_LIMIT, AFTER_THE_LIMIT, WITH_WHAT_IT_READ };

static __thread enum point hold_at;
static __thread bool has_set;
static sem_t held, may_go;
static __thread bool lets_go; /* the other, as soon as it has to wait itself */
static __thread volatile unsigned waits; /* libc says of its own functions that they call none of these */
static bool clock_stands;

static void hold(enum point here)
{
	if (hold_at != here)
		return;
	hold_at = NOWHERE;
	check(sem_post(&held) == 0);
	while (sem_wait(&may_go) != 0)
		check(errno == EINTR);
}

long syscall(long number, ...)
{
	static long (*next)(long number, ...);
	long result, argument[6];
	bool sets;
	va_list rest;

	va_start(rest, number);
	for (int i = 0; i < 6; i++)
		argument[i] = va_arg(rest, long);
	va_end(rest);
	if (next == NULL)
		next = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	sets = number == SYS_prlimit64 && argument[2] != 0;
	if (sets)
		hold(BEFORE_THE_LIMIT);
	waits += number == SYS_futex;
	if (number == SYS_futex && lets_go)
		check(sem_post(&may_go) == 0);
	result = next(number, argument[0], argument[1], argument[2], argument[3], argument[4], argument[5]);
	has_set |= sets;
	if (sets)
		hold(AFTER_THE_LIMIT);
	return result;
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

int clock_gettime(clockid_t clock, struct timespec *now)
{
	if (!clock_stands)
		return (int)syscall(SYS_clock_gettime, (long)clock, now);
	*now = (struct timespec){.tv_sec = 1000};
	return 0;
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

static void begin_to_set(struct setter *setter)
{
	make_the_reservation();
	sem_init(&held, 0, 0);
	sem_init(&may_go, 0, 0);
	check(pthread_create(&setter->thread, NULL, set_and_stand, setter) == 0);
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
	wait_for(child);
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

/* It stands for ever: only the first who comes waits for it. So until it goes on: then another is waited for again. Where the clock stands
 * as well, the first waits no longer than that. */
static void who_stands_is_waited_for_once(void)
{
	struct setter one = {.point = IN_ITS_FIT, .limit = LIMIT};

	alarm(100);
	for (int round = 0; round < 2; round++) {
		clock_stands = round == 1;
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
			wait_for(child);
			set_limit((rlim_t)(2 + i) * LIMIT);
		}
		check(waits == 0);
		end_to_set(&one);
		set_limit(RLIM_INFINITY);
	}
	check(address_space() > 100 * LIMIT);
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
	wait_for(forked);
}

/* All above and below a mapping of the program's own, the first time that the limit is lifted. It is larger than any gap that the
 * reservation's alignment leaves. */
static void all_comes_back(void)
{
	size_t once;

	make_the_reservation();
	limit_to(LIMIT);
	check(mmap(NULL, 20 * MIB, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
	limit_to(RLIM_INFINITY);
	once = address_space();
	for (int i = 0; i < 20; i++)
		limit_to(RLIM_INFINITY);
	check(address_space() < once + 20 * MIB);
}

/* More threads than records: each takes one of the domains' as well. */
static pthread_barrier_t all_are_there, all_may_go;

static void *(*domain_malloc)(int domain, size_t size);

static void *allocate_two(void *unused)
{
	void *counted = domain_malloc(0, 64);
	void *mine = malloc(64);
	void *large = malloc(3000);

	check(counted != NULL && mine != NULL && large != NULL && malloc_usable_size(mine) >= 64);
	memset(mine, 1, 64);
	mine = realloc(mine, 200);
	check(mine != NULL && ((char *)mine)[63] == 1);
	pthread_barrier_wait(&all_are_there);
	pthread_barrier_wait(&all_may_go);
	free(mine);
	free(large);
	free(counted);
	return unused;
}

static size_t stack_bytes(void)
{
	return 64 << 10 > PTHREAD_STACK_MIN ? 64 << 10 : (size_t)PTHREAD_STACK_MIN;
}

static void start_many(pthread_t *threads, unsigned count)
{
	pthread_attr_t small;

	domain_malloc = (void *(*)(int, size_t))dlsym(RTLD_DEFAULT, "strata_domain_malloc");
	check(domain_malloc != NULL);
	pthread_attr_init(&small);
	check(pthread_attr_setstacksize(&small, stack_bytes()) == 0);
	pthread_barrier_init(&all_are_there, NULL, count + 1);
	pthread_barrier_init(&all_may_go, NULL, count + 1);
	for (unsigned i = 0; i < count; i++)
		check(pthread_create(&threads[i], &small, allocate_two, NULL) == 0);
	pthread_barrier_wait(&all_are_there);
}

static void end_many(const pthread_t *threads, unsigned count)
{
	pthread_barrier_wait(&all_may_go);
	for (unsigned i = 0; i < count; i++)
		check(pthread_join(threads[i], NULL) == 0);
}

static size_t live_bytes(void)
{
	static int (*read)(struct strata_stats *out, size_t size);
	struct strata_stats stats;

	if (read == NULL)
		read = (int (*)(struct strata_stats *, size_t))dlsym(RTLD_DEFAULT, "strata_stats_read");
	check(read != NULL && read(&stats, sizeof stats) == 0);
	check(stats.cached_bytes < stats.heap_bytes + stats.metadata_bytes);
	return stats.live_bytes;
}

static void *allocate_and_free(void *unused)
{
	for (int i = 0; i < 200; i++) {
		void *volatile block = malloc(4000);

		check(block != NULL);
		free(block);
	}
	return unused;
}

/* Started below a limit. Under check:1 what a thread has kept back goes with it. */
static void more_threads_than_heaps(void)
{
	static pthread_t threads[300];
	size_t live;

	start_many(threads, 300);
	for (size_t size = 1; size < 20000; size += 50) {
		void *volatile block = malloc(size);

		check(block != NULL);
		free(block);
	}
	live = live_bytes();
	for (int i = 0; i < 20; i++) {
		pthread_t thread;

		check(pthread_create(&thread, NULL, allocate_and_free, NULL) == 0 && pthread_join(thread, NULL) == 0);
	}
	check(live_bytes() < live + MIB);
	end_many(threads, 300);
	check(live_bytes() <= live);
}

/* Where each part of the reservation ends now, the program maps something. */
#define MOST 64
static char *plugs[MOST];
static unsigned plug_count;

static void plug_the_holes(void)
{
	static char lines[1000][512];
	unsigned long start, end, next_start, next_end;
	char access[5];
	unsigned count = 0;
	FILE *maps = fopen("/proc/self/maps", "r");

	check(maps != NULL);
	while (count < 1000 && fgets(lines[count], sizeof lines[count], maps) != NULL)
		count++;
	fclose(maps);
	for (unsigned i = 0; i + 1 < count && plug_count < MOST; i++) {
		check(sscanf(lines[i], "%lx-%lx %4s", &start, &end, access) == 3);
		check(sscanf(lines[i + 1], "%lx-%lx", &next_start, &next_end) == 2);
		if (strcmp(access, "---p") != 0 || next_start == end)
			continue;
		plugs[plug_count] = mmap((void *)end, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
		plug_count += plugs[plug_count] == (void *)end;
	}
	check(plug_count > 0);
}

/* The number of heaps that there is room for need not be a multiple of what is made memory at a time: it goes by the limit. */
static void under_limit(rlim_t limit)
{
	static pthread_t threads[290];
	int ends[2];

	make_the_reservation();
	limit_to(limit);
	plug_the_holes();
	start_many(threads, 290);
	check(pipe(ends) == 0);
	for (unsigned i = 0; i < plug_count; i++)
		check(write(ends[1], plugs[i], 1) == -1 && errno == EFAULT);
	end_many(threads, 290);
}

static void what_lies_beyond_stays(void)
{
	/* Larger ones leave too little room beside so few heaps. */
	for (rlim_t limit = 110 * MIB; limit < 190 * MIB && stack_bytes() == 64 << 10; limit += 8 * MIB) {
		pid_t child = fork();

		check(child >= 0);
		if (child == 0) {
			under_limit(limit);
			_exit(0);
		}
		wait_for(child);
	}
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
	{"a_child_makes_good", a_child_makes_good},
	{"a_fork_in_the_middle", a_fork_in_the_middle},
	{"all_comes_back", all_comes_back},
	{"more_threads_than_heaps", more_threads_than_heaps},
	{"what_lies_beyond_stays", what_lies_beyond_stays},
};

int main(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		if (argc == 2 && strcmp(argv[1], cases[i].name) == 0) {
			cases[i].call();
			_exit(0);
		}
	return 1;
}
