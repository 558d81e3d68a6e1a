/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "os.h"

#include "compiler.h"
#include "os_pretend.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

#ifndef MADV_COLD
#define MADV_COLD 20
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif

/* Later ones ask without a system call, where the kernel has a way. */
#if !__GLIBC_PREREQ(2, 29)
static int getcpu(unsigned *cpu, unsigned *node)
{
	return (int)syscall(SYS_getcpu, cpu, node, NULL);
}
#endif

/* ---- The one function table ----------------------------------------------------------------------------------------- */

struct os_functions {
	void *(*map)(void *, size_t, int, int, int, off_t);
	int (*unmap)(void *, size_t);
	int (*protect)(void *, size_t, int);
	int (*advise)(void *, size_t, int);
	int (*node)(unsigned *, unsigned *);
};

static const struct os_functions os = { mmap, munmap, mprotect, madvise, getcpu };

/* ---- Memory --------------------------------------------------------------------------------------------------------- */

size_t os_page_size(void)
{
	static STRATA_READ_MOSTLY _Atomic size_t known;
	if (pretend_page_size() != 0)
		return pretend_page_size();
	size_t size = atomic_load_explicit(&known, memory_order_relaxed);
	if (unlikely(size == 0)) {
		size = getauxval(AT_PAGESZ);
		atomic_store_explicit(&known, size, memory_order_relaxed);
	}
	return size;
}

/* errno belongs to the caller of the malloc family: whoever calls the system from here keeps it. */
static int result_of(int status, int saved_errno)
{
	int result = status == 0 ? 0 : -errno;
	errno = saved_errno;
	return result;
}

static void as_reserved(void *start, size_t size)
{
	os.advise(start, size, MADV_DONTDUMP);
	os.advise(start, size, MADV_NOHUGEPAGE);
}

void *os_reserve(size_t size, size_t alignment)
{
	int saved_errno = errno;
	if (pretend_refusal())
		return NULL;
	char *start = os.map(NULL, size + alignment, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (start == MAP_FAILED) {
		errno = saved_errno;
		return NULL;
	}
	char *aligned = (char *)round_up((uintptr_t)start, alignment);
	if (aligned != start)
		os.unmap(start, (size_t)(aligned - start));
	if (aligned != start + alignment)
		os.unmap(aligned + size, (size_t)(start + alignment - aligned));
	as_reserved(aligned, size);
	errno = saved_errno;
	return aligned;
}

/* Kernels before 4.17, and emulators, take the address for a hint: where something lies there, they map elsewhere. */
static int map_at(void *start, size_t size, int access)
{
	int saved_errno = errno;
	void *got = os.map(start, size, access, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
	int result = result_of(got == MAP_FAILED, saved_errno);
	if (result != 0 || got == start)
		return result;
	os_release(got, size);
	return -EEXIST;
}

int os_reserve_at(void *start, size_t size)
{
	int saved_errno = errno;
	if (pretend_refusal())
		return -ENOMEM;
	int result = map_at(start, size, PROT_NONE);
	if (result == 0)
		as_reserved(start, size);
	errno = saved_errno;
	return result;
}

void os_release(void *start, size_t size)
{
	int saved_errno = errno;
	os.unmap(start, size);
	errno = saved_errno;
}

int os_commit(void *start, size_t size)
{
	int saved_errno = errno;
	if (pretend_refusal() || pretend_commit_refused(size))
		return -ENOMEM;
	if (pretend_pages(start, &size) != 0)
		return -EINVAL;
	int result = result_of(os.protect(start, size, PROT_READ | PROT_WRITE), saved_errno);
	if (result == 0) {
		os.advise(start, size, MADV_DODUMP);
		errno = saved_errno;
	}
	return result;
}

int os_purge(void *start, size_t size, bool lazy)
{
	int saved_errno = errno;
	if (pretend_refusal())
		return -ENOMEM;
	if (pretend_pages(start, &size) != 0)
		return -EINVAL;
	if (pretend_locked())
		return -EINVAL;
	if (lazy && os.advise(start, size, MADV_FREE) == 0)
		return 0;
	int result = result_of(os.advise(start, size, MADV_DONTNEED), saved_errno);
	/* Locked memory: it goes, and what is touched again is locked again. */
	if (result == -EINVAL)
		result = result_of(os.advise(start, size, MADV_DONTNEED_LOCKED), saved_errno);
	return result;
}

/* What it has put on its swap it does not have either: who clears it must not rely on that. */
bool os_is_sparse(void *start, size_t size)
{
	unsigned char here[64];
	int saved_errno = errno;
	size_t pages = size / os_page_size(), resident = 0;
	if (pages > sizeof here || result_of(mincore(start, size, here), saved_errno) != 0)
		return false;
	for (size_t i = 0; i < pages; i++)
		resident += here[i] & 1;
	return 2 * resident < pages;
}

int os_refresh(void *start, size_t size)
{
	int saved_errno = errno;
	if (pretend_refusal())
		return -ENOMEM;
	if (pretend_pages(start, &size) != 0)
		return -EINVAL;
	void *fresh = os.map(start, size, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
	int result = result_of(fresh == MAP_FAILED, saved_errno);
	if (result == 0) {
		os.advise(start, size, MADV_NOHUGEPAGE);
		errno = saved_errno;
	}
	return result;
}

/* Locked memory (mlock, mlockall) stays where it is: the kernel would unlock all that was mapped with it. It does not take that
 * advice for such a mapping, and it does little harm elsewhere. */
static bool is_locked(void *start)
{
	int saved_errno = errno;
	return result_of(os.advise(start, os_page_size(), MADV_COLD), saved_errno) != 0;
}

static bool is_limited(int resource)
{
	struct rlimit limit;
	return getrlimit(resource, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
}

/* A limit that was lowered below what is mapped refuses any page. */
static bool may_map_more(void)
{
	if (!is_limited(RLIMIT_AS) && !is_limited(RLIMIT_DATA))
		return true;
	size_t page = os_page_size();
	void *probe = os.map(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (probe == MAP_FAILED)
		return false;
	os.unmap(probe, page);
	return true;
}

/* A range that was moved, or advised, in parts is several mappings to the kernel, which moves one. It says so before it finds that there
 * is no room to grow in place. */
static bool is_one_mapping(void *start, size_t size)
{
	size_t page = os_page_size();
	if (mremap(start, size, size + page, 0) == MAP_FAILED)
		return errno == ENOMEM;
	os.unmap((char *)start + size, page);
	return true;
}

/* Where nothing was changed there is no hole, and this does nothing. Memory that cannot be written is charged to nobody. */
static int fill_hole(void *start, size_t size, int result)
{
	int filled = map_at(start, size, PROT_READ | PROT_WRITE);
	if (filled == 0 || filled == -EEXIST)
		return result;
	map_at(start, size, PROT_READ);
	return -EACCES;
}

/* The kernel unmaps the place to go to first: before it looks at the limits, and before 6.17 at whether what is to move is one mapping.
 * Both are looked at here before that; what is left is another process that takes what was let go, under strict overcommit. */
int os_move(void *from, void *to, size_t size)
{
	int saved_errno = errno;
	if (pretend_refusal())
		return -ENOMEM;
	if (pretend_pages(from, &size) != 0 || pretend_pages(to, &size) != 0)
		return -EINVAL;
	if (is_locked(from))
		return -EPERM;
	if (!may_map_more() || !is_one_mapping(from, size))
		return result_of(true, saved_errno);
	void *moved = mremap(from, size, size, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, to);
	int result = result_of(moved == MAP_FAILED, saved_errno);
	if (result != 0)
		result = fill_hole(to, size, result);
	errno = saved_errno;
	return result;
}

void os_advise_huge(void *start, size_t size)
{
	int saved_errno = errno;
	os.advise(start, size, MADV_HUGEPAGE);
	errno = saved_errno;
}

/* ---- The process and its surroundings ------------------------------------------------------------------------------- */

uint64_t os_clock_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

size_t os_address_limit(void)
{
	int saved_errno = errno;
	struct rlimit limit;
	size_t bytes = SIZE_MAX;
	if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
		bytes = limit.rlim_cur;
	errno = saved_errno;
	return bytes;
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

/* By syscall, not open and read: those are points where pthread_cancel ends a thread, and malloc is none. */
int os_each_line(const char *path, bool (*line)(const char *text, void *context), void *context)
{
	int saved_errno = errno;
	struct lines lines = { .length = 0, .passing_over = false };
	/* Its text has not been read yet. */
	long file = syscall(SYS_openat, AT_FDCWD, pretend_path(path, lines.text, sizeof lines.text), O_RDONLY | O_CLOEXEC);
	long count = file;
	while (count >= 0) {
		count = syscall(SYS_read, file, lines.text + lines.length, sizeof lines.text - lines.length);
		if (count <= 0)
			break;
		lines.length += (size_t)count;
		if (!take_lines(&lines, line, context))
			break;
	}
	int result = count < 0 ? -errno : 0;
	if (file >= 0)
		syscall(SYS_close, file);
	errno = saved_errno;
	return result;
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

int os_node(void)
{
	int saved_errno = errno;
	unsigned node = 0;
	int pretended;
	if (pretend_node(&pretended))
		return pretended;
	int result = result_of(os.node(NULL, &node), saved_errno);
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
	uint64_t first = random != NULL ? (random[1] ^ random[0] << 7) | 1 : (uintptr_t)&os;
	return atomic_compare_exchange_strong(&kept, &secret, first) ? first : secret;
}

/* By number, since the header may be older than the kernel. */
#define BARRIER_EXPEDITED (1 << 3)
#define BARRIER_REGISTER (1 << 4)

int os_barrier_all(void)
{
	int saved_errno = errno;
	long status = syscall(SYS_membarrier, BARRIER_EXPEDITED, 0);
	if (status != 0 && errno == EPERM && syscall(SYS_membarrier, BARRIER_REGISTER, 0) == 0)
		status = syscall(SYS_membarrier, BARRIER_EXPEDITED, 0);
	return result_of((int)status, saved_errno);
}

void os_wait(_Atomic uint32_t *word, uint32_t value, unsigned ms)
{
	int saved_errno = errno;
	struct timespec time = { ms / 1000, (long)(ms % 1000) * 1000000 };
	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, &time, NULL, 0);
	errno = saved_errno;
}

void os_wake(_Atomic uint32_t *word)
{
	int saved_errno = errno;
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
	errno = saved_errno;
}

/* ---- Files ----------------------------------------------------------------------------------------------------------- */

int os_write(int file, const char *text, size_t length)
{
	int saved_errno = errno;
	int result = 0;
	while (length > 0 && result == 0) {
		long written = syscall(SYS_write, file, text, length);
		if (written > 0) {
			text += written;
			length -= (size_t)written;
		} else if (written == 0 || errno != EINTR) {
			result = written == 0 ? -EIO : -errno;
		}
	}
	errno = saved_errno;
	return result;
}

void os_write_error(const char *text, size_t length)
{
	os_write(STDERR_FILENO, text, length);
}

int os_create(const char *path)
{
	int saved_errno = errno;
	long file = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	return file >= 0 ? (int)file : result_of(-1, saved_errno);
}

void os_close(int file)
{
	syscall(SYS_close, file);
}
