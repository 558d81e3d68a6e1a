/* SPDX-License-Identifier: MIT */
/*
 * The operating system, as strata needs it. os_memory.c, os_linux.c, os_clock.c and os_copy.c have the system calls, but for: the clock
 * of the background thread's timed wait; sigaction for the profile's signal; the write of an exception's message; and the one that stands
 * for libc's setrlimit. os_code.c asks the loader. Functions that can fail return 0 or -errno, or NULL where they return memory; none
 * sets errno, none allocates.
 */
#ifndef STRATA_OS_H
#define STRATA_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes in a page of the operating system: 4096, 16384 or 65536. */
size_t os_page_size(void);

/* size bytes of address space at a multiple of alignment, without access, that is no memory: not counted as committed,
 * not in core dumps, not of huge pages. */
void *os_reserve(size_t size, size_t alignment);
void os_release(void *start, size_t size);

/* The same at an address that is known, if nothing else lies there: 0 or -errno. */
int os_reserve_at(void *start, size_t size);

/* Makes part of a reservation memory: readable, writable, zero, in core dumps. Doing it twice does no harm. */
int os_commit(void *start, size_t size);

/* Whether the system would refuse any program so much at once: where it overcommits by its heuristic, more than all memory that the machine
 * has. It is asked, since a reservation is not charged when it becomes memory (MAP_NORESERVE), unless overcommitting is off. */
bool os_would_refuse(size_t size);

/* Gives the pages back to the operating system; they read as zero afterwards (with purge:free: when the kernel took them). */
int os_purge(void *start, size_t size, bool lazy);

/* Whether the system has less than half of the range in memory: at most 64 pages of 4 KiB, mapped. False too where it does not say. */
bool os_is_sparse(void *start, size_t size);

/* No error number of the system's. */
#define PLACE_LOST (-4096)

/* Replaces the mapping by fresh zero pages, as os_commit made them. -ENOMEM and others: it is as it was, or zero, and may be resident.
 * PLACE_LOST: it can be read only, if at all. */
int os_refresh(void *start, size_t size);

#define MOVED_ALONE 1

/* Moves the pages of [from, from + size) to [to, to + size), both committed; from reads as zero afterwards, and so does to behind them, up
 * to whole, at least size, which may move together from then on. MOVED_ALONE: what is behind them is as it was, and may not. -EPERM
 * (locked, or emulated), -ENOSYS and others: nothing has moved. PLACE_LOST: nor has anything, and to can be read only, if at all. */
int os_move(void *from, void *to, size_t size, size_t whole);

/* The same to where there is room, which *to tells: to be released. */
int os_take(void *from, size_t size, void **to);

/* While a limit on address space or data is being lowered os_move moves nothing: it would be refused after its place was given up. Waits
 * for whoever is just moving something, a second at most. After a fork the child has nobody who does. */
void os_bar_moves(void);
void os_allow_moves(void);
void os_moves_after_fork_in_child(void);

/* Says whether huge pages are welcome in the range. Returns 0, or a negative error number. */
int os_advise_huge(void *start, size_t size, bool welcome);

/* To be called before the range, part of a huge page, is purged: else the system keeps its memory until it is short of some, though it
 * counts as resident no more. */
void os_split_huge(void *start, size_t size);

/* The process, by number; the child's own in a vfork. */
int os_process(void);

/* Whether that is the process's parent, or the parent is none that its name space has. */
bool os_is_child_of(int process);

/* Marks the process's memory; whether what was marked last is another process's, of which this one has a copy. False if that is not
 * known. */
void os_mark_memory(void);
bool os_is_copy(void);

/* Milliseconds of a clock that does not jump, CLOCK_MONOTONIC_COARSE: cheap and coarse (a few ms). Not what libc's functions say where
 * something stands in front of them. */
uint64_t os_clock_ms(void);

/* The limit on this process's address space in bytes; SIZE_MAX when there is none. */
size_t os_address_limit(void);

/* The same of the memory that it can write (RLIMIT_DATA). */
size_t os_data_limit(void);

/* Address space that the process has, in bytes; 0: not known. */
size_t os_address_space_used(void);

/* The value of an environment variable, or NULL; NULL too in a set-user-ID program. */
const char *os_setting(const char *name);

/* Calls line with each line of the file, without its end, until it returns false; a line above 1023 bytes is passed over. No
 * memory, and no place where the thread may be cancelled. Returns 0, or -errno when the file cannot be read. */
int os_each_line(const char *path, bool (*line)(const char *text, void *context), void *context);

/* The node of the machine (NUMA) that the calling thread runs on, a moment ago; -errno. */
int os_node(void);

/* A word that an attacker cannot know, the same for the whole life of the process. */
uint64_t os_secret(void);

/* Returns when every thread of the process that was running has executed a full barrier at some instruction of its own, in
 * between; a thread that was not running is at one anyway. -ENOSYS, -EPERM: refused. Registers on the first call. */
int os_barrier_all(void);

/* Waits until the word is no longer value, and os_wake was called, or for ms milliseconds; may return early. */
void os_wait(_Atomic uint32_t *word, uint32_t value, unsigned ms);
void os_wake(_Atomic uint32_t *word);

/* For a loop that waits until somebody has changed the word, but not for ever: how much longer, by the clock, and by how often the word
 * did not change for a ms. A clock may stand still: under a debugger, or in a test. */
struct os_patience {
	uint64_t deadline; /* os_clock_ms */
	uint32_t rounds;
};

struct os_patience os_patience(uint32_t ms);

/* As os_wait, for a ms, and true; false when that is used up. Wants no os_wake. */
bool os_wait_patiently(_Atomic uint32_t *word, uint32_t value, struct os_patience *patience);

/* Waits until no more than own are counted, for a time. So many as were waited for in vain are not waited for again: their number is in
 * in_vain, which orders nothing; it is lowered when there are fewer, and to be cleared in the child of a fork. True: no more than own. */
bool os_wait_for_others(_Atomic uint32_t *count, uint32_t own, _Atomic uint32_t *in_vain, uint32_t ms);

/* To be called once before the next; may take the loader's lock. */
void os_learn_system_code(void);

/* Whether the address lies in the code of libc, of the dynamic loader, or of this library. True for all in a static program. */
bool os_is_system_code(const void *address);

/* Whether it lies in the dynamic loader. False for all in a static program. Any time. */
bool os_is_loader(const void *address);

/* To be called once that is loaded; may take the loader's lock. */
void os_learn_unwinder(void);

/* Whether the address lies in the code of the library that walks stacks, as far as it was learnt. False in a static program. */
bool os_is_unwinder(const void *address);

/* All of it; no place where the thread may be cancelled. The signals by which the system tells of a pipe that nobody reads and of a file
 * that may not grow (SIGPIPE, SIGXFSZ) do not reach the program, which has not written. */
int os_write(int file, const char *text, size_t length);
void os_write_error(const char *text, size_t length);

/* A new or emptied file for writing, or -errno; likewise. */
int os_create(const char *path);
void os_close(int file);

#ifdef STRATA_TEST_BUILD
/* With STRATA_TEST_ROOT in the environment os_each_line finds its files below that directory. */

/* The calls-th call from now on of those functions that can fail (reserve, commit, purge, refresh, move) fails with ENOMEM;
 * negative: none does. Sticky: all that follow fail as well. Counted over all threads. */
void strata_os_fail_after(long calls);
void strata_os_fail_sticky(bool sticky);
long strata_os_calls(void);

/* From now on the system's page has this size, a multiple of the real one: calls answer as they would there. */
void strata_os_pretend_page_size(size_t size);

/* From now on purging is refused, as of locked memory before Linux 5.18. */
void strata_os_pretend_locked(bool locked);

/* From now on the clock stands there; 0: it is the system's. */
void strata_os_pretend_clock(uint64_t ms);

/* From now on os_barrier_all calls it first; NULL: nothing. */
void strata_os_before_barrier(void (*call)(void));

/* From now on threads run on the node that this says, or -errno. */
void strata_os_pretend_node(int (*node)(void));

/* From now on os_commit grants so many bytes more, as strict overcommit would (what is committed twice counts twice). */
void strata_os_pretend_commit_limit(size_t bytes);
#endif

#endif
