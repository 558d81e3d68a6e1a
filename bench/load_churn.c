/* SPDX-License-Identifier: MIT */
/*
 * Threads that come and go. churn: one thread after another starts, makes its first few calls, and ends; an
 * operation is one thread. parked: many threads live at once, each holding a few blocks and doing nothing; shows the
 * memory for each thread.
 */
#include "bench.h"

#include <pthread.h>

#define PARKED 200u
#define BLOCKS 10u

static void few_blocks(struct bench_thread *thread)
{
	void *blocks[BLOCKS];

	for (unsigned i = 0; i < BLOCKS; i++)
		blocks[i] = bench_get(thread, 16 + 48 * i);
	for (unsigned i = 0; i < BLOCKS; i++)
		bench_put(thread, blocks[i]);
}

static void churn_work(struct bench_thread *thread)
{
	for (size_t i = 0; i < thread->load->repeat; i++)
		bench_children(thread, 0, 1, few_blocks, NULL);
	thread->ops += thread->load->repeat;
}

struct parked {
	pthread_barrier_t all;  /* every thread holds its blocks */
	pthread_barrier_t read; /* the resident size was read */
	struct bench_child child[PARKED];
};

static void parked_set_up(struct bench_run *run)
{
	struct parked *parked = bench_own(sizeof *parked);

	pthread_barrier_init(&parked->all, NULL, PARKED + 1);
	pthread_barrier_init(&parked->read, NULL, PARKED + 1);
	bench_set_data(run, parked);
}

static void parked_child(struct bench_thread *thread)
{
	struct parked *parked = bench_data(thread->run);
	void *blocks[BLOCKS];

	for (unsigned i = 0; i < BLOCKS; i++)
		blocks[i] = bench_get(thread, 16 + 48 * i);
	pthread_barrier_wait(&parked->all);
	pthread_barrier_wait(&parked->read);
	for (unsigned i = 0; i < BLOCKS; i++)
		bench_put(thread, blocks[i]);
}

static void parked_work(struct bench_thread *thread)
{
	struct parked *parked = bench_data(thread->run);

	for (unsigned i = 0; i < PARKED; i++)
		bench_child_start(&parked->child[i], thread, i, parked_child, NULL);
	pthread_barrier_wait(&parked->all);
	bench_at_peak(thread);
	pthread_barrier_wait(&parked->read);
	for (unsigned i = 0; i < PARKED; i++)
		bench_child_wait(&parked->child[i], thread);
	thread->ops += PARKED;
}

void load_churn_register(void)
{
	struct bench_load churn = {
		.set = BENCH_MAIN,
		.threads = 1,
		.children = 1,
		.repeat = 200,
		.work = churn_work,
	};
	struct bench_load parked = {
		.set = BENCH_MAIN,
		.threads = 1,
		.children = PARKED,
		.set_up = parked_set_up,
		.work = parked_work,
	};

	bench_register(&churn, "churn/threads:1");
	bench_register(&parked, "churn/parked:%u", PARKED);
	churn.set = BENCH_MORE;
	churn.threads = 4;
	bench_register(&churn, "churn/threads:4");
	churn.threads = 1;
	churn.repeat = 10000;
	churn.check_once = true;
	bench_register(&churn, "churn/10000");
}
