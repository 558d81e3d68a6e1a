/* SPDX-License-Identifier: MIT */
/*
 * Proves: threads are created and destroyed by the ten thousand, each dying with blocks that other threads, later ones,
 * verify and free; what the dead leave is taken over: neither resident memory nor the number of heaps grows once the
 * first thousand have come and gone. 32 live at a time. Runs until 12000 threads have ended, and for at least
 * STRATA_STRESS_SECONDS (2).
 */
#include "stress.h"

#define WAVE 32
#define LEFT 40
#define NESTS 128

/* What a thread leaves. It lies in a slot until another thread takes it. */
struct nest {
	struct piece pieces[LEFT];
};

static struct nest nests[NESTS];
static _Atomic(struct nest *) slots[NESTS];

static struct nest *take(uint64_t *random)
{
	struct nest *nest;

	/* There are more nests than threads at once, so a taken one is always found. */
	do
		nest = atomic_exchange(&slots[random_below(random, NESTS)], NULL);
	while (nest == NULL);
	return nest;
}

static void put(struct nest *nest, uint64_t *random)
{
	struct nest *none;

	do
		none = NULL;
	while (!atomic_compare_exchange_weak(&slots[random_below(random, NESTS)], &none, nest));
}

static void *body(void *argument)
{
	uint64_t random = (uintptr_t)argument * 2 + 1;
	struct nest *nest = take(&random);
	struct piece own[LEFT];

	/* The old ones go in between, so that blocks of the dead come home while this thread allocates. */
	for (size_t i = 0; i < LEFT; i++) {
		own[i] = piece_new(random_size(&random, MIB), &random);
		if (nest->pieces[i].block != NULL)
			piece_free(&nest->pieces[i]);
	}
	for (size_t i = 0; i < LEFT; i++)
		if (i % 4 == 0)
			piece_free(&own[i]);
	for (size_t i = 0; i < LEFT; i++)
		nest->pieces[i] = own[i];
	put(nest, &random);
	return NULL;
}

static void wave(uint64_t number)
{
	pthread_t threads[WAVE];

	for (size_t i = 0; i < WAVE; i++)
		threads[i] = stress_thread(body, (void *)(uintptr_t)(number * WAVE + i));
	for (size_t i = 0; i < WAVE; i++)
		stress_join(threads[i]);
}

static void *waves(void *ended)
{
	size_t least = stress_scale(12000) / WAVE, warm = least / 8, number = 0, resident = 0;
	struct strata_stats first = {0}, last;

	for (; number < least || !stress_over(); number++) {
		if (number == warm) {
			resident = resident_bytes();
			strata_stats_read(&first, sizeof first);
		}
		wave(number);
	}
	strata_stats_read(&last, sizeof last);
	check_resident("threads come and go", resident + resident / 2 + 32 * MIB);
	if (last.heaps > first.heaps + WAVE)
		fatal("stress_threads: heaps grew from %zu to %zu", (size_t)first.heaps, (size_t)last.heaps);
	*(size_t *)ended = number * WAVE;
	return NULL;
}

int main(void)
{
	size_t ended = 0;
	pthread_t thread;

	stress_begin("stress_threads");
	for (size_t i = 0; i < NESTS; i++)
		atomic_store(&slots[i], &nests[i]);
	thread = stress_thread(waves, &ended);
	stress_run_for(1);
	stress_join(thread);
	for (size_t n = 0; n < NESTS; n++)
		for (size_t i = 0; i < LEFT; i++)
			if (nests[n].pieces[i].block != NULL)
				piece_free(&nests[n].pieces[i]);
	return stress_end("%zu threads", ended);
}
