/* SPDX-License-Identifier: MIT */
/*
 * Producers and consumers after xmalloc (Lever and Boreham 2000): some threads only allocate, the others only free. The
 * blocks go over in batches through a bounded queue with a mutex, so that what is live is bounded and the queue costs
 * little for each block.
 */
#include "bench.h"

#include <pthread.h>

#define BATCH   128u
#define BATCHES 64u /* in the queue at most */
#define WORK    1600u /* batches in one call of work; shared out among the producers */

struct queue {
	pthread_mutex_t lock;
	pthread_cond_t filled;
	pthread_cond_t emptied;
	unsigned head, tail; /* batches taken and put, under lock */
	unsigned produced;   /* batches begun, under lock */
	unsigned consumed;   /* batches taken or promised to a consumer, under lock */
	unsigned done;       /* threads at the end of the call, under lock */
	size_t sizes[BENCH_SIZES_LENGTH];
	void *batch[BATCHES][BATCH];
};

static void xmalloc_set_up(struct bench_run *run)
{
	struct queue *queue = bench_own(sizeof *queue);

	pthread_mutex_init(&queue->lock, NULL);
	pthread_cond_init(&queue->filled, NULL);
	pthread_cond_init(&queue->emptied, NULL);
	bench_draw_sizes(BENCH_SMALL, 0, queue->sizes);
	bench_set_data(run, queue);
}

/* Takes a share of the work; false when none is left. */
static bool claim(struct queue *queue, unsigned *counter, unsigned batches)
{
	bool left;

	pthread_mutex_lock(&queue->lock);
	left = *counter < batches;
	if (left)
		++*counter;
	pthread_mutex_unlock(&queue->lock);
	return left;
}

static void produce(struct bench_thread *thread, struct queue *queue, unsigned batches)
{
	void *blocks[BATCH];

	while (claim(queue, &queue->produced, batches)) {
		for (unsigned i = 0; i < BATCH; i++)
			blocks[i] = bench_get(thread, queue->sizes[bench_random(thread) % BENCH_SIZES_LENGTH]);
		pthread_mutex_lock(&queue->lock);
		while (queue->tail - queue->head == BATCHES)
			pthread_cond_wait(&queue->emptied, &queue->lock);
		for (unsigned i = 0; i < BATCH; i++)
			queue->batch[queue->tail % BATCHES][i] = blocks[i];
		queue->tail++;
		pthread_cond_signal(&queue->filled);
		pthread_mutex_unlock(&queue->lock);
	}
}

static void consume(struct bench_thread *thread, struct queue *queue, unsigned batches)
{
	void *blocks[BATCH];

	while (claim(queue, &queue->consumed, batches)) {
		pthread_mutex_lock(&queue->lock);
		while (queue->tail == queue->head)
			pthread_cond_wait(&queue->filled, &queue->lock);
		for (unsigned i = 0; i < BATCH; i++)
			blocks[i] = queue->batch[queue->head % BATCHES][i];
		queue->head++;
		pthread_cond_signal(&queue->emptied);
		pthread_mutex_unlock(&queue->lock);
		for (unsigned i = 0; i < BATCH; i++)
			bench_put(thread, blocks[i]);
		thread->ops += BATCH;
	}
}

/* load->count of the threads produce. */
static void xmalloc_work(struct bench_thread *thread)
{
	struct queue *queue = bench_data(thread->run);
	unsigned threads = thread->load->threads;

	if (thread->index < thread->load->count)
		produce(thread, queue, WORK);
	else
		consume(thread, queue, WORK);
	/* The last to come sets the counters back for the next call. */
	pthread_mutex_lock(&queue->lock);
	if (++queue->done == threads)
		queue->done = queue->produced = queue->consumed = 0;
	pthread_mutex_unlock(&queue->lock);
}

static void add(enum bench_set set, unsigned producers, unsigned consumers)
{
	struct bench_load load = {
		.set = set,
		.threads = producers + consumers,
		.count = producers,
		.set_up = xmalloc_set_up,
		.work = xmalloc_work,
	};

	bench_register(&load, "xmalloc/%u:%u", producers, consumers);
}

void load_xmalloc_register(void)
{
	add(BENCH_MAIN, 1, 1);
	add(BENCH_MAIN, 1, 4);
	add(BENCH_MAIN, 4, 1);
	add(BENCH_MORE, 4, 4);
	add(BENCH_MORE, 1, 15);
	add(BENCH_MORE, 15, 1);
}
