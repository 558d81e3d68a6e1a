/* SPDX-License-Identifier: MIT */
/*
 * Model of the hint that an arena has no such run of free pages (arena_note_lack and arena_note_room in src/arena_list.c), for spin. One
 * arena of four pages; two threads that look for runs of two and of three, pages that come back one by one, and a thread that claims two
 * and returns them, one memory access at a time (everything about the lists is sequentially consistent). When all have ended, the hint
 * must be true: nobody passes over the arena for a run that it has.
 *
 *   spin -a arena_lack.pml && cc -O2 -o pan pan.c && ./pan -m200000
 */
byte free = 1;       /* arena->free: page 0; whoever returns the others has them */
byte lacks = 0;      /* the byte of chunk->lacks: no run of so many; 0: not known. The code keeps 256 less that, so that 0 is the least */
byte running = 5;

#define HAS(word, count) ((count == 2 && (word & word >> 1) != 0) || (count == 3 && (word & word >> 1 & word >> 2) != 0))

inline note_room(after)
{
	hint = lacks;
	if
	:: hint != 0 && HAS(after, hint) -> lacks = 0 /* room */
	:: else -> skip
	fi
}

proctype searcher(byte count)
{
	byte seen, hint;
	seen = free;
	if
	:: HAS(seen, count) -> skip
	:: else ->
		hint = lacks;
		if
		:: hint != 0 && hint <= count -> skip
		:: else ->
			lacks = count;
			seen = free; /* again */
			if
			:: HAS(seen, count) -> lacks = 0 /* lack */
			:: else -> skip
			fi
		fi
	fi;
	running--
}

proctype returner(byte page)
{
	byte after, hint;
	atomic { free = free | page; after = free };
	note_room(after);
	running--
}

/* Claims the two lowest pages, if they are free, and returns one after the other. */
proctype worker()
{
	byte after, hint;
	bool claimed = false;
	if
	:: atomic { (free & 3) == 3 -> free = free & ~3; claimed = true }
	:: skip
	fi;
	if
	:: claimed ->
		atomic { free = free | 1; after = free };
		note_room(after);
		atomic { free = free | 2; after = free };
		note_room(after)
	:: else -> skip
	fi;
	running--
}

init {
	atomic {
		run searcher(2);
		run searcher(3);
		run returner(2);
		run returner(4);
		run worker()
	};
	running == 0;
	assert(lacks == 0 || !HAS(free, lacks))
}
