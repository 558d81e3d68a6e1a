/* SPDX-License-Identifier: MIT */
/*
 * Proves: where some threads only allocate and others only free (1 to 1, 1 to 16, 16 to 1), contents stay, and resident
 * memory is bounded by what was live at most, not by what went through. Runs for STRATA_STRESS_SECONDS (2), a third for
 * each shape.
 */
#include "stress.h"

#include <string.h>

#define MOST 17
#define LENGTH 4096
#define LARGEST (64 * KIB)

/* A bounded queue. Pieces go through by value. */
static struct {
	pthread_mutex_t mutex;
	pthread_cond_t not_empty, not_full;
	struct piece pieces[LENGTH];
	size_t head, used;
	size_t live, peak, through;
	bool closed;
} queue = {.mutex = PTHREAD_MUTEX_INITIALIZER, .not_empty = PTHREAD_COND_INITIALIZER,
	   .not_full = PTHREAD_COND_INITIALIZER};

static void put(const struct piece *piece)
{
	pthread_mutex_lock(&queue.mutex);
	while (queue.used == LENGTH)
		pthread_cond_wait(&queue.not_full, &queue.mutex);
	queue.pieces[(queue.head + queue.used++) % LENGTH] = *piece;
	queue.live += piece->size;
	if (queue.live > queue.peak)
		queue.peak = queue.live;
	queue.through += piece->size;
	pthread_cond_signal(&queue.not_empty);
	pthread_mutex_unlock(&queue.mutex);
}

static bool get(struct piece *piece)
{
	bool had;

	pthread_mutex_lock(&queue.mutex);
	while (queue.used == 0 && !queue.closed)
		pthread_cond_wait(&queue.not_empty, &queue.mutex);
	had = queue.used != 0;
	if (had) {
		*piece = queue.pieces[queue.head];
		queue.head = (queue.head + 1) % LENGTH;
		queue.used--;
		queue.live -= piece->size;
		pthread_cond_signal(&queue.not_full);
	}
	pthread_mutex_unlock(&queue.mutex);
	return had;
}

static void *produce(void *argument)
{
	uint64_t random = (uintptr_t)argument + 1;

	while (!stress_over()) {
		struct piece piece = piece_new(random_size(&random, LARGEST), &random);

		put(&piece);
	}
	return NULL;
}

static void *consume(void *unused)
{
	struct piece piece;

	while (get(&piece))
		piece_free(&piece);
	return unused;
}

static size_t shape(size_t producers, size_t consumers)
{
	pthread_t threads[2 * MOST];
	size_t before = resident_bytes(), peak, bound, count = 0;

	queue.closed = false;
	queue.live = queue.peak = queue.through = 0;
	atomic_store(&stress_stop, false);
	for (size_t i = 0; i < producers; i++)
		threads[count++] = stress_thread(produce, (void *)i);
	for (size_t i = 0; i < consumers; i++)
		threads[count++] = stress_thread(consume, NULL);
	stress_run_for(1.0 / 3);
	pthread_mutex_lock(&queue.mutex);
	peak = queue.peak;
	pthread_mutex_unlock(&queue.mutex);
	/* Live: the queue at its peak, and a block in each hand. Beside it a cache and a stack for each thread. */
	bound = before + 2 * (peak + count * LARGEST) + count * 3 * MIB + 16 * MIB;
	check_resident("producers and consumers", bound);
	for (size_t i = 0; i < producers; i++)
		stress_join(threads[i]);
	pthread_mutex_lock(&queue.mutex);
	queue.closed = true;
	pthread_cond_broadcast(&queue.not_empty);
	pthread_mutex_unlock(&queue.mutex);
	for (size_t i = producers; i < count; i++)
		stress_join(threads[i]);
	check_resident("producers and consumers, at the end", bound);
	return queue.through;
}

int main(void)
{
	size_t one, fan_out, fan_in;

	stress_begin("stress_producer_consumer");
	one = shape(1, 1);
	fan_out = shape(1, MOST - 1);
	fan_in = shape(MOST - 1, 1);
	return stress_end("1:1 %zu MiB, 1:N %zu MiB, N:1 %zu MiB through", one / MIB, fan_out / MIB, fan_in / MIB);
}
