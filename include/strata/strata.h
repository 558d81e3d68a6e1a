/* SPDX-License-Identifier: MIT */
/*
 * strata: a memory allocator for multithreaded servers. The native C interface.
 *
 * Unless a declaration says otherwise:
 *   - sizes are in bytes;
 *   - every function may be called by any thread at any time, before main() and during exit included, and never waits
 *     for another thread (a thread that is stopped inside strata stalls nobody);
 *   - no function may be called from a signal handler, except where "signal-safe" is written: a handler that allocates
 *     may have interrupted the allocator (POSIX.1-2017, 2.4.3);
 *   - a block may be freed by any thread, and by any of the free functions below or by free(3) when strata also serves
 *     the malloc family; errno is left alone by all that free;
 *   - misuse (a pointer that is not a block, a block freed twice) is reported in one line on stderr, then abort(3).
 *
 * Alignment: the native functions use every 8-byte size class, so a block of 8 ... 512 bytes is aligned to 8 bytes, or
 * to 16 where its class is a multiple of 16; a larger block is aligned to at least 16 bytes. malloc(3) and operator new
 * as served by strata return 16-byte alignment for every size >= 16.
 *
 * Bounds: as many threads that allocate may live at once:
 *
 *   262143                        by default, and with the setting reserve from 256 GiB on
 *   one for each MiB, less one    of a reservation below that, whatever made it smaller; at least 1023
 *   what an eighth has room for   of a limit on address space (ulimit -v); at least 127
 *
 * Each thread that takes from sleeping threads at that moment (a call of the clock, strata_trim) may need 16 of them. Until some
 * have ended, each block of a further thread takes pages of its own, and its calls by type fail with ENOMEM.
 */
#ifndef STRATA_STRATA_H
#define STRATA_STRATA_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define STRATA_ATTRIBUTE(list) __attribute__(list)
#else
#define STRATA_ATTRIBUTE(list)
#endif

/* ---- Blocks ------------------------------------------------------------------------------------------------------- */

/* A block of at least size bytes; size 0 gives a distinct block. NULL and errno ENOMEM when size exceeds PTRDIFF_MAX or
 * memory is refused (C17 7.22.3.4). */
void *strata_malloc(size_t size) STRATA_ATTRIBUTE((malloc, warn_unused_result));

/* count * size bytes, all zero; NULL and ENOMEM also when the product overflows (C17 7.22.3.2). */
void *strata_calloc(size_t count, size_t size) STRATA_ATTRIBUTE((malloc, warn_unused_result));

/* Resizes block to size bytes, moving it where needed; the contents up to the smaller size are kept. block NULL: as
 * strata_malloc. size 0: frees block and returns NULL, as glibc's realloc. On failure NULL and ENOMEM, and block stays as
 * it was. */
void *strata_realloc(void *block, size_t size) STRATA_ATTRIBUTE((warn_unused_result));

/* A block of size bytes aligned to alignment, a power of two. NULL and EINVAL for any other alignment, NULL and ENOMEM as
 * above, and above 4 GiB. Unlike C17's aligned_alloc, size need not be a multiple of alignment. */
void *strata_aligned_alloc(size_t alignment, size_t size)
    STRATA_ATTRIBUTE((malloc, alloc_align(1), warn_unused_result));

/* Frees block; NULL is ignored. Leaves errno alone. */
void strata_free(void *block);

/* Frees block, which was requested with this size (C23 free_sized): any size s with
 * requested <= s <= strata_usable_size(block) is right. check:1 verifies it. */
void strata_free_sized(void *block, size_t size);

/* Bytes that may be used at block, at least what was requested; 0 for NULL. Not for a domain's block under the debug hooks (domain.h),
 * whose guards would count. For this the functions above do not tell the compiler how
 * large their blocks are (alloc_size): _FORTIFY_SOURCE would end a program that writes more than it requested, as it does after
 * malloc(3). */
size_t strata_usable_size(const void *block);

/* What strata_malloc(size) would make usable: the size of the class, or whole pages; under check:1 the size itself. (A block that the heap
 * profile watches has more: whole pages.) 0 when the request would fail for its size alone. Signal-safe. */
size_t strata_good_size(size_t size) STRATA_ATTRIBUTE((pure));

/* Allocates count blocks of size bytes into blocks[0 ... count-1]. Returns how many were had: fewer than count only when
 * memory is refused, with errno ENOMEM; those had are the caller's. */
size_t strata_malloc_batch(size_t size, size_t count, void **blocks);

/* Frees blocks[0 ... count-1]; NULL entries are ignored. The sizes may differ. */
void strata_free_batch(void *const *blocks, size_t count);

/* ---- Memory that goes back ---------------------------------------------------------------------------------------- */

/* Returns everything that can be returned to the operating system now: the free blocks that the calling thread has cached and
 * those of all other threads that are not seen at work meanwhile (with reclaim:1, where the system has membarrier), what was
 * freed to threads that sleep or have ended, every page not in use. Stops no thread. Returns the bytes
 * that went meanwhile, what other threads gave back among them. */
size_t strata_trim(void);

/* For the tick of an event loop (a few times a second): a bounded part of the housekeeping that is due: about 1 MiB each of objects on
 * idle lists of types (typed.h), and of blocks taken back from threads that sleep, or of memory given back. Returns the sum of the
 * three in bytes; while that is not 0, there may be more to do at once. */
size_t strata_maintain(void);

/*
 * For a server with active defragmentation: 1 when it is worth while to move block now, to a new one of the same size
 * allocated next by this thread, which will lie in a fuller pool; 0 when not, and for every pointer that is not in a block
 * of 256 KiB or less (NULL, foreign, a large block: any pointer may be asked about). Moving all blocks that it is worth
 * while for, until a walk over all finds none, leaves at most one partly used pool of each size:
 *
 *     if (strata_should_move(old)) {
 *             new = strata_malloc(size);      (malloc where old came from malloc)
 *             memcpy(new, old, size);
 *             strata_free(old);
 *     }
 *
 * It costs about as much as an allocation, since it also sees to it that the next block comes from where it should: do
 * not ask about blocks that would not be moved. A wrong answer, while other threads allocate in the same pools, costs one
 * move in vain. In place of jemalloc's hint (je_get_defrag_hint, as redis asks it) its result is the whole answer:
 * redis's own rule on the two utilizations, and its allocations that pass by the thread's cache, are not needed.
 */
int strata_should_move(const void *block);

/* ---- Settings ----------------------------------------------------------------------------------------------------- */

enum strata_option_type {
	STRATA_OPTION_FLAG = 1, /* number: 0 or 1 */
	STRATA_OPTION_NUMBER,   /* number, in the unit that the setting's name or description gives */
	STRATA_OPTION_BYTES,    /* number, in bytes */
	STRATA_OPTION_WORD      /* word: one of those that README.md lists */
};

struct strata_option {
	enum strata_option_type type;
	int fixed;        /* get: 1 when the setting cannot be changed any more; set: not read */
	uint64_t number;  /* of a word: its place in the list, from 0; set: not read for a word */
	const char *word; /* get: a constant string, or NULL where type is not STRATA_OPTION_WORD */
};

/* A program may define this: its own defaults, written as in STRATA_OPTIONS, which goes before it. Read once, at the first call. (One that
 * strata is preloaded into must export it: -rdynamic.) */
extern const char strata_options[];

/* The setting of that name, as in STRATA_OPTIONS and README.md, into *out. Returns 0; EINVAL when a pointer is NULL;
 * ENOENT when there is no such setting. */
int strata_option_get(const char *name, struct strata_option *out);

/*
 * Changes a setting; what was allocated before stays valid. Each takes effect the next time that it is looked at: memory
 * that a smaller bound no longer allows is given up as threads come to it, or by strata_trim(). Returns
 *   0
 *   EINVAL  a pointer is NULL, the type is not the setting's, or the word not one that it takes, or the signal one that
 *           cannot be handled
 *   ENOENT  no setting has this name
 *   ERANGE  the number is above what the setting allows
 *   EBUSY   the setting (check, reserve, cgroup, numa, domain_debug, profile_signal) can be changed only before the first
 *           allocation, and that has been
 * and leaves the setting as it was unless it returns 0. Waits for nobody, but with the setting profile for the loader's lock:
 * the library that walks stacks is loaded. Does not set errno.
 */
int strata_option_set(const char *name, const struct strata_option *in);

/* ---- Limits ---------------------------------------------------------------------------------------------------------
 *
 * Three settings, all in bytes, 0 for none; by STRATA_OPTIONS or strata_option_set, and changed at any time:
 *
 *   limit       what strata may cost: pages that serve blocks, caches included, and free pages not given back yet (the
 *               statistics' heap_bytes and emergency_bytes, and what they count as metadata of large caches). A call that
 *               would pass it gives back what can be given back, and then fails: NULL and ENOMEM; all that was allocated
 *               before stays, and service resumes when memory was freed. Memory counts when it is handed out, touched or
 *               not. Never passed; a call may fail early by what other threads' calls in progress are moving, at most
 *               256 KiB each, and by what they are just giving back: a block they free, 1 MiB by the clock, 16 MiB in
 *               strata_trim. Metadata (at most 2 % more) is not counted.
 *   limit_soft  when the same sum rises above it, the handler is told; and already as it comes near, free memory goes
 *               back sooner, and less of it is kept.
 *   emergency   so much is held back (counted towards the limit, but never touched). When a call would fail for the first
 *               time that it can serve it is let go, and the call succeeds: what a server needs to log, and to shed load.
 *               It is taken back when the process has freed as much again, or a quarter of what it costs, if that is
 *               less, by the next call after that which the calling thread's cache cannot serve.
 */
enum strata_pressure {
	STRATA_PRESSURE_SOFT = 1,  /* limit_soft was passed; told again only after the sum fell by a sixteenth */
	STRATA_PRESSURE_EMERGENCY, /* the reserve was let go */
	STRATA_PRESSURE_REFUSED    /* a call is about to fail; it is tried once more after the handler returns, and with the reserve
	                          * where that is enough then. Not for what could never be served: above the limit, the
	                          * reservation or the machine */
};

struct strata_pressure_handler {
	/* Called by the thread whose call it was, in the middle of its malloc: bytes is what strata costs. It may call any
	 * function of strata, and free; it is not called again for its own allocations. It must return (no longjmp, exception
	 * or pthread_exit). Called too from within strata_option_set, when a limit is set below what is in use. */
	void (*call)(struct strata_pressure_handler *self, enum strata_pressure what, uint64_t bytes);
	void *context; /* the program's own */
};

/* Sets the process's handler, NULL for none. Returns the former, which another thread may still be calling: *handler must
 * stay valid for the life of the process. */
struct strata_pressure_handler *strata_on_pressure(struct strata_pressure_handler *handler);

/* ---- Messages ------------------------------------------------------------------------------------------------------- */

struct strata_message_handler {
	/* Called in place of writing to stderr, with each line that strata has to say (what is misused, settings not understood,
	 * statistics at exit; not the stacks of domain_debug), "strata: " in front and a newline, no null byte, at its end. It may be
	 * called by any thread, in the middle of any call, a signal handler's included, with a heap held: it may call what is
	 * async-signal-safe, and no function that allocates or frees. It must return; where a misuse is told, abort follows. */
	void (*call)(struct strata_message_handler *self, const char *line, size_t length);
	void *context; /* the program's own */
};

/* Sets the process's handler, NULL for stderr. Returns the former, which another thread may still be calling: *handler must stay
 * valid for the life of the process. */
struct strata_message_handler *strata_on_message(struct strata_message_handler *handler);

/* ---- Who allocated it --------------------------------------------------------------------------------------------- */

/* Writes the heap profile to file: the blocks in use that are watched (setting profile), each with the stack of calls that allocated it,
 * and the process's mappings. The format is that of gperftools (heap_v2), which pprof and jeprof read; they reckon from the sample what
 * all blocks in use are, by the setting's present value: write it before switching the profile off. Objects of types and their
 * buffers are not among them. Stops nobody; what others allocate and free meanwhile may be in it or not. Under check:1 no block is
 * watched. 0, or the errno of write(2). May block where that does. */
int strata_profile_write(int file);

/* ---- Statistics --------------------------------------------------------------------------------------------------- */

/* Totals over the process. Exact when no call is in progress; otherwise within what the calls in progress change. In the child of a
 * fork, what the parent's other threads had cached counts as live: nobody is left who could say which of it was theirs. A
 * thread's blocks of one size are counted in 32 bits: live_bytes, live_blocks and pooled_bytes are true as long as none has
 * 2^32 of them, which are 32 GiB of the smallest. */
struct strata_stats {
	uint64_t live_bytes;     /* in blocks held by the program, by usable size */
	uint64_t live_blocks;    /* number of them */
	uint64_t cached_bytes;   /* free blocks in threads' caches and in batches on their way home */
	uint64_t free_bytes;     /* in pages that are in no use and were handed out before: resident, as far as they were touched */
	uint64_t pooled_bytes;   /* free blocks at home in pools in use */
	uint64_t run_bytes;      /* the part of live_bytes in page runs and direct mappings (blocks above 256 KiB); under
	                          * check:1 with those that are kept back, which are not live */
	uint64_t heap_bytes;     /* pages in use by pools, runs and mappings, plus free_bytes */
	uint64_t metadata_bytes; /* strata's own records, as committed (touched or not) */
	uint64_t reserved_bytes; /* address space reserved; not memory */
	uint64_t purged_bytes;   /* given back to the operating system since the start */
	uint64_t threads;        /* heaps owned by living threads */
	uint64_t heaps;          /* heaps ever created: the most threads that lived at once, nearly */
	uint64_t emergency_bytes; /* held in reserve (the setting emergency): not memory until it is let go */
};

/* Fills *out, of which size = sizeof *out bytes are written at most (a caller compiled against an older, shorter
 * structure gets its part). Stops no thread. Returns 0, or EINVAL for out NULL or size 0. */
int strata_stats_read(struct strata_stats *out, size_t size);

/* The version, as "0.1.0". Signal-safe. */
const char *strata_version(void);

#ifdef __cplusplus
}
#endif

#endif /* STRATA_STRATA_H */
