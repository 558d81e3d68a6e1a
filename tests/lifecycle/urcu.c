/* SPDX-License-Identifier: MIT */
/*
 * A program with an RCU of its own, in the flavour that FLAVOUR names (as the header <urcu.h> knows it, or
 * <urcu-FLAVOUR.h>): registered readers that allocate inside and outside of read sections, a writer that retires
 * blocks by call_rcu, callbacks that free, and a fork. Every block is verified where it is read.
 */
#include "lifecycle.h"

#include FLAVOUR_HEADER
#include <pthread.h>
#include <sys/wait.h>

enum { READERS = 4, SLOTS = 16, WRITES = 4000 };

struct item {
	struct rcu_head head;
	char *block;
};

static struct item *slots[SLOTS];
static int stop;

static struct item *item_new(unsigned *seed)
{
	struct item *item = malloc(sizeof *item);

	check(item != NULL);
	item->block = block_new(random_size(seed));
	return item;
}

static void item_free(struct rcu_head *head)
{
	struct item *item = caa_container_of(head, struct item, head);

	block_free(item->block);
	free(item);
}

static void *reader(void *argument)
{
	unsigned seed = (unsigned)(size_t)argument;

	rcu_register_thread();
	while (!CMM_LOAD_SHARED(stop)) {
		const struct item *item;
		char *copy;

		rcu_read_lock();
		item = rcu_dereference(slots[next_random(&seed) % SLOTS]);
		copy = block_new(next_random(&seed) % 300);
		block_check(item->block);
		rcu_read_unlock();
		block_free(copy);
		rcu_quiescent_state();
	}
	rcu_unregister_thread();
	churn(seed, 50);
	return NULL;
}

static void fork_once(void)
{
	int status;
	pid_t child;

	/* Else what call_rcu_before_fork waits for may wait for this thread (qsbr). */
	rcu_thread_offline();
	call_rcu_before_fork();
	child = fork();
	if (child == 0) {
		call_rcu_after_fork_child();
		churn(61, 200);
		_exit(0);
	}
	call_rcu_after_fork_parent();
	check(child > 0 && waitpid(child, &status, 0) == child);
	check(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	rcu_thread_online();
}

static void write_on(void)
{
	unsigned seed = 71;

	for (unsigned i = 0; i < WRITES; i++) {
		struct item *old = rcu_xchg_pointer(&slots[next_random(&seed) % SLOTS], item_new(&seed));

		call_rcu(&old->head, item_free);
		rcu_quiescent_state();
		if (i % 1000 == 500)
			synchronize_rcu();
		if (i == WRITES / 2)
			fork_once();
	}
}

int main(void)
{
	pthread_t threads[READERS];
	unsigned seed = 1;

	rcu_register_thread();
	for (unsigned i = 0; i < SLOTS; i++)
		slots[i] = item_new(&seed);
	for (size_t i = 0; i < READERS; i++)
		check(pthread_create(&threads[i], NULL, reader, (void *)(i + 1)) == 0);
	write_on();
	CMM_STORE_SHARED(stop, 1);
	rcu_thread_offline();
	for (size_t i = 0; i < READERS; i++)
		check(pthread_join(threads[i], NULL) == 0);
	rcu_thread_online();
	rcu_unregister_thread();
	rcu_barrier();
	for (unsigned i = 0; i < SLOTS; i++)
		item_free(&slots[i]->head);
	return 0;
}
