/* SPDX-License-Identifier: MIT */
/*
 * On a machine of several nodes: threads that stay on one each grow, shrink and replace what they have, also after others have ended; the
 * kernel is asked where the pages of their blocks lie. Prints for each round how many of 100 are on the node of the thread that uses them.
 * With an argument that is the least that there must be. 77: the machine has one node.
 */
#include "lifecycle.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>

#define MIB ((size_t)1 << 20)
enum { NODES = 8, EACH = 2, SLOTS = 6000, ROUNDS = 6, PAGE = 4096 };

static cpu_set_t cpus[NODES];
static unsigned nodes;

/* Such as 0-3,8. */
static int read_cpus(unsigned node)
{
	char path[64], *list = NULL;
	size_t room = 0;
	FILE *file;

	snprintf(path, sizeof path, "/sys/devices/system/node/node%u/cpulist", node);
	file = fopen(path, "r");
	if (file == NULL)
		return 0;
	check(getline(&list, &room, file) >= 0);
	fclose(file);
	for (char *at = list; *at >= '0' && *at <= '9';) {
		unsigned long first = strtoul(at, &at, 10), last = first;

		if (*at == '-')
			last = strtoul(at + 1, &at, 10);
		for (; first <= last; first++)
			CPU_SET(first, &cpus[node]);
		at += *at == ',';
	}
	free(list);
	return CPU_COUNT(&cpus[node]) > 0;
}

struct worker {
	pthread_t thread;
	unsigned node, seed;
	unsigned long pages, near;
	char *blocks[SLOTS];
	size_t sizes[SLOTS];
};

/* 8 bytes to 512, to 64 KiB, and few above. */
static size_t some_size(unsigned *seed)
{
	const unsigned kind = next_random(seed) % 16;

	if (kind < 9)
		return 8 + next_random(seed) % 505;
	if (kind < 15)
		return 512 + next_random(seed) % (next_random(seed) % 8 ? 4096 : 64 << 10);
	return next_random(seed) % 64 ? 1000 : 300 << 10;
}

static void set(struct worker *mine, unsigned slot, size_t size)
{
	free(mine->blocks[slot]);
	mine->blocks[slot] = NULL;
	mine->sizes[slot] = size;
	if (size == 0)
		return;
	check((mine->blocks[slot] = malloc(size)) != NULL);
	memset(mine->blocks[slot], (int)slot, size);
}

static void replace_many(struct worker *mine, unsigned times, unsigned live_of_8)
{
	for (unsigned i = 0; i < times; i++) {
		const unsigned slot = next_random(&mine->seed) % SLOTS;

		set(mine, slot, next_random(&mine->seed) % 8 < live_of_8 ? some_size(&mine->seed) : 0);
	}
}

static void count_near(struct worker *mine)
{
	for (unsigned slot = 0; slot < SLOTS; slot++) {
		int status = -1;
		void *page;

		if (mine->blocks[slot] == NULL)
			continue;
		page = (void *)((unsigned long)mine->blocks[slot] & ~(unsigned long)(PAGE - 1));
		check(syscall(SYS_move_pages, 0, 1UL, &page, NULL, &status, 0) == 0);
		if (status < 0)
			continue;
		mine->pages++;
		mine->near += (unsigned)status == mine->node;
	}
}

static void *work(void *argument)
{
	struct worker *mine = argument;

	check(sched_setaffinity(0, sizeof(cpu_set_t), &cpus[mine->node]) == 0);
	replace_many(mine, 4 * SLOTS, 8);
	replace_many(mine, 4 * SLOTS, 2);
	replace_many(mine, 4 * SLOTS, 8);
	count_near(mine);
	for (unsigned slot = 0; slot < SLOTS; slot++)
		set(mine, slot, 0);
	return NULL;
}

int main(int argc, char **argv)
{
	static struct worker workers[NODES * EACH];
	const unsigned least = argc > 1 ? (unsigned)atoi(argv[1]) : 0;

	while (nodes < NODES && read_cpus(nodes))
		nodes++;
	if (nodes < 2)
		return 77;
	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned long pages = 0, near = 0;

		for (unsigned i = 0; i < nodes * EACH; i++) {
			memset(&workers[i], 0, sizeof workers[i]);
			workers[i].node = (i + round) % nodes;
			workers[i].seed = i + 100 * round;
			check(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0);
		}
		for (unsigned i = 0; i < nodes * EACH; i++) {
			check(pthread_join(workers[i].thread, NULL) == 0);
			pages += workers[i].pages;
			near += workers[i].near;
		}
		printf("%u nodes, round %u: %lu of 100\n", nodes, round, near * 100 / pages);
		check(near * 100 / pages >= least);
	}
	return 0;
}
