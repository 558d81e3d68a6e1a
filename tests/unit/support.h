/* SPDX-License-Identifier: MIT */
/*
 * What all tests share: patterns that prove a block's contents, random numbers, sizes worth testing, the kernel's view
 * of our memory. Nothing here allocates. Free of cmocka, so that stress programs use it too.
 */
#ifndef STRATA_TESTS_UNIT_SUPPORT_H
#define STRATA_TESTS_UNIT_SUPPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <strata/strata.h>

#define KIB ((size_t)1024)
#define MIB (KIB * 1024)

/* Object blocks end here, and blocks in pools and spans there; above: page runs. */
#define OBJECT_MAX ((size_t)512)
#define MEDIUM_MAX ((size_t)262144) /* written as in size_class.h, which tests of the inside include */

/* Hides a value from the compiler, which would otherwise warn about, or fold, the calls that must fail. */
static inline size_t opaque(size_t value)
{
	__asm__("" : "+r"(value));
	return value;
}

/* The same for a pointer: keeps a pair of malloc and free, or a use of a resized block, as it is written. */
static inline void *opaque_pointer(void *pointer)
{
	__asm__("" : "+r"(pointer) : : "memory");
	return pointer;
}

static inline bool is_aligned(const void *pointer, size_t alignment)
{
	return ((uintptr_t)pointer & (alignment - 1)) == 0;
}

/* Random numbers (xorshift64*): one state for each thread; a state is never 0. */
static inline uint64_t random_next(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(0x2545f4914f6cdd1d);
}

static inline size_t random_below(uint64_t *state, size_t limit)
{
	return (size_t)((random_next(state) >> 32) * limit >> 32);
}

/* Puts pointers into a random order, the same each time. */
void shuffle(void **pointers, size_t count);

/* 8 bytes to limit, each doubling 0.6 times as likely as the one before: many small, few large, as programs ask. */
size_t random_size(uint64_t *state, size_t limit);

/* Writes size bytes that follow from seed. pattern_holds says whether the first size bytes are still those: of a
 * pattern written longer, any beginning holds. */
void pattern_write(void *block, size_t size, uint64_t seed);
bool pattern_holds(const void *block, size_t size, uint64_t seed);

bool all_zero(const void *block, size_t size);

/* Only the first and last 4 KiB, for blocks so large that the whole would be slow or use up memory. */
void pattern_write_ends(void *block, size_t size, uint64_t seed);
bool pattern_ends_hold(const void *block, size_t size, uint64_t seed);

/* The sizes that the suite goes through: 0 ... 1100, every class boundary to 256 KiB with its neighbours, page and run
 * boundaries to 2 MiB with theirs, and steps to 64 MiB. Sorted, without repetition. */
size_t interesting_sizes(const size_t **sizes);

/* Resident bytes of this process as the kernel counts them. */
size_t resident_bytes(void);

/* What strata_stats_read says. */
struct strata_stats totals(void);

/* Changes a setting that is a number or a number of bytes, as strata_option_set does: 0 or its error. */
int set_number(const char *name, uint64_t number);

/* Sets decay_ms; ends the program where that is refused. With STOPPED nothing is ever idle, however slow the machine. */
#define STOPPED ((uint64_t)3600000)
void set_decay(uint64_t ms);

/* Looks every few milliseconds whether is_there(bound), until it is. After two minutes: says on stderr what did not come,
 * and returns false. For effects that nothing can be waited on for. */
bool comes(bool (*is_there)(size_t bound), size_t bound, const char *what);

/* True under check:1, where blocks may be laid out and moved otherwise. */
bool checked_mode(void);

/* A size that the system refuses a single request of, since the machine has less; 0: it refuses none for that. */
size_t beyond_the_machine(void);

/* Begins the program again with cgroup:off, unless it is: for tests of what may stay free, of which there is less while
 * the machine is short of memory. To be called first in main. */
void leave_out_the_container(char *const *argv);

/* Ends the program unless libc's malloc is served by strata. For programs that test libc's names. */
void require_strata_serves_malloc(void);

/* One line on stderr, then abort(). For threads and programs without cmocka. */
_Noreturn void fatal(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
