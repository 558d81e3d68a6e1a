/* SPDX-License-Identifier: MIT */
/*
 * What the compilers and processors give us, by name. The bottom layer: includes nothing of strata.
 */
#ifndef STRATA_COMPILER_H
#define STRATA_COMPILER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* Hot and cold are words on functions: a FAST function is inlined into each of its callers, a COLD one never is, so that
 * the common return of its caller has no frame. */
#define STRATA_FAST static inline __attribute__((always_inline))
#define STRATA_COLD __attribute__((noinline, cold))
#define STRATA_NOINLINE __attribute__((noinline))
#define STRATA_PUBLIC __attribute__((visibility("default")))
/* Of the common calls: each at the beginning of a line, or how fast it is depends on what the linker put before it. */
#define STRATA_ENTRY __attribute__((aligned(64)))
#define STRATA_HIDDEN __attribute__((visibility("hidden")))
#define STRATA_TLS STRATA_HIDDEN __thread __attribute__((tls_model("initial-exec")))
#define STRATA_ALIGNED(n) __attribute__((aligned(n)))
/* What all threads read and seldom or nobody writes: not in one line with what is written at each turn. */
#define STRATA_READ_MOSTLY __attribute__((section(".data.read_mostly")))
/* For large arrays, of which few programs touch more than a little: behind the other variables, which then share pages. */
#define STRATA_LARGE __attribute__((section(".bss.large")))

#define CACHE_LINE 64

/*
 * Counters with one writer, read by others for statistics. The writer's update is a plain read and write (one instruction
 * to memory on x86-64); a torn value cannot be seen, since they are aligned words. ThreadSanitizer is shown the same thing
 * in words of the standard: relaxed loads and stores.
 */
#if defined(__SANITIZE_THREAD__)
#define STRATA_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define STRATA_TSAN 1
#endif
#endif
#ifdef STRATA_TSAN
#define owner_add(object, n) \
	__atomic_store_n(&(object), __atomic_load_n(&(object), __ATOMIC_RELAXED) + (n), __ATOMIC_RELAXED)
#define owner_set(object, value) __atomic_store_n(&(object), (value), __ATOMIC_RELAXED)
#define owner_publish(object, value) __atomic_store_n(&(object), (value), __ATOMIC_RELEASE)
#else
#define owner_add(object, n) ((object) += (n))
#define owner_set(object, value) ((object) = (value))
/* What is published is ordered by a membarrier of whoever reads it, of which ThreadSanitizer knows nothing. */
#define owner_publish(object, value) ((object) = (value))
#endif

/* Keeps the compiler from moving accesses to memory across; the processor may. Partner: a membarrier. */
#define compiler_fence() atomic_signal_fence(memory_order_seq_cst)

/* Takes one from a counter of the owner's; whether it is negative now. Before all accesses that follow it, for the compiler.
 * gcc 12 forms the address in a register for it, which is one instruction more than it takes. */
#if defined(__x86_64__) && !defined(STRATA_TSAN)
#define owner_decrement_is_negative(object)                                            \
	({                                                                             \
		bool negative_;                                                        \
		__asm__ volatile("subl $1, %0" : "+m"(object), "=@ccs"(negative_) : : "memory"); \
		negative_;                                                             \
	})
#else
#define owner_decrement_is_negative(object)               \
	({                                                \
		__typeof__(object) less_ = (object) - 1;  \
		owner_set(object, less_);                 \
		compiler_fence();                         \
		less_ < 0;                                \
	})
#endif

/* Moves a pointer of the owner's by n elements of 8 bytes. gcc 12 computes the new value in a register for it. */
#if defined(__x86_64__) && !defined(STRATA_TSAN)
#define owner_move(object, n) __asm__("addq %1, %0" : "+m"(object) : "i"((n) * 8) : "cc")
#else
#define owner_move(object, n) owner_publish(object, (object) + (n))
#endif

/* A word that others may change, read where any of its values will do. */
#ifdef STRATA_TSAN
#define racy_read(object) __atomic_load_n(&(object), __ATOMIC_RELAXED)
#else
#define racy_read(object) (object)
#endif
/* Makes the compiler forget what it knows of the variable. What was computed from it, so that addresses are formed in each instruction
 * that uses them, instead of once in an instruction more; or whose address it is, so that it does not conclude from two names. */
#define forget(variable) __asm__("" : "+r"(variable))
#define others_read(object) __atomic_load_n(&(object), __ATOMIC_RELAXED)

static inline unsigned bit_lowest(uint64_t word)
{
	return (unsigned)__builtin_ctzll(word);
}

static inline unsigned bit_highest(uint64_t word)
{
	return 63 - (unsigned)__builtin_clzll(word);
}

/* In line: for processors at large __builtin_popcountll is a call into libgcc. */
static inline unsigned bit_count(uint64_t word)
{
	word -= word >> 1 & UINT64_C(0x5555555555555555);
	word = (word & UINT64_C(0x3333333333333333)) + (word >> 2 & UINT64_C(0x3333333333333333));
	word = (word + (word >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
	return (unsigned)(word * UINT64_C(0x0101010101010101) >> 56);
}

/* A word with its n lowest bits set; n <= 64. */
static inline uint64_t bits_below(unsigned n)
{
	return n >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << n) - 1;
}

/* Whether ms milliseconds have passed since then, by 32 bits of the clock. A time that another thread noted after now was
 * read lies ahead of it, by an hour at most: that is no age, least of all the 49 days that the difference seems to be. (By
 * its sign alone, what has been idle for 25 days would be young for as long again.) 0 ms: everything is. */
#define AHEAD_MOST UINT32_C(3600000)
static inline bool is_older(uint32_t now, uint32_t since, uint32_t ms)
{
	uint32_t age = now - since;
	return ms == 0 || (age >= ms && age < -AHEAD_MOST);
}

/* The same by all of the clock, for what is done again and again: once too often does no harm. A clock that goes back by more than a minute
 * is another one, as in a process that was restored from a checkpoint, and what was noted by the former says nothing. */
#define BACK_MOST UINT64_C(60000)
static inline bool has_passed(uint64_t now, uint64_t since, uint64_t ms)
{
	uint64_t age = now - since;
	return age >= ms && age < -BACK_MOST;
}

static inline bool is_power_of_two(size_t n)
{
	return n != 0 && (n & (n - 1)) == 0;
}

static inline size_t round_up(size_t value, size_t power_of_two)
{
	return (value + power_of_two - 1) & ~(power_of_two - 1);
}

static inline size_t size_min(size_t a, size_t b)
{
	return a < b ? a : b;
}

static inline size_t size_max(size_t a, size_t b)
{
	return a > b ? a : b;
}

#endif
