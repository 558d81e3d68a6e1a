/* SPDX-License-Identifier: MIT */
/*
 * Model of how a dead heap comes on the stack (src/heap.c: heap_release, revive, heap_list_if_wanted), for spin. One heap, with an owner
 * who leaves it; scavengers who come to it whatever it is, if nobody is in it; and those who need a heap: they pop it and make it
 * theirs, or find somebody in it, and leave it again after that.
 *
 *   spin -a dead_heap.pml && cc -O2 -o pan pan.c && ./pan -m200000
 *
 * One memory access at a time; each of them is sequentially consistent, or an exchange, or has a fence behind or before it. It is on
 * the stack once at most; when all have ended nobody is in it, and it is on the stack.
 */
byte busy = 0;
bool dead = false;
bool unlisted = false;
byte listed = 0;     /* how many times it is on the stack */
byte running = 0;

inline list_if_wanted()
{
	if
	:: unlisted ->
		if
		:: busy == 0 ->
			if
			:: atomic { unlisted -> unlisted = false };
				atomic { listed++; assert(listed == 1) }
			:: atomic { !unlisted -> skip }
			fi
		:: else -> skip
		fi
	:: else -> skip
	fi
}

inline list_when_free()
{
	unlisted = true;
	list_if_wanted()
}

/* heap_release: gets in or not, and is dead in any case. */
inline leave()
{
	if
	:: atomic { busy == 0 -> busy = 1 };
		dead = true;
		busy = 0
	:: atomic { busy != 0 -> skip };
		dead = true
	fi;
	list_when_free()
}

proctype owner()
{
	leave();
	running--
}

/* revive, and the end of the thread that it was for. */
proctype reviver(byte times)
{
	do
	:: times > 0 ->
		times--;
		if
		:: atomic { listed > 0 -> listed-- };
			assert(dead);
			if
			:: atomic { busy == 0 -> busy = 1 };
				dead = false;
				busy = 0;
				leave()
			:: atomic { busy != 0 -> skip };
				list_when_free()
			fi
		:: atomic { listed == 0 -> skip }
		fi
	:: else -> break
	od;
	running--
}

/* heap_try_lock_other, and heap_look_after_dead. */
proctype scavenger(byte times)
{
	do
	:: times > 0 ->
		times--;
		if
		:: atomic { busy == 0 -> busy = 1 };
			busy = 0;
			list_if_wanted()
		:: atomic { busy != 0 -> skip }
		fi
	:: else -> break
	od;
	running--
}

init {
	atomic {
		running = 5;
		run owner();
		run reviver(2);
		run reviver(1);
		run scavenger(2);
		run scavenger(1)
	};
	running == 0;
	assert(busy == 0 && dead && !unlisted && listed == 1)
}
