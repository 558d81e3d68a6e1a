/* SPDX-License-Identifier: MIT */
/*
 * Runs a load: its threads, its time, its memory. One run at a time.
 *
 * The threads of a load stay for the whole run and are released together for each call of work. A load of one thread
 * is called by the main thread itself.
 */
#include "bench.h"
#include "check.h"
#include "clock.h"
#include "floor.h"
#include "memory.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define LOADS_MAX   512
#define NAME_LENGTH 64
#define THREADS_MAX 64

struct bench_run {
	const char *name;
	const struct bench_load *load;
	void *data;
	struct bench_thread *threads; /* load->threads of them */
	pthread_t handles[THREADS_MAX];
	pthread_barrier_t start; /* the threads and the main thread */
	pthread_barrier_t end;
	bool over;               /* written by the main thread before start, read by the threads after it */
	uint64_t peak_seen;      /* highest resident size read by bench_at_peak */
	struct bench_result result;
};

static struct {
	char name[NAME_LENGTH];
	struct bench_load load;
} loads[LOADS_MAX];

static size_t loads_count;
static struct bench_run the_run;

void bench_register(const struct bench_load *load, const char *format, ...)
{
	va_list arguments;

	if (loads_count == LOADS_MAX || load->threads == 0 || load->threads > THREADS_MAX)
		bench_fail("load %zu cannot be registered", loads_count);
	va_start(arguments, format);
	vsnprintf(loads[loads_count].name, sizeof loads[0].name, format, arguments);
	va_end(arguments);
	loads[loads_count++].load = *load;
}

size_t bench_loads(void)
{
	if (!loads_count)
		bench_register_all();
	return loads_count;
}

const char *bench_load_name(size_t number)
{
	return loads[number].name;
}

enum bench_set bench_load_set(size_t number)
{
	return loads[number].load.set;
}

void bench_fail(const char *format, ...)
{
	va_list arguments;

	fputs("bench: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	_Exit(1);
}

void *bench_own(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (at == MAP_FAILED)
		bench_fail("no %zu bytes for the benchmark itself", size);
	return at;
}

const struct bench_load *bench_load_of(struct bench_run *run)
{
	return run->load;
}

void bench_set_data(struct bench_run *run, void *data)
{
	run->data = data;
}

void *bench_data(struct bench_run *run)
{
	return run->data;
}

void bench_extra(struct bench_run *run, const char *name, double value)
{
	struct bench_result *result = &run->result;

	if (result->extras == BENCH_EXTRA_MAX)
		bench_fail("too many values: %s", name);
	result->extra[result->extras].name = name;
	result->extra[result->extras++].value = value;
}

void bench_at_peak(struct bench_thread *thread)
{
	if (!thread->checking)
		return;

	uint64_t now = memory_resident();

	if (now > __atomic_load_n(&thread->run->peak_seen, __ATOMIC_RELAXED))
		__atomic_store_n(&thread->run->peak_seen, now, __ATOMIC_RELAXED);
}

static void thread_init(struct bench_thread *thread, struct bench_run *run, unsigned index)
{
	memset(thread, 0, sizeof *thread);
	thread->run = run;
	thread->load = run->load;
	thread->index = index;
	thread->random = UINT64_C(0x9e3779b97f4a7c15) * (index + 1);
}

static void work_once(struct bench_thread *thread)
{
	floor_enter(thread->index);
	thread->load->work(thread);
	floor_leave();
}

static void *thread_main(void *argument)
{
	struct bench_thread *thread = argument;
	struct bench_run *run = thread->run;

	if (run->load->thread_set_up)
		run->load->thread_set_up(thread);
	pthread_barrier_wait(&run->end); /* set up */
	for (;;) {
		pthread_barrier_wait(&run->start);
		if (run->over)
			break;
		work_once(thread);
		pthread_barrier_wait(&run->end);
	}
	if (run->load->thread_tear_down)
		run->load->thread_tear_down(thread);
	return NULL;
}

static void set_checking(struct bench_run *run, bool checking)
{
	for (unsigned i = 0; i < run->load->threads; i++)
		run->threads[i].checking = checking;
}

static uint64_t ops_of(const struct bench_run *run)
{
	uint64_t ops = 0;

	for (unsigned i = 0; i < run->load->threads; i++)
		ops += run->threads[i].ops;
	return ops;
}

/* One call of work in every thread; nanoseconds. */
static uint64_t run_once(struct bench_run *run)
{
	if (run->load->threads == 1) {
		uint64_t begin = clock_ns();

		work_once(&run->threads[0]);
		return clock_ns() - begin;
	}
	pthread_barrier_wait(&run->start);

	uint64_t begin = clock_ns();

	pthread_barrier_wait(&run->end);
	return clock_ns() - begin;
}

double bench_once(struct bench_run *run)
{
	uint64_t ops = ops_of(run), cpu = clock_cpu_ns();
	double seconds = (double)run_once(run) * 1e-9, each;
	struct bench_result *result = &run->result;

	ops = ops_of(run) - ops;
	result->cpu_seconds += (double)(clock_cpu_ns() - cpu) * 1e-9;
	result->seconds += seconds;
	result->ops += ops;
	each = seconds / (double)(ops ? ops : 1);
	if (result->best_seconds == 0 || each < result->best_seconds)
		result->best_seconds = each;
	return seconds;
}

static void check_run(struct bench_run *run)
{
	set_checking(run, true);
	run_once(run);
	set_checking(run, false);
	if (check_live())
		bench_fail("%s: the load ended with blocks held", run->name);
}

static void threads_start(struct bench_run *run)
{
	unsigned threads = run->load->threads;

	run->threads = bench_own(threads * sizeof *run->threads);
	for (unsigned i = 0; i < threads; i++)
		thread_init(&run->threads[i], run, i);
	if (threads == 1) {
		if (run->load->thread_set_up)
			run->load->thread_set_up(&run->threads[0]);
		return;
	}
	pthread_barrier_init(&run->start, NULL, threads + 1);
	pthread_barrier_init(&run->end, NULL, threads + 1);
	for (unsigned i = 0; i < threads; i++)
		if (pthread_create(&run->handles[i], NULL, thread_main, &run->threads[i]))
			bench_fail("thread %u not started", i);
	pthread_barrier_wait(&run->end);
}

static void threads_stop(struct bench_run *run)
{
	unsigned threads = run->load->threads;

	if (threads == 1) {
		if (run->load->thread_tear_down)
			run->load->thread_tear_down(&run->threads[0]);
	} else {
		run->over = true;
		pthread_barrier_wait(&run->start);
		for (unsigned i = 0; i < threads; i++)
			pthread_join(run->handles[i], NULL);
		pthread_barrier_destroy(&run->start);
		pthread_barrier_destroy(&run->end);
	}
	munmap(run->threads, threads * sizeof *run->threads);
}

struct bench_run *bench_start(size_t number)
{
	struct bench_run *run = &the_run;

	floor_find();
	memset(run, 0, sizeof *run);
	run->name = loads[number].name;
	run->load = &loads[number].load;
	if (run->load->set_up)
		run->load->set_up(run);
	threads_start(run);
	run->result.base_rss = memory_resident();
	check_run(run);
	return run;
}

void bench_begin(struct bench_run *run)
{
	struct bench_result *result = &run->result;

	*result = (struct bench_result){.base_rss = result->base_rss};
}

void bench_end(struct bench_run *run, struct bench_result *result)
{
	uint64_t peak;

	run->result.steady_rss = memory_resident();
	if (!run->load->check_once)
		check_run(run);
	if (run->load->report)
		run->load->report(run);
	peak = memory_peak();
	run->result.peak_rss = peak > run->peak_seen ? peak : run->peak_seen;
	run->result.verified = check_verified();
	run->result.live_peak = check_live_peak();
	*result = run->result;
}

void bench_stop(void)
{
	struct bench_run *run = &the_run;

	if (!run->load)
		return;
	threads_stop(run);
	if (run->load->tear_down)
		run->load->tear_down(run);
}

/* ---- Children --------------------------------------------------------------------------------------------------- */

static void *child_main(void *argument)
{
	struct bench_child *child = argument;

	floor_enter(child->slot);
	child->work(&child->thread);
	floor_leave();
	return NULL;
}

void bench_child_start(struct bench_child *child, struct bench_thread *parent, unsigned number,
                       void (*work)(struct bench_thread *), void *own)
{
	pthread_t handle;

	thread_init(&child->thread, parent->run, parent->index);
	child->thread.random = bench_random(parent) | 1;
	child->thread.checking = parent->checking;
	child->thread.own = own;
	child->work = work;
	child->slot = parent->load->threads + parent->index * parent->load->children + number;
	if (pthread_create(&handle, NULL, child_main, child))
		bench_fail("thread not started");
	child->handle = (unsigned long)handle;
}

void bench_child_wait(struct bench_child *child, struct bench_thread *parent)
{
	pthread_join((pthread_t)child->handle, NULL);
	parent->ops += child->thread.ops;
}

void bench_children(struct bench_thread *parent, unsigned first, unsigned count,
                    void (*work)(struct bench_thread *), void **own)
{
	struct bench_child child[16];

	if (count > sizeof child / sizeof child[0])
		bench_fail("%u children at once", count);
	for (unsigned i = 0; i < count; i++)
		bench_child_start(&child[i], parent, first + i, work, own ? own[i] : NULL);
	for (unsigned i = 0; i < count; i++)
		bench_child_wait(&child[i], parent);
}
