/* SPDX-License-Identifier: MIT */
/*
 * Model of the claim of a sleeping thread's bin (src/claim.c), for spin. One bin, three blocks, LENGTH of them free at first.
 *
 * The owner allocates and frees in any order and may stop anywhere. Its stores wait in a buffer of one entry for each word, which
 * drains at any time and in any order: more than any processor reorders. What the program writes into a block that it
 * got is seen at once, the worst there is. A membarrier drains the buffer. The scavenger's own accesses are in order.
 *
 * When all have ended and a limbo has been resolved:
 *   no block was handed out, or taken home, that the program had;
 *   no block is lost;
 *   limit - credit is the length of the bin.
 *
 *   spin -DLENGTH=2 -a claim.pml && cc -O2 -o pan pan.c && ./pan -m100000
 *
 * Each of these takes a step away, and must fail: -DWITHOUT=GATE, GATE_BARRIER, EXCHANGE_BARRIER, WALK_BARRIER,
 * COUNT_BARRIER, COUNT_AGAIN, COUNT, EMPTY, CREDIT_FIRST, LIMBO.
 */
#ifndef LENGTH
#define LENGTH 2
#endif
#ifndef OPERATIONS
#define OPERATIONS 4
#endif
#define NOTHING 0
#define GATE 1
#define GATE_BARRIER 2
#define EXCHANGE_BARRIER 3
#define WALK_BARRIER 4
#define COUNT_BARRIER 5
#define COUNT_AGAIN 6
#define COUNT 7
#define EMPTY 8
#define CREDIT_FIRST 9
#define LIMBO 10
#ifndef WITHOUT
#define WITHOUT NOTHING
#endif
#define HAS(step) (WITHOUT != step)

#define BLOCKS 3

/* Memory, and what the owner has stored and the others do not see yet. */
byte head = 0;
short credit = 0;
byte link[BLOCKS + 1];
bit head_waits, credit_waits, link_waits;
byte head_stored, link_block, link_stored;
short credit_stored;

short limit = BLOCKS;
bit closed = 0;           /* the gate */
bit busy = 0;
byte limbo = 0;           /* a list that is not certain */

/* What is so, for the assertions. */
mtype = { FREE, PROGRAM, HOME };
mtype state[BLOCKS + 1] = FREE;

bit owner_ended = 0;
byte claims_ended = 0;

inline drain_head() { if :: head_waits -> head = head_stored; head_waits = 0 :: else -> skip fi }
inline drain_credit() { if :: credit_waits -> credit = credit_stored; credit_waits = 0 :: else -> skip fi }
inline drain_link() { if :: link_waits -> link[link_block] = link_stored; link_waits = 0 :: else -> skip fi }
inline drain_all() { drain_head(); drain_credit(); drain_link() }
inline membarrier(step) { if :: HAS(step) -> atomic { drain_all() } :: !HAS(step) -> skip fi }

/* The processor of the owner, which drains as it likes. Ends with the owner, who drains then (it takes a lock, or ends). */
proctype buffer()
{
	do
	:: atomic { head_waits -> drain_head() }
	:: atomic { credit_waits -> drain_credit() }
	:: atomic { link_waits -> drain_link() }
	:: owner_ended -> break
	od
}

/* The owner's loads see its own stores. */
inline add_credit(n)
{
	d_step {
		if :: credit_waits -> credit_stored = credit_stored + n
		:: else -> credit_stored = credit + n; credit_waits = 1
		fi
	}
}
inline load_head(to) { d_step { if :: head_waits -> to = head_stored :: else -> to = head fi } }
inline load_link(b, to) { d_step { if :: link_waits && link_block == b -> to = link_stored :: else -> to = link[b] fi } }
inline store_head(value) { d_step { head_stored = value; head_waits = 1 } }
/* One entry for all links: an older one drains first. */
inline store_link(b, value) { d_step { drain_link(); link_block = b; link_stored = value; link_waits = 1 } }

/* Under the lock, in order: steps over a chain, at most one more than most. */
inline walk(from, most, length)
{
	at = from; length = 0;
	do
	:: at != 0 && length <= most -> atomic { length++; at = link[at] }
	:: else -> break
	od
}

/* Puts one block, which is said to be free, where its pool keeps it. */
inline take_home(b)
{
	d_step { assert(state[b] == FREE); state[b] = HOME }
}
inline take_list_home(from, n)
{
	at = from;
	left = n;
	do
	:: left > 0 && at != 0 -> d_step { taken = at; at = link[taken] }; take_home(taken); left--
	:: else -> break
	od
}

/* With the lock, by the owner or when it has left: heap_wake. */
inline wake()
{
	if
	:: limbo != 0 ->
		walk(head, limit - credit, length);
		/* As many as the bin lacks: none when the owner has put the list back. */
		walked = limit - credit - (HAS(LIMBO) -> length : 0);
		take_list_home(limbo, walked);
		limit = limit - walked;
		limbo = 0
	:: else -> skip
	fi;
	closed = 0
}

/* The slow path: takes the lock, else the owner leaves. */
inline enter_or_leave()
{
	atomic {
		true; drain_all();
		if
		:: !busy -> busy = 1
		:: else -> goto left_heap
		fi
	}
}

/* Which the program holds and frees: any. Which value it writes: any block, or none. */
inline choose_held(b)
{
	if
	:: state[1] == PROGRAM -> b = 1
	:: state[2] == PROGRAM -> b = 2
	:: state[3] == PROGRAM -> b = 3
	fi
}
inline scribble(b)
{
	if
	:: true
	:: atomic { true; drain_link(); link[b] = 0 }
	:: atomic { true; drain_link(); link[b] = 1 + b % BLOCKS }
	fi
}

proctype owner()
{
	byte times = OPERATIONS, top, next, block, at, length, walked, left, taken;
	do
	:: times > 0 ->
		times--;
		if
		:: true -> /* malloc */
			if :: HAS(CREDIT_FIRST) -> add_credit(1) :: !HAS(CREDIT_FIRST) -> skip fi;
			load_head(top);
			if
			:: top == 0 ->
				if :: HAS(CREDIT_FIRST) -> add_credit(-1) :: !HAS(CREDIT_FIRST) -> skip fi;
				enter_or_leave();
				wake();
				busy = 0
			:: else ->
				load_link(top, next);
				store_head(next);
				if :: !HAS(CREDIT_FIRST) -> add_credit(1) :: HAS(CREDIT_FIRST) -> skip fi;
				d_step { assert(state[top] == FREE); state[top] = PROGRAM };
				scribble(top)
			fi
		:: state[1] == PROGRAM || state[2] == PROGRAM || state[3] == PROGRAM -> /* free */
			d_step { choose_held(block) };
			if
			:: !closed ->
				if :: HAS(CREDIT_FIRST) -> add_credit(-1) :: !HAS(CREDIT_FIRST) -> skip fi;
				load_head(top);
				d_step { store_link(block, top); state[block] = FREE };
				store_head(block);
				if :: !HAS(CREDIT_FIRST) -> add_credit(-1) :: HAS(CREDIT_FIRST) -> skip fi
			:: else ->
				enter_or_leave();
				wake();
				d_step { link[block] = head; head = block; credit--; state[block] = FREE };
				busy = 0
			fi
		fi
	:: true -> break
	od;
left_heap:
	atomic { true; drain_all(); owner_ended = 1 }
}

proctype scavenger()
{
	byte old, at, length, left, taken;
	short first, second;
	bit no_head;
	if
	:: atomic { !busy -> busy = 1 };
		if :: HAS(GATE) -> closed = 1 :: !HAS(GATE) -> skip fi;
		membarrier(GATE_BARRIER);
		if
		:: limbo != 0 -> skip  /* its bin is let alone */
		:: else ->
			d_step { old = head; head = 0 };
			if
			:: old == 0 -> skip
			:: else ->
				membarrier(EXCHANGE_BARRIER);
				first = credit;
				walk(old, limit - first, length);
				membarrier(WALK_BARRIER);
				no_head = (head == 0);
				membarrier(COUNT_BARRIER);
				second = credit;
				if
				:: (no_head || !HAS(EMPTY)) && (first == second || !HAS(COUNT_AGAIN)) &&
				   (length == limit - (HAS(COUNT_AGAIN) -> second : first) || !HAS(COUNT)) ->
					take_list_home(old, length);
					limit = limit - length
				:: else -> limbo = old
				fi
			fi
		fi;
		busy = 0
	:: owner_ended -> skip
	fi;
	claims_ended++
}

init {
	byte at, length, walked, left, taken, b;
	atomic {
		/* A chain LENGTH ... 1. */
		head = LENGTH;
		credit = BLOCKS - LENGTH;
		b = 1;
		do
		:: b <= BLOCKS ->
			if
			:: b <= LENGTH -> link[b] = b - 1
			:: else -> state[b] = PROGRAM
			fi;
			b++
		:: else -> break
		od;
		run owner();
		run buffer();
		run scavenger();
#ifdef TWICE
		run scavenger()
#endif
	};
#ifdef TWICE
	owner_ended && claims_ended == 2;
#else
	owner_ended && claims_ended == 1;
#endif
	atomic {
		wake();
		walk(head, BLOCKS, length);
		assert(length == limit - credit);
		/* All that is free is in the bin. */
		at = head;
		b = 0;
		do
		:: at != 0 && b <= BLOCKS -> assert(state[at] == FREE); b++; at = link[at]
		:: else -> break
		od;
		left = (state[1] == FREE) + (state[2] == FREE) + (state[3] == FREE);
		assert(left == b)
	}
}
