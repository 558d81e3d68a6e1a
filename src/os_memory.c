/* SPDX-License-Identifier: MIT */
/* Memory: address space, what of it is memory, what goes back, what moves. */
#define _GNU_SOURCE
#include "os.h"

#include "compiler.h"
#include "os_pretend.h"
#include "os_result.h"

#include <errno.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

#ifndef MADV_COLD
#define MADV_COLD 20
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif

/* ---- The one function table ----------------------------------------------------------------------------------------- */

struct os_functions {
	void *(*map)(void *, size_t, int, int, int, off_t);
	int (*unmap)(void *, size_t);
	int (*protect)(void *, size_t, int);
	int (*advise)(void *, size_t, int);
};

static const struct os_functions os = { mmap, munmap, mprotect, madvise };

/* ---- Address space and memory ---------------------------------------------------------------------------------------- */

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
	/* Without room to align, neighbours become one mapping. The kernel's own pages, not pretended ones. */
	if (alignment <= getauxval(AT_PAGESZ))
		alignment = 0;
	char *start = os.map(NULL, size + alignment, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (start == MAP_FAILED) {
		errno = saved_errno;
		return NULL;
	}
	char *aligned = alignment != 0 ? (char *)round_up((uintptr_t)start, alignment) : start;
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
	int result = os_result(got == MAP_FAILED, saved_errno);
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
	int result = os_result(os.protect(start, size, PROT_READ | PROT_WRITE), saved_errno);
	if (result == 0) {
		os.advise(start, size, MADV_DODUMP);
		errno = saved_errno;
	}
	return result;
}

static int purge(void *start, size_t size)
{
	int saved_errno = errno;
	int result = os_result(os.advise(start, size, MADV_DONTNEED), saved_errno);
	/* Locked memory: it goes, and what is touched again is locked again. */
	if (result == -EINVAL)
		result = os_result(os.advise(start, size, MADV_DONTNEED_LOCKED), saved_errno);
	return result;
}

int os_purge(void *start, size_t size, bool lazy)
{
	if (pretend_refusal())
		return -ENOMEM;
	if (pretend_pages(start, &size) != 0)
		return -EINVAL;
	if (pretend_locked())
		return -EINVAL;
	int saved_errno = errno;
	if (lazy && os_result(os.advise(start, size, MADV_FREE), saved_errno) == 0)
		return 0;
	return purge(start, size);
}

/* What it has put on its swap it does not have either: who clears it must not rely on that. */
bool os_is_sparse(void *start, size_t size)
{
	unsigned char here[64];
	int saved_errno = errno;
	size_t pages = size / os_page_size(), resident = 0;
	if (pages > sizeof here || os_result(mincore(start, size, here), saved_errno) != 0)
		return false;
	for (size_t i = 0; i < pages; i++)
		resident += here[i] & 1;
	return 2 * resident < pages;
}

int os_advise_huge(void *start, size_t size, bool welcome)
{
	int saved_errno = errno;
	return os_result(os.advise(start, size, welcome ? MADV_HUGEPAGE : MADV_NOHUGEPAGE), saved_errno);
}

void os_split_huge(void *start, size_t size)
{
	int saved_errno = errno;
	os.advise(start, size, MADV_FREE);
	errno = saved_errno;
}

/* ---- Pages that move -------------------------------------------------------------------------------------------------- */

/* Locked memory (mlock, mlockall) stays where it is: the kernel would unlock all that was mapped with it. It does not take that
 * advice for such a mapping, and it does little harm elsewhere. */
static bool is_locked(void *start)
{
	int saved_errno = errno;
	return os_result(os.advise(start, os_page_size(), MADV_COLD), saved_errno) != 0;
}

enum answer { NOT_ASKED, YES, NO };

/* Emulators (qemu-user 7.2) take what a mremap leaves behind for unmapped: system calls refuse it, though the program has it. Tried with a
 * page of our own. */
static enum answer try_whether_place_stays(void)
{
	unsigned char resident;
	size_t page = getauxval(AT_PAGESZ);
	void *left = os.map(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (left == MAP_FAILED)
		return NOT_ASKED;
	void *moved = mremap(left, page, page, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
	bool is_gone = moved != MAP_FAILED && mincore(left, page, &resident) != 0 && errno == ENOMEM;
	if (moved != MAP_FAILED)
		os.unmap(moved, page);
	os.unmap(left, page);
	return is_gone ? NO : YES;
}

/* Written by whoever moves first, and the same by others at that time. Relaxed: it stands for itself. */
static _Atomic(enum answer) place_stays;

static bool may_leave(void *place)
{
	if (is_locked(place))
		return false;
	int saved_errno = errno;
	enum answer stays = atomic_load_explicit(&place_stays, memory_order_relaxed);
	if (unlikely(stays == NOT_ASKED)) {
		stays = try_whether_place_stays();
		atomic_store_explicit(&place_stays, stays, memory_order_relaxed);
	}
	errno = saved_errno;
	return stays == YES;
}

/* A limit that was lowered below what is mapped refuses any page. */
static bool may_map_more(void)
{
	if (os_address_limit() == SIZE_MAX && os_data_limit() == SIZE_MAX)
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

/* After a call that would have put something there was refused: the kernel may have unmapped the place before. Where nothing was changed
 * there is no hole, and this does nothing; nor where another thread's mmap was put into the hole meanwhile, which is not seen: that takes
 * one of the surprises below, and a kernel that chooses this place for it. Memory that cannot be written is charged to nobody. */
static int fill_hole(void *start, size_t size, int result)
{
	int saved_errno = errno;
	int filled = map_at(start, size, PROT_READ | PROT_WRITE);
	if (filled != 0 && filled != -EEXIST) {
		map_at(start, size, PROT_READ);
		result = PLACE_LOST;
	}
	errno = saved_errno;
	return result;
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
	int result = os_result(fresh == MAP_FAILED, saved_errno);
	if (result != 0)
		return fill_hole(start, size, result);
	os.advise(start, size, MADV_NOHUGEPAGE);
	errno = saved_errno;
	/* After mlockall(MCL_FUTURE) all of it is resident at once. */
	return is_locked(start) ? purge(start, size) : 0;
}

/* Whoever moves something counts himself in and then looks whether he may; whoever sets a limit bars first and then looks whether anybody
 * is in. Sequentially consistent: one of the two sees the other. */
static _Atomic uint32_t moving, barring;
/* So many that move were waited for in vain. Too many let a limit come while something moves. */
static _Atomic uint32_t held_up;
/* A handler that interrupts either may set a limit, or fork: who is only about to count himself in or out waits, in vain, to the deadline,
 * and in the child, where there is nobody else, counts himself out of nothing. */
static __thread uint32_t own_moving, own_barring;

static void count_out(_Atomic uint32_t *count)
{
	uint32_t now = atomic_load(count);
	while (now != 0 && !atomic_compare_exchange_weak(count, &now, now - 1))
		;
}

static bool begin_move(void)
{
	atomic_fetch_add(&moving, 1);
	own_moving++;
	return atomic_load(&barring) == 0;
}

static void end_move(void)
{
	own_moving--;
	count_out(&moving);
}

#define MOVE_MS_MOST 1000

void os_bar_moves(void)
{
	atomic_fetch_add(&barring, 1);
	own_barring++;
	os_wait_for_others(&moving, own_moving, &held_up, MOVE_MS_MOST);
}

void os_allow_moves(void)
{
	own_barring--;
	count_out(&barring);
}

void os_moves_after_fork_in_child(void)
{
	atomic_store(&moving, own_moving);
	atomic_store(&barring, own_barring);
	atomic_store(&held_up, 0);
}

/* The kernel unmaps the place to go to first: before it looks at the limits, and before 6.17 at whether what is to move is one mapping.
 * Both are looked at here before that; what is left is a limit that is set from outside in between, and another process that takes what
 * was let go, under strict overcommit. */
static int move_at_once(void *from, void *to, size_t size)
{
	int saved_errno = errno;
	if (!is_one_mapping(from, size))
		return os_result(true, saved_errno);
	void *moved = mremap(from, size, size, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, to);
	int result = os_result(moved == MAP_FAILED, saved_errno);
	if (result != 0)
		result = fill_hole(to, size, result);
	errno = saved_errno;
	return result;
}

/* The same surprises may come when the pages are between. Then they are copied, to where there is memory. */
static int copy_from_between(void *between, void *from, void *to, size_t size, size_t whole, int result)
{
	result = fill_hole(to, whole, result);
	bool can_write = result != PLACE_LOST;
	memcpy(can_write ? to : from, between, size);
	os.unmap(between, size);
	return can_write ? MOVED_ALONE : result;
}

/* A mapping grows where it is moved to, but not where its old place is to stay one: by a place between. So what comes there is one mapping,
 * as it has to be to move again, and not one and what was there behind it. Without address space for a place between it is two. */
static int move(void *from, void *to, size_t size, size_t whole)
{
	int saved_errno = errno;
	if (!may_map_more())
		return os_result(true, saved_errno);
	void *between = whole > size ? mremap(from, size, size, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL) : MAP_FAILED;
	if (between == MAP_FAILED) {
		errno = saved_errno;
		int alone = move_at_once(from, to, size);
		return alone == 0 && whole > size ? MOVED_ALONE : alone;
	}
	void *moved = mremap(between, size, whole, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	int result = os_result(moved == MAP_FAILED, saved_errno);
	if (result != 0)
		result = copy_from_between(between, from, to, size, whole, result);
	errno = saved_errno;
	return result;
}

int os_move(void *from, void *to, size_t size, size_t whole)
{
	if (pretend_refusal())
		return -ENOMEM;
	if (pretend_pages(from, &size) != 0 || pretend_pages(to, &whole) != 0)
		return -EINVAL;
	if (!may_leave(from))
		return -EPERM;
	int result = begin_move() ? move(from, to, size, whole) : -ENOMEM;
	end_move();
	return result;
}

int os_take(void *from, size_t size, void **to)
{
	int saved_errno = errno;
	if (pretend_refusal())
		return -ENOMEM;
	if (pretend_pages(from, &size) != 0)
		return -EINVAL;
	if (!may_leave(from))
		return -EPERM;
	*to = mremap(from, size, size, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
	return os_result(*to == MAP_FAILED, saved_errno);
}
