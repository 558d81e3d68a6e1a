/* SPDX-License-Identifier: MIT */
/*
 * Model of the shared arena lists (src/arena_list.c), for spin. One arena of two pages, in one chunk; two buckets:
 *
 *   free == 0   on no list        free == 1   bucket 0        free == 2   bucket 1
 *
 * Each process claims and returns pages, with arena_relist after each change of bucket, one memory access at a time
 * (everything about the lists is sequentially consistent). A finder walks the lists and clears the summary bit of an empty
 * bucket. When all have ended, the arena must be on the list where its free word belongs, on no other, and findable by the
 * summary: no free page is ever lost.
 *
 *   spin -a arena_list.pml && cc -O2 -o pan pan.c && ./pan -m200000
 *   spin -DWITH='worker(1)' -a arena_list.pml && cc -O2 -o pan pan.c && ./pan -m200000
 */
#define NONE 2

/* The other process beside a worker and the finder: a second worker, or one that keeps its page. */
#ifndef WITH
#define WITH keeper()
#endif

byte free = 2;       /* arena->free, as a count */
byte place = 1;      /* this arena's byte in chunk->place */
bit listed[2];       /* this chunk's bit in listed[b] */
byte running = 0;
bool begun = false;

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
		:: mine != NONE -> set(listed[mine], 1)
		:: else -> skip
		fi;
		atomic { bucket_of(free, seen) };
		if
		:: seen == mine -> break
		:: else -> mine = seen
		fi
	od
}

/* A claim of one page (a CAS that takes one), then its return (an OR), as many times as given. */
proctype worker(byte times)
{
	byte before, after, seen, mine;
	do
	:: times > 0 ->
		times--;
		if
		:: atomic { free > 0 -> bucket_of(free, before); free--; bucket_of(free, after) };
			if
			:: before != after -> mine = after; relist(mine)
			:: else -> skip
			fi;
			atomic { bucket_of(free, before); free++; bucket_of(free, after) };
			if
			:: before != after -> mine = after; relist(mine)
			:: else -> skip
			fi
		:: free == 0 -> skip
		fi
	:: else -> break
	od;
	running--
}

/* One page is claimed and kept: the end state is not always the same. */
proctype keeper()
{
	byte before, after, seen, mine;
	if
	:: atomic { free > 0 -> bucket_of(free, before); free--; bucket_of(free, after) };
		if
		:: before != after -> mine = after; relist(mine)
		:: else -> skip
		fi
	:: free == 0 -> skip
	fi;
	running--
}

/* walk_next: clears the summary bit of an empty bucket, looks again, and sets it back if the bucket is not empty now; and
 * relists an arena that it finds without free pages. */
proctype finder()
{
	byte b = 0, seen, mine;
	do
	:: b < 2 ->
		if
		:: listed[b] == 1 ->
			if
			:: place != b ->
				listed[b] = 0;
				if
				:: place == b -> listed[b] = 1
				:: else -> skip
				fi
			:: else ->
				if
				:: free == 0 -> mine = NONE; relist(mine)
				:: else -> skip
				fi
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
		listed[1] = 1;
		running = 3;
		run worker(1);
		run WITH;
		run finder()
	};
	running == 0;
	byte b;
	bucket_of(free, b);
	assert(place == b);
	assert(b == NONE || listed[b] == 1)
}
