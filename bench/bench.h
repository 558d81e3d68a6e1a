/* SPDX-License-Identifier: MIT */
/*
 * The benchmark's C interface. A load is a C function that allocates and frees; it is registered with its sizes, its
 * number of threads and its set-up, and Google Benchmark (behind shim.cc) runs it.
 *
 * One process runs one load with one allocator, which is preloaded. It goes so:
 *
 *	set_up, thread_set_up in every thread          not timed; base_rss is read after it
 *	work, checking                                 not timed: blocks are filled, and verified when they are freed
 *	work, work, work ...                           timed from the release of the threads to the end of the last
 *	                                               steady_rss is read here
 *	work, checking                                 not timed
 *	(the last two parts again, where Google Benchmark wants more calls of work)
 *	thread_tear_down, tear_down
 *
 * Every call of work ends with no block held, so that any number of calls may follow one another, and the floor (a bump
 * allocator that never frees, bump.c) may begin at its start again.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#ifdef __cplusplus
extern "C" {
#endif

/* In which set a load is. */
enum bench_set {
	BENCH_MAIN,    /* the main table */
	BENCH_SCALING, /* as loads of the main table, with other numbers of threads */
	BENCH_SURFACE, /* time over size and number of live blocks */
	BENCH_MORE,
};

enum bench_order {
	BENCH_IN_ORDER,
	BENCH_REVERSE,
	BENCH_RANDOM,
};

/* From which sizes a load draws. BENCH_FIXED: the load's size always. */
enum bench_sizes {
	BENCH_FIXED,
	BENCH_SMALL,    /* 16 ... 512, uniform */
	BENCH_POWERLAW, /* 8 ... 64 KiB, density falling as size^-1.5, mean about 720 */
	BENCH_RUNS,     /* 64 KiB ... 1 MiB, uniform */
	BENCH_LARGE,    /* 1 MiB ... 30 MiB, uniform */
};

struct bench_run;
struct bench_thread;

struct bench_load {
	enum bench_set set;
	unsigned threads;        /* that the harness starts; the load may start more */
	size_t size;             /* of a block, or 0 */
	size_t count;            /* blocks live at once in a thread, or what the load says */
	size_t repeat;           /* how often, in one call of work */
	enum bench_order order;  /* in which blocks are freed */
	enum bench_sizes sizes;
	unsigned children;       /* threads that one thread starts in one call of work */
	bool check_once;         /* leave out the check after the timed part (a load that takes long) */
	void (*set_up)(struct bench_run *run);
	void (*thread_set_up)(struct bench_thread *thread);
	void (*work)(struct bench_thread *thread);
	void (*thread_tear_down)(struct bench_thread *thread);
	void (*tear_down)(struct bench_run *run);
	void (*report)(struct bench_run *run); /* adds values, with bench_extra; NULL: none */
};

/* A thread of a run. Belongs to that thread; the harness reads ops between calls of work. */
struct bench_thread {
	struct bench_run *run;
	const struct bench_load *load;
	unsigned index;
	bool checking;   /* this call of work fills and verifies */
	uint64_t random; /* state of bench_random */
	uint64_t ops;    /* malloc/free pairs done, or what the load counts */
	void *own;       /* the load's */
};

#define BENCH_EXTRA_MAX 16

/* What a run found. Memory in bytes. */
struct bench_result {
	uint64_t ops;         /* in the timed part */
	double seconds;       /* of the timed part */
	double best_seconds;  /* for an operation, in the fastest call of work */
	double cpu_seconds;   /* of the process in the timed part */
	uint64_t verified;    /* blocks filled and found as filled */
	uint64_t live_peak;   /* bytes requested and not freed, at most: what an exact fit without metadata needs */
	uint64_t base_rss;    /* before the first block */
	uint64_t peak_rss;
	uint64_t steady_rss;  /* after the last timed call of work */
	unsigned extras;
	struct {
		const char *name;
		double value;
	} extra[BENCH_EXTRA_MAX];
};

/* ---- For the loads ---------------------------------------------------------------------------------------------- */

/* Registers a copy of *load under the name that format gives. */
void bench_register(const struct bench_load *load, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Each load_*.c registers its loads; they are listed in the order of the calls in register.c. */
void bench_register_all(void);
void load_pair_register(void);
void load_burst_register(void);
void load_slots_register(void);
void load_larson_register(void);
void load_xmalloc_register(void);
void load_sharing_register(void);
void load_large_register(void);
void load_phases_register(void);
void load_churn_register(void);
void load_realloc_register(void);
void load_objects_register(void);
void load_latency_register(void);
void load_typed_register(void);
void load_cpython_register(void);

/* Ends the process: the allocator did wrong, or the system refused something. */
void bench_fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* Memory of the benchmark's own, not from the allocator; zero and resident. Never freed. */
void *bench_own(size_t size);

const struct bench_load *bench_load_of(struct bench_run *run);

/* The run's shared data of a load, set by set_up. */
void bench_set_data(struct bench_run *run, void *data);
void *bench_data(struct bench_run *run);

/* Adds a value to the result; for report. The name must outlive the run. */
void bench_extra(struct bench_run *run, const char *name, double value);

/* Starts count threads that call work with a bench_thread each (own set to own[i], random numbers and slot of the floor
 * their own), and waits for them. first + i, below load->children, tells the children of one call of work apart. */
void bench_children(struct bench_thread *parent, unsigned first, unsigned count,
                    void (*work)(struct bench_thread *), void **own);

/* The same in two steps, for children that need company. child: count of them, kept by the caller. */
struct bench_child {
	struct bench_thread thread;
	void (*work)(struct bench_thread *);
	unsigned slot;
	unsigned long handle;
};
void bench_child_start(struct bench_child *child, struct bench_thread *parent, unsigned number,
                       void (*work)(struct bench_thread *), void *own);
void bench_child_wait(struct bench_child *child, struct bench_thread *parent);

/* Reads the resident size now, for the peak, when checking; a load calls it where it holds most. */
void bench_at_peak(struct bench_thread *thread);

/* Fills a block, or verifies it as filled and returns its size; ends the process when it is damaged. moved: the block
 * was at filled_at when it was filled. */
void bench_fill(struct bench_thread *thread, void *block, size_t size);
size_t bench_verify(struct bench_thread *thread, const void *block);
size_t bench_verify_moved(struct bench_thread *thread, const void *block, const void *filled_at);

/* The accounts of the two above, for a load that verifies its blocks itself. */
void bench_live_add(size_t size);
void bench_live_sub(size_t size);

/* A table of sizes drawn from a distribution; length a power of two. Same sizes in every run. */
#define BENCH_SIZES_LENGTH 4096u
void bench_draw_sizes(enum bench_sizes sizes, size_t fixed, size_t table[BENCH_SIZES_LENGTH]);

/* 0 ... count-1 in the given order. */
void bench_draw_order(enum bench_order order, uint32_t *table, size_t count);

/* Set when the floor is preloaded: tells it that this thread holds no block. */
extern void (*bench_floor_rewind)(void);

/* xorshift64*: no call, no lock. */
static inline uint64_t bench_random(struct bench_thread *thread)
{
	uint64_t x = thread->random;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	thread->random = x;
	return x * UINT64_C(0x2545f4914f6cdd1d) >> 16;
}

/* This thread holds no block now. */
static inline void bench_empty(void)
{
	if (bench_floor_rewind)
		bench_floor_rewind();
}

/* Writes into a new block: the first word in the timed part, all of it when checking. */
static inline void *bench_touch(struct bench_thread *thread, void *block, size_t size)
{
	if (__builtin_expect(!block, 0))
		bench_fail("no block of %zu bytes", size);
	if (__builtin_expect(thread->checking, 0))
		bench_fill(thread, block, size);
	else
		*(volatile size_t *)block = size;
	return block;
}

/* size at least 8. */
static inline void *bench_get(struct bench_thread *thread, size_t size)
{
	return bench_touch(thread, malloc(size), size);
}

static inline void bench_put(struct bench_thread *thread, void *block)
{
	if (__builtin_expect(thread->checking, 0))
		bench_verify(thread, block);
	free(block);
}

/* ---- For the shim ----------------------------------------------------------------------------------------------- */

size_t bench_loads(void);
const char *bench_load_name(size_t number);
enum bench_set bench_load_set(size_t number);

/* Sets up, and checks. One run in a process. */
struct bench_run *bench_start(size_t number);
/* Begins a timed part: what earlier ones found is dropped. */
void bench_begin(struct bench_run *run);
/* Calls work once in every thread; the seconds it took. */
double bench_once(struct bench_run *run);
/* Ends the timed part: checks, and fills *result. */
void bench_end(struct bench_run *run, struct bench_result *result);
/* Tears down what was started. */
void bench_stop(void);

#ifdef __cplusplus
}
#endif

#endif /* BENCH_H */
