/* SPDX-License-Identifier: MIT */
/*
 * Model of the lists by node (src/arena_list.c, src/arena_node.c), for spin. One arena of two pages, in one chunk, on a machine
 * of two nodes; bucket 0 for one free page, bucket 1 for two:
 *
 *   used == 0   unused: whoever claims it whole moves it to his node, and makes it one of pages
 *   used == 1   of pages, free of them free, or claimed whole
 *
 * The workers claim and return pages, with arena_relist after each change of bucket, one memory access at a time; whoever returns the
 * last page makes the arena unused. A finder walks one node's lists and clears the summary where it finds nothing. When all have
 * ended, an arena with free pages must be in its bucket, and found by the summary of all and by that of its node.
 *
 *   spin -DWALKED=1 -a arena_node.pml && cc -O2 -o pan pan.c && ./pan -m200000
 */
#define NONE 2

/* The node whose lists are walked: the arena begins on node 0, and may move to node 1. */
#ifndef WALKED
#define WALKED 1
#endif

bit used = 1;
byte free = 1;       /* arena->free, as a count; the first process begins with the other page */
byte node = 0;       /* arena->node */
bit mask[2];         /* this arena's bit in the chunk's word of node n */
byte place = 0;      /* its byte in chunk->place */
bit listed[2];       /* this chunk's bit in listed[b] */
bit near[4];         /* this chunk's bit in the summary of node n and bucket b: [n * 2 + b] */
byte running = 0;

inline bucket_of(count, b)
{
	if
	:: count == 0 -> b = NONE
	:: count == 1 -> b = 0
	:: count == 2 -> b = 1
	fi
}

/* Whoever writes looks first, and writes only if needed: two accesses. */
inline set(word, value)
{
	if
	:: word != value -> word = value
	:: else -> skip
	fi
}

inline relist(mine)
{
	do
	:: true ->
		set(place, mine);
		if
		:: mine != NONE ->
			set(listed[mine], 1);
			on = node;
			set(near[on * 2 + mine], 1)
		:: else -> skip
		fi;
		atomic { bucket_of(free, seen) };
		if
		:: seen == mine -> break
		:: else -> mine = seen
		fi
	od
}

/* arena_put_back of one page, and give_back. */
inline return_page()
{
	atomic { bucket_of(free, before); free++; bucket_of(free, after) };
	if
	:: after == 1 ->
		if
		:: atomic { free == 2 -> free = 0 };
			mine = NONE; relist(mine);
			used = 0
		:: free != 2 -> skip
		fi
	:: else -> mine = after; relist(mine)
	fi
}

/* The order: the words of the nodes, then the free word, then the lists. */
inline claim_whole(here)
{
	on = node;
	if
	:: on != here ->
		set(mask[on], 0);
		set(mask[here], 1);
		node = here
	:: else -> skip
	fi;
	free = 1;
	mine = 0; relist(mine)
}

proctype worker(byte here; byte times; bool has_page)
{
	byte before, after, seen, mine, on;
	if
	:: has_page -> return_page()
	:: else -> skip
	fi;
	do
	:: times > 0 ->
		times--;
		if
		:: atomic { free > 0 -> bucket_of(free, before); free--; bucket_of(free, after) };
			mine = after; relist(mine);
			return_page()
		:: atomic { used == 0 -> used = 1 };
			claim_whole(here);
			/* The other page it keeps, so that the arena is on a list at the end. */
			break
		:: free == 0 && used == 1 -> skip
		fi
	:: else -> break
	od;
	running--
}

/* arena_walk_next and take_off_summary; the arena's byte first, then the node's word. */
proctype finder(byte n)
{
	byte b = 0;
	bit there;
	do
	:: b < 2 ->
		if
		:: near[n * 2 + b] == 1 ->
			there = (place == b);
			there = there && mask[n];
			if
			:: there == 0 ->
				near[n * 2 + b] = 0;
				there = (place == b);
				there = there && mask[n];
				if
				:: there == 1 -> near[n * 2 + b] = 1
				:: else -> skip
				fi
			:: else -> skip
			fi
		:: else -> skip
		fi;
		b++
	:: else -> break
	od;
	running--
}

init {
	atomic {
		mask[0] = 1;
		listed[0] = 1;
		near[0] = 1;
		/* What was left of an earlier life. */
		near[2] = 1;
		running = 3;
		run worker(0, 2, true);
		run worker(1, 1, false);
		run finder(WALKED)
	};
	running == 0;
	byte b;
	bucket_of(free, b);
	assert(mask[node] == 1 && mask[1 - node] == 0);
	assert(b == NONE || (place == b && listed[b] == 1 && near[node * 2 + b] == 1))
}
