/* SPDX-License-Identifier: MIT */
/* The process and its surroundings: its number, its settings, the node it runs on, barriers, waiting, how much it may have, files. */
#define _GNU_SOURCE
#include "os.h"

#include "compiler.h"
#include "os_call.h"
#include "os_pretend.h"
#include "os_result.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

/* Later ones ask without a system call, where the kernel has a way. */
#if !__GLIBC_PREREQ(2, 29)
static int getcpu(unsigned *cpu, unsigned *node)
{
	int result = (int)os_call(SYS_getcpu, cpu, node);
	errno = result < 0 ? -result : errno;
	return result;
}
#endif

/* ---- The process and its surroundings ------------------------------------------------------------------------------- */

/* Not by libc's functions, for which libfaketime stands in. */
int os_process(void)
{
	return (int)os_call(SYS_getpid);
}

bool os_is_child_of(int process)
{
	int parent = (int)os_call(SYS_getppid);
	return parent == process || parent == 0;
}

/* Where the process image's arguments lie; glibc's dynamic loader exports it. */
extern void *__libc_stack_end __attribute__((weak));

/* The loader calls malloc before libc has set environ: argc, argv and the environment then stand where the kernel put them. */
static char **environment(void)
{
	if (environ != NULL || &__libc_stack_end == NULL || __libc_stack_end == NULL)
		return environ;
	long *arguments = __libc_stack_end;
	return (char **)(arguments + 1 + arguments[0] + 1);
}

const char *os_setting(const char *name)
{
	char **entry = environment();
	if (getauxval(AT_SECURE) || entry == NULL)
		return NULL;
	for (; *entry != NULL; entry++) {
		size_t at = 0;
		while (name[at] != '\0' && (*entry)[at] == name[at])
			at++;
		if (name[at] == '\0' && (*entry)[at] == '=')
			return *entry + at + 1;
	}
	return NULL;
}

/* What is read, and not yet taken apart. */
struct lines {
	char text[1024];
	size_t length;
	bool passing_over; /* the rest of a line that is too long */
};

/* The lines that are complete; false when no more are wanted. */
static bool take_lines(struct lines *lines, bool (*line)(const char *, void *), void *context)
{
	char *start = lines->text;
	char *end;
	bool more = true;
	while (more && (end = memchr(start, '\n', lines->length)) != NULL) {
		*end = '\0';
		more = lines->passing_over || line(start, context);
		lines->passing_over = false;
		lines->length -= (size_t)(end + 1 - start);
		start = end + 1;
	}
	if (lines->length == sizeof lines->text) {
		lines->passing_over = true;
		lines->length = 0;
	}
	memmove(lines->text, start, lines->length);
	return more;
}

/* Not open and read: those are points where pthread_cancel ends a thread, and malloc is none. */
int os_each_line(const char *path, bool (*line)(const char *text, void *context), void *context)
{
	struct lines lines = { .length = 0, .passing_over = false };
	/* Its text has not been read yet. */
	long file = os_call(SYS_openat, AT_FDCWD, pretend_path(path, lines.text, sizeof lines.text), O_RDONLY | O_CLOEXEC);
	long count = file;
	while (count >= 0) {
		count = os_call(SYS_read, file, lines.text + lines.length, sizeof lines.text - lines.length);
		if (count <= 0)
			break;
		lines.length += (size_t)count;
		if (!take_lines(&lines, line, context))
			break;
	}
	if (file >= 0)
		os_call(SYS_close, file);
	return count < 0 ? (int)count : 0;
}

int os_node(void)
{
	int saved_errno = errno;
	unsigned node = 0;
	int pretended;
	if (pretend_node(&pretended))
		return pretended;
	int result = os_result(getcpu(NULL, &node), saved_errno);
	return result == 0 ? (int)node : result;
}

/* Kept from the first call on: those bytes are the program's to overwrite, and runtimes do. */
uint64_t os_secret(void)
{
	static STRATA_READ_MOSTLY _Atomic uint64_t kept;
	uint64_t secret = atomic_load_explicit(&kept, memory_order_relaxed);
	if (secret != 0)
		return secret;
	const uint64_t *random = (const uint64_t *)getauxval(AT_RANDOM);
	uint64_t first = random != NULL ? (random[1] ^ random[0] << 7) | 1 : (uintptr_t)&kept;
	return atomic_compare_exchange_strong(&kept, &secret, first) ? first : secret;
}

/* By number, since the header may be older than the kernel. */
#define BARRIER_EXPEDITED (1 << 3)
#define BARRIER_REGISTER (1 << 4)

int os_barrier_all(void)
{
	pretend_moment();
	long result = os_call(SYS_membarrier, BARRIER_EXPEDITED, 0);
	if (result == -EPERM && os_call(SYS_membarrier, BARRIER_REGISTER, 0) == 0)
		result = os_call(SYS_membarrier, BARRIER_EXPEDITED, 0);
	return (int)result;
}

void os_wait(_Atomic uint32_t *word, uint32_t value, unsigned ms)
{
	struct timespec time = { ms / 1000, (long)(ms % 1000) * 1000000 };
	os_call(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, &time);
}

/* Signals may end a round early. */
struct os_patience os_patience(uint32_t ms)
{
	return (struct os_patience){ os_clock_ms() + ms, 2 * ms };
}

bool os_wait_patiently(_Atomic uint32_t *word, uint32_t value, struct os_patience *patience)
{
	if (patience->rounds == 0 || os_clock_ms() >= patience->deadline)
		return false;
	os_wait(word, value, 1);
	if (atomic_load(word) == value)
		patience->rounds--;
	return true;
}

bool os_wait_for_others(_Atomic uint32_t *count, uint32_t own, _Atomic uint32_t *in_vain, uint32_t ms)
{
	struct os_patience patience = os_patience(ms);
	uint32_t now = atomic_load(count);
	if (atomic_load(in_vain) > now)
		atomic_store(in_vain, now);
	for (; now > own; now = atomic_load(count)) {
		if (now <= atomic_load(in_vain))
			return false;
		if (!os_wait_patiently(count, now, &patience))
			atomic_store(in_vain, now);
	}
	return true;
}

void os_wake(_Atomic uint32_t *word)
{
	os_call(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX);
}

/* ---- How much there may be ------------------------------------------------------------------------------------------- */

static size_t limit_on(int resource)
{
	int saved_errno = errno;
	struct rlimit limit;
	size_t bytes = SIZE_MAX;
	if (getrlimit(resource, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
		bytes = limit.rlim_cur;
	errno = saved_errno;
	return bytes;
}

size_t os_address_limit(void)
{
	return limit_on(RLIMIT_AS);
}

size_t os_data_limit(void)
{
	return limit_on(RLIMIT_DATA);
}

static bool read_pages(const char *line, void *pages)
{
	*(size_t *)pages = strtoul(line, NULL, 10);
	return false;
}

size_t os_address_space_used(void)
{
	size_t pages = 0;
	os_each_line("/proc/self/statm", read_pages, &pages);
	return pages * os_page_size();
}

static bool read_heuristic(const char *line, void *mode)
{
	*(bool *)mode = line[0] == '0';
	return false;
}

/* mm/util.c, __vm_enough_memory. */
bool os_would_refuse(size_t size)
{
	struct sysinfo machine;
	bool heuristic = false;
	if (likely(size < (size_t)64 << 20) || sysinfo(&machine) != 0 ||
	    size / machine.mem_unit <= machine.totalram + machine.totalswap)
		return false;
	os_each_line("/proc/sys/vm/overcommit_memory", read_heuristic, &heuristic);
	return heuristic;
}

/* ---- Files ----------------------------------------------------------------------------------------------------------- */

/* Sets of signals as the kernel has them; libc's functions for them would be six more symbols to bind at each start. */
typedef uint64_t signals;
#define SIGNAL(number) (UINT64_C(1) << ((number) - 1))

/* What the system sends to the thread that writes is blocked meanwhile, and not mistaken for what the program has blocked, and waits. */
struct quiet {
	bool is_blocked;
	signals ours, former, waiting;
};

static void begin_quiet(struct quiet *quiet)
{
	quiet->ours = quiet->waiting = SIGNAL(SIGPIPE) | SIGNAL(SIGXFSZ);
	os_call(SYS_rt_sigpending, &quiet->waiting, sizeof quiet->waiting);
	quiet->is_blocked = os_call(SYS_rt_sigprocmask, SIG_BLOCK, &quiet->ours, &quiet->former, sizeof quiet->ours) == 0;
}

static void end_quiet(const struct quiet *quiet, int result)
{
	const signals brought = result == -EPIPE ? SIGNAL(SIGPIPE) : result == -EFBIG ? SIGNAL(SIGXFSZ) : 0;
	const struct timespec at_once = { 0, 0 };
	if (!quiet->is_blocked)
		return;
	if ((brought & ~quiet->waiting) != 0)
		os_call(SYS_rt_sigtimedwait, &brought, NULL, &at_once, sizeof brought);
	const signals added = quiet->ours & ~quiet->former;
	os_call(SYS_rt_sigprocmask, SIG_UNBLOCK, &added, NULL, sizeof added);
}

int os_write(int file, const char *text, size_t length)
{
	int result = 0;
	struct quiet quiet;
	begin_quiet(&quiet);
	while (length > 0 && result == 0) {
		long written = os_call(SYS_write, file, text, length);
		if (written > 0) {
			text += written;
			length -= (size_t)written;
		} else if (written != -EINTR) {
			result = written == 0 ? -EIO : (int)written;
		}
	}
	end_quiet(&quiet, result);
	return result;
}

void os_write_error(const char *text, size_t length)
{
	os_write(STDERR_FILENO, text, length);
}

int os_create(const char *path)
{
	return (int)os_call(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
}

void os_close(int file)
{
	os_call(SYS_close, file);
}
