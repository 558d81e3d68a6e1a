/* SPDX-License-Identifier: MIT */
#include "arena_node.h"

#include "arena_count.h"
#include "bit_word.h"

static void move_to(arena_index index, unsigned node)
{
	unsigned before = arena_node(index);
	if (before == node)
		return;
	uint32_t chunk = index / CHUNK_ARENAS;
	if (before != ANY_NODE)
		clear_bit(arena_node_word(chunk, before), arena_bit(index));
	if (node != ANY_NODE)
		set_bit(arena_node_word(chunk, node), arena_bit(index));
	atomic_store(&region.arenas[index].node, node != ANY_NODE ? (uint8_t)(node + 1) : 0);
}

void arena_node_note(arena_index first, size_t count)
{
	unsigned here = numa_here();
	for (arena_index index = first; index < first + count; index++)
		if (arena_costly_pages(index) == 0)
			move_to(index, here);
}
