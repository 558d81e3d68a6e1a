/* SPDX-License-Identifier: MIT */
/*
 * strata by domain: what memory is for, as the caller declares it. After the tiers of CPython's memory manager
 * (https://docs.python.org/3/c-api/memory.html), for many threads at once.
 *
 * What strata.h says of all functions holds here too: any thread, any time, no wait for another thread, never from a
 * signal handler unless "signal-safe" is written. The exceptions are the functions of the control plane
 * (strata_domain_set_table, strata_domain_set_quota), which wait and say for what.
 *
 * Wherever a domain is asked for, any value below 8 but those allowed gives EINVAL (and NULL), and to free does nothing. Of larger ones
 * malloc, calloc and free look at the three lowest bits alone; the others give EINVAL.
 */
#ifndef STRATA_DOMAIN_H
#define STRATA_DOMAIN_H

#include <strata/strata.h>

#ifdef __cplusplus
extern "C" {
#endif

enum strata_domain {
	STRATA_DOMAIN_RAW,   /* as libc's malloc: blocks of 9 bytes and more are aligned to 16 */
	STRATA_DOMAIN_MEM,   /* not objects: stacks, symbol tables, thread state. Aligned to 8 */
	STRATA_DOMAIN_OBJ,   /* objects. Aligned to 8, and to 16 where the size, rounded up to 8, is a multiple of 16 */
	STRATA_DOMAIN_BUF,   /* internal I/O and temporary buffers: as raw */
	STRATA_DOMAIN_TYPED  /* objects of registered types: only read here; its calls are those of typed.h */
};
#define STRATA_DOMAIN_COUNT 5

/* "raw", "mem", "obj", "buf", "typed"; NULL for any other value. Signal-safe. */
const char *strata_domain_name(enum strata_domain domain);

/* ---- Blocks -------------------------------------------------------------------------------------------------------
 *
 * In the domains raw, mem, obj and buf, by the table of functions in force (see below); what follows is the built-in
 * table's behaviour, which is CPython's: a size of 0 bytes gives a distinct block, as a size of 1 does.
 *
 * A block is freed and resized in the domain that it was allocated in. Any other free function of strata or free(3)
 * would take the memory back, but the domain would count the block as live for ever; the debug hooks find it with
 * check:1 at the call, without it only when the block has gone home, as one that is none.
 */

/* A block of at least size bytes. NULL and ENOMEM: size exceeds PTRDIFF_MAX, memory is refused, or the domain's hard
 * limit would be passed. */
void *strata_domain_malloc(enum strata_domain domain, size_t size)
    STRATA_ATTRIBUTE((malloc, warn_unused_result));

/* count * size bytes, all zero; NULL and ENOMEM also when the product overflows. */
void *strata_domain_calloc(enum strata_domain domain, size_t count, size_t size)
    STRATA_ATTRIBUTE((malloc, warn_unused_result));

/* Resizes block, moving it where needed; the contents up to the smaller size are kept. block NULL: as
 * strata_domain_malloc. size 0: as size 1, unlike realloc(3); the block is not freed (CPython: PyMem_Realloc). On
 * failure NULL and ENOMEM, and block stays as it was. One that shrinks may stay where it is, and is then aligned as
 * before. */
void *strata_domain_realloc(enum strata_domain domain, void *block, size_t size)
    STRATA_ATTRIBUTE((warn_unused_result));

/* A block of size bytes aligned to alignment, a power of two (any other: NULL and EINVAL). strata_domain_realloc
 * keeps the contents, not the alignment. Through a table without aligned_alloc: by its malloc, with size rounded up
 * to a multiple of alignment, up to 16; NULL and ENOTSUP above. */
void *strata_domain_aligned_alloc(enum strata_domain domain, size_t alignment, size_t size)
    STRATA_ATTRIBUTE((malloc, alloc_align(2), warn_unused_result));

/* Frees block, NULL is ignored. Leaves errno alone. */
void strata_domain_free(enum strata_domain domain, void *block);

/* ---- Accounting ---------------------------------------------------------------------------------------------------
 *
 * Counts what the built-in table gives and takes, whichever thread frees: a table of a user's own that does not hand
 * on to it is not counted. Totals are exact when no call is in progress. While calls are, and for peak and quotas
 * always, they are right within threads * STRATA_DOMAIN_BATCH bytes: each thread reports to all only what exceeds
 * that.
 */
#define STRATA_DOMAIN_BATCH 65536

struct strata_domain_stats {
	uint64_t live_bytes;  /* in blocks held by the program, by usable size */
	uint64_t live_blocks; /* allocations - frees */
	uint64_t peak_bytes;  /* the most that live_bytes has been, since the start or strata_domain_reset_peak */
	uint64_t allocations; /* blocks given out; a block that is resized is the same block */
	uint64_t frees;       /* blocks taken back */
	uint64_t refused;     /* calls that failed for the hard limit */
};

/* Fills *out, of which size = sizeof *out bytes are written at most. Stops no thread. Any domain; typed: the sums over
 * the types that are registered now, objects for blocks, and no peak but what is live. Returns 0, or EINVAL, also for
 * out NULL or size 0. */
int strata_domain_stats_read(enum strata_domain domain, struct strata_domain_stats *out, size_t size);

/* The peak is now what is live now. raw, mem, obj, buf. Returns 0 or EINVAL. */
int strata_domain_reset_peak(enum strata_domain domain);

/* ---- Quotas -------------------------------------------------------------------------------------------------------
 *
 * Limits on a domain's live bytes, kept by the built-in table. raw, mem, obj, buf.
 */
struct strata_domain_quota {
	uint64_t soft_bytes; /* 0: none. When live bytes rise above it, over is called once; again after they fell below */
	uint64_t hard_bytes; /* 0: none. An allocation that would take live bytes above it fails with ENOMEM */
	/* Called by the thread that allocated, before its call returns the block; live_bytes: what was live then. Not by
	 * one that frees: where the limit was set below what is live, an allocation tells, at the latest when its thread
	 * has allocated STRATA_DOMAIN_BATCH bytes more. May call any function of strata, but strata_domain_set_quota
	 * (EDEADLK). Allocations that it makes do not call it again: if they take another domain above its soft limit, a
	 * later call in that domain tells. It must return (no longjmp, exception or pthread_exit). May be NULL. Through a
	 * table of a user's own it may run inside that table's read section. */
	void (*over)(void *ctx, enum strata_domain domain, uint64_t live_bytes);
	void *ctx;
};

/* Sets the quota of the domain; quota NULL: none. After it returns no thread is in the callback of the former quota,
 * whose ctx may be freed: it waits for those that are. Returns 0, EINVAL, or EDEADLK: the calling thread is in a
 * callback. */
int strata_domain_set_quota(enum strata_domain domain, const struct strata_domain_quota *quota);

/* Returns 0, or EINVAL. */
int strata_domain_get_quota(enum strata_domain domain, struct strata_domain_quota *quota);

/* ---- Tables of functions ------------------------------------------------------------------------------------------
 *
 * What a domain's calls do can be exchanged while threads allocate: for tracing, failure injection, an allocator of
 * the program's own. The built-in table is in force until another is set. Its calls cost a few instructions more than
 * strata_malloc's; calls through a user's table pass a read section of RCU (liburcu, flavour bp), the first of each
 * thread registers that thread, and the promise that no call waits for another thread is the table's to keep.
 */
struct strata_domain_table {
	void *ctx; /* first argument of each function */
	void *(*malloc)(void *ctx, size_t size);
	void *(*calloc)(void *ctx, size_t count, size_t size);
	void *(*realloc)(void *ctx, void *block, size_t size);
	void (*free)(void *ctx, void *block);
	void *(*aligned_alloc)(void *ctx, size_t alignment, size_t size); /* may be NULL */
};

/* Copies the table in force, whose functions may be called: the built-in table's at any time, another's as long as
 * its owner allows. Two threads that wrap the same domain must agree on the order: between this call and the setter's
 * another may have set a table. raw, mem, obj, buf. Returns 0, or EINVAL. */
int strata_domain_get_table(enum strata_domain domain, struct strata_domain_table *table);

/*
 * Sets the table of the domain to a copy of *table; table NULL: the built-in one. raw, mem, obj, buf.
 *
 * After it returns, no thread runs in the former table (unless that was the built-in one), and none will: its ctx may
 * be freed. Every call that begins after it returns takes the new one. It waits for the calls in the former table and
 * for a grace period of RCU, setters wait for each other, and the first one for forks under way.
 *
 * Returns 0; EINVAL: no such domain, or a function missing; EDEADLK: the calling thread is in a read section of
 * liburcu-bp, which a function of a table always is, or in a handler of fork (pthread_atfork) that runs between strata's.
 *
 * What a table owes. A block is resized and freed by the table in force at that time, which need not be the one that
 * gave it. So
 *   - a table that hands every call on to the former one and gives its blocks as they are (a wrapper: tracing, failure
 *     injection, counting) may be set and taken back at any time, between any calls of any threads;
 *   - a table that gives blocks of its own, or hides something in front of them, must tell its blocks from those of
 *     the table before it and hand those on to it; and before it is taken back, all its blocks must have been freed;
 *   - free is called with what the program passed, NULL too; free must leave errno alone; malloc must give a distinct
 *     block for 0 bytes. The functions may call any function of strata but the setters, this domain's calls too
 *     (which then come to the table again); they must not fork, and must return (no longjmp, no exception, no
 *     pthread_exit) to leave the read section that they are called in;
 *   - while a thread registers with liburcu its calls take the built-in table; where it cannot, for want of memory, liburcu ends
 *     the program.
 *
 * fork: once a table was set, strata calls liburcu-bp's handlers around fork. A program that calls urcu_bp_before_fork
 * and its partners itself sets STRATA_OPTIONS=urcu_fork:0.
 */
int strata_domain_set_table(enum strata_domain domain, const struct strata_domain_table *table);

/* ---- Debug hooks --------------------------------------------------------------------------------------------------
 *
 * As CPython's PYTHONMALLOC=debug: the built-in table surrounds each block with guard bytes and fills it when it is
 * allocated (0xcd) and freed (0xdd), and finds writes before and past it, writes after it was freed, a block freed
 * twice, and a block freed in a domain that is not its own. A finding is told on stderr: the block, its size and
 * domain, its serial number, where the guard broke, and the calls that allocated it; then abort(3), or not with the
 * setting misuse:warn. A freed block is kept back and looked at again before its memory is used anew (the setting
 * quarantine bounds them). With the hooks on, calls and fork may wait for each other, and for the loader's locks: stacks of
 * calls are looked up.
 *
 * Switched on for the life of the process by STRATA_OPTIONS=domain_debug:1, or by this call before any block was
 * allocated in any domain. Returns 0, or EBUSY: it was decided before, and otherwise.
 */
int strata_domain_debug(int on);

#ifdef __cplusplus
}
#endif

#endif /* STRATA_DOMAIN_H */
