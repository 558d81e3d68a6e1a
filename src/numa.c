/* SPDX-License-Identifier: MIT */
#include "numa.h"

#include "options.h"
#include "os.h"

#include <stdbool.h>
#include <stddef.h>

STRATA_READ_MOSTLY _Atomic unsigned numa_known;

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* A list such as 0-3,8: the node of the highest number comes last. A single number is a single node, whatever it is. */
static bool read_list(const char *line, void *context)
{
	unsigned *nodes = context;
	unsigned number = 0;
	unsigned numbers = 0;
	for (const char *c = line; *c != '\0'; c++) {
		if (!is_digit(*c))
			continue;
		if (c == line || !is_digit(c[-1])) {
			number = 0;
			numbers++;
		}
		number = (unsigned)size_min(number * 10 + (unsigned)(*c - '0'), NODES_MOST - 1);
	}
	*nodes = numbers > 1 ? number + 1 : 1;
	return false;
}

/* Those that threads can run on: nodes of memory alone are nobody's. */
static unsigned count_nodes(void)
{
	unsigned nodes = 1;
	if (options()->numa == NUMA_AUTO)
		os_each_line("/sys/devices/system/node/has_cpu", read_list, &nodes);
	return nodes;
}

unsigned numa_learn(void)
{
	unsigned before = 0;
	unsigned nodes = count_nodes();
	if (atomic_compare_exchange_strong_explicit(&numa_known, &before, nodes, memory_order_relaxed, memory_order_relaxed))
		return nodes;
	return before;
}

unsigned numa_ask(void)
{
	int node = os_node();
	return node >= 0 && (unsigned)node < numa_nodes() ? (unsigned)node : ANY_NODE;
}
