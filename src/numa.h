/* SPDX-License-Identifier: MIT */
/*
 * The nodes of the machine (NUMA): how many, and on which one the calling thread runs. Learnt once, at the first call, with
 * three system calls; where the machine has one node, or its nodes are not known, nothing more is ever asked.
 */
#ifndef STRATA_NUMA_H
#define STRATA_NUMA_H

#include "compiler.h"

#include <stdint.h>

/* Nodes that are told apart, numbers 0 to 63; threads of those beyond have no preference. */
#define NODES_MOST 64u

#define ANY_NODE UINT32_MAX

/* Learns how many there are. First calls may race; the first to write numa_known, which is 0 before, has said it for all. */
unsigned numa_learn(void);
extern STRATA_HIDDEN _Atomic unsigned numa_known;

/* How many numbers a node may have; 1: nothing is kept by node. The same for the life of the process. */
static inline unsigned numa_nodes(void)
{
	unsigned nodes = atomic_load_explicit(&numa_known, memory_order_relaxed);
	return likely(nodes != 0) ? nodes : numa_learn();
}

/* The node that the calling thread runs on, a moment ago; ANY_NODE: nothing is kept by node, or it is not known. */
unsigned numa_ask(void);
static inline unsigned numa_here(void)
{
	return likely(numa_nodes() == 1) ? ANY_NODE : numa_ask();
}

#endif
