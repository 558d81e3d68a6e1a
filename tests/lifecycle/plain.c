/* SPDX-License-Identifier: MIT */
/* Threads allocate, verify and free, their own blocks and each other's. Linked and run in every way there is. */
#include "lifecycle.h"

#include <pthread.h>
#include <stdatomic.h>

enum { THREADS = 6, SLOTS = 64 };

static char *_Atomic slots[SLOTS];

/* Each block lands in a slot; whoever takes it out, frees it. */
static void *exchange(void *argument)
{
	unsigned seed = (unsigned)(size_t)argument;

	for (int i = 0; i < 3000; i++)
		block_free(atomic_exchange(&slots[next_random(&seed) % SLOTS], block_new(random_size(&seed))));
	churn(seed, 500);
	return NULL;
}

int main(void)
{
	pthread_t threads[THREADS];

	for (size_t i = 0; i < THREADS; i++)
		check(pthread_create(&threads[i], NULL, exchange, (void *)(i + 1)) == 0);
	for (size_t i = 0; i < THREADS; i++)
		check(pthread_join(threads[i], NULL) == 0);
	for (size_t i = 0; i < SLOTS; i++)
		block_free(slots[i]);
	puts("fine");
	return 0;
}
