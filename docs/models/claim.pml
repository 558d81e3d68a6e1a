/* SPDX-License-Identifier: MIT */
/*
 * Model of the claim of a sleeping thread's bin (src/claim.c), for spin. One bin, three blocks, LENGTH of them free at first.
 *
 * The bin is an array: slots[0] is NULL, top is the newest block's slot, and above it there may be what once was there. The owner
 * allocates and frees in any order and may stop anywhere. Its stores wait in a buffer of one entry for each word, which drains at
 * any time and in any order: more than any processor reorders. Its loads see its own stores; a membarrier drains the buffer.
 * The scavengers, CLAIMS of them and one after the other, have their accesses in order. Either membarrier may be refused; a bin
 * may be passed over, for want of room in the budget; and its slots may be set aside at once, in a later round, or never.
 *
 * To set the slots aside is one step: a store of the owner is in what was set aside, or comes into the new slots. A doubt is
 * written down, or for want of room put back where it was. One that is at home may be taken for one that is out, as others'
 * blocks are. When top is below the bottom, what is found there may be anything.
 *
 * Throughout:
 *   no block is handed out that the program has or that is home;
 *   no block is taken home that the program has or that is home;
 *   a claim of a bin whose owner has gone takes all, but for the block in doubt;
 *   no free finds its block on top already, which would be taken for a second free.
 * When all have ended:
 *   the bin has limit - credit blocks;
 *   after a claim_end they are in slots 1 to top, each once and without a mark, and no free block is missing.
 *
 *   spin -DLENGTH=2 -a claim.pml && cc -O2 -o pan pan.c && ./pan -m100000
 *
 * Each of these takes a step away, and must fail: -DWITHOUT=GATE, GATE_BARRIER, MARK, COMPARE, MARK_BARRIER, LOOK_AGAIN, LOWER,
 * TOP_FIRST, SLOT_FIRST, CREDIT_LAST, UNDO, UNMARK, EMPTY, DOUBT, SEEN, ABOVE, BACK_COMPARE; LOWER only with two claims or more.
 */
#ifndef LENGTH
#define LENGTH 2
#endif
#ifndef OPERATIONS
#define OPERATIONS 4
#endif
#ifndef CLAIMS
#define CLAIMS 2
#endif
#define NOTHING 0
#define GATE 1
#define GATE_BARRIER 2
#define MARK 3
#define COMPARE 4
#define MARK_BARRIER 5
#define LOOK_AGAIN 6     /* at top, after the marks */
#define LOWER 7          /* of top before the marks and after */
#define TOP_FIRST 8      /* malloc: top, then the slot */
#define SLOT_FIRST 9     /* free: the slot, then top */
#define CREDIT_LAST 10   /* malloc: credit once it has a block */
#define UNDO 11
#define UNMARK 12
#define EMPTY 13         /* limit == credit, else the slots are let be */
#define DOUBT 14
#define SEEN 15          /* the doubt: what was in the slot seen */
#define ABOVE 16         /* or in the one above */
#define BACK_COMPARE 17  /* when a doubt is put back */
#ifndef WITHOUT
#define WITHOUT NOTHING
#endif
#define HAS(step) (WITHOUT != step)

#define BLOCKS 3
#define MARKED 4
#define is_marked(p) ((p) > MARKED)
#define is_block(p) ((p) != 0 && (p) < MARKED)
#define unmarked(p) ((p) % MARKED)

/* Memory, and what the owner has stored and the others do not see yet. top is -1 while an empty bin's malloc looks at slots[0]. */
short top = LENGTH, credit = BLOCKS - LENGTH;
byte slots[BLOCKS + 2];
bit top_waits, credit_waits, slot_waits[BLOCKS + 1];
short top_stored, credit_stored;
byte slot_stored[BLOCKS + 1];

bit closed = 0;       /* the gate */
bit busy = 0;         /* the lock; with it: */
short limit = BLOCKS;
bit claimed = 0;      /* the gate stays closed */
bit slots_gone = 0;
byte doubt = 0;

/* What is so, for the assertions. */
mtype = { FREE, PROGRAM, HOME };
mtype state[BLOCKS + 1] = FREE;
#define any(what) (state[1] == what || state[2] == what || state[3] == what)
#define is_gone(b) (state[b] != FREE || doubt == b)

bit owner_ended = 0;
byte claims_ended = 0;

inline drain_top() { if :: top_waits -> top = top_stored; top_waits = 0; top_stored = 0 :: else -> skip fi }
inline drain_credit() { if :: credit_waits -> credit = credit_stored; credit_waits = 0; credit_stored = 0 :: else -> skip fi }
inline drain_slot(s) { if :: slot_waits[s] -> slots[s] = slot_stored[s]; slot_waits[s] = 0; slot_stored[s] = 0 :: else -> skip fi }
inline drain_all() { drain_top(); drain_credit(); drain_slot(1); drain_slot(2); drain_slot(3) }
inline membarrier(step) { if :: HAS(step) -> drain_all() :: else -> skip fi }

/* The processor of the owner, which drains as it likes. Ends with the owner, who drains then. */
proctype buffer()
{
	do
	:: d_step { top_waits -> drain_top() }
	:: d_step { credit_waits -> drain_credit() }
	:: d_step { slot_waits[1] -> drain_slot(1) }
	:: d_step { slot_waits[2] -> drain_slot(2) }
	:: d_step { slot_waits[3] -> drain_slot(3) }
	:: owner_ended -> break
	od
}

/* The owner's loads see its own stores. */
inline load_top(to) { if :: top_waits -> to = top_stored :: else -> to = top fi }
inline load_slot(s, to) { if :: slot_waits[s] -> to = slot_stored[s] :: else -> to = slots[s] fi }
inline store_top(value) { top_stored = value; top_waits = 1 }
inline store_slot(s, value) { slot_stored[s] = value; slot_waits[s] = 1 }
inline add_credit(n)
{
	if :: credit_waits -> credit_stored = credit_stored + n :: else -> credit_stored = credit + n fi;
	credit_waits = 1
}

/* Loads a slot; a block that has no mark is the program's from here. */
inline pop(s, p)
{
	assert(s >= 0);
	load_slot(s, p);
	if :: is_block(p) -> assert(state[p] == FREE); state[p] = PROGRAM :: else -> skip fi
}
inline push_slot(s, block) { store_slot(s, block); state[block] = FREE }
inline take_home(b) { assert(state[b] == FREE); state[b] = HOME }

/* With the lock, by the owner or when it has left. */
inline compact_bin()
{
	n = limit - credit;
	assert(n >= 0 && n <= top);
	s = 1;
	do
	:: s <= n ->
		p = slots[top - n + s];
		if :: p == 0 -> p = doubt :: else -> skip fi;
		slots[s] = (HAS(UNMARK) -> unmarked(p) : p);
		s++
	:: else -> break
	od;
	top = n;
	limit = BLOCKS;
	credit = BLOCKS - n;
	s = 0; n = 0; p = 0
}
inline open_gate() { slots_gone = 0; doubt = 0; claimed = 0; closed = 0 }
inline claim_end() { if :: closed -> compact_bin(); open_gate() :: else -> skip fi }

/* Which the program holds and frees, which are home: any. */
inline choose(b, what)
{
	if
	:: state[1] == what -> b = 1
	:: state[2] == what -> b = 2
	:: state[3] == what -> b = 3
	fi
}

/* The slow path: takes the lock, else the owner leaves. */
inline enter_or_leave()
{
	if
	:: !busy -> drain_all(); claim_end()
	:: else -> goto left_heap
	fi
}

inline look_for_twice() { load_top(t); load_slot(t, p); assert(p != block); p = 0 }

proctype owner()
{
	byte times = OPERATIONS, p, block;
	short t, s, n;
	do
	:: d_step { times > 0 -> times--; if :: HAS(CREDIT_LAST) -> skip :: else -> add_credit(1) fi }; /* malloc */
		if
		:: HAS(TOP_FIRST) ->
			d_step { load_top(t); store_top(t - 1) };
			d_step { pop(t, p) }
		:: !HAS(TOP_FIRST) ->
			d_step { load_top(t); pop(t, p) };
			d_step { store_top(t - 1) }
		fi;
		if
		:: d_step { is_block(p) -> p = 0; t = 0; if :: HAS(CREDIT_LAST) -> add_credit(1) :: else -> skip fi }
		:: d_step { !is_block(p) -> p = 0; if :: HAS(CREDIT_LAST) -> skip :: else -> add_credit(-1) fi };
			d_step { if :: HAS(UNDO) -> store_top(t) :: else -> skip fi; t = 0 };
			atomic {
				enter_or_leave();
				if /* a block that was home, or none */
				:: any(HOME) -> choose(block, HOME); state[block] = PROGRAM; block = 0
				:: true
				fi
			}
		fi
	:: atomic { times > 0 && any(PROGRAM) -> times--; choose(block, PROGRAM) } /* free */
		if
		:: !closed || !HAS(GATE) ->
			d_step { add_credit(-1) };
			d_step { look_for_twice() };
			if
			:: HAS(SLOT_FIRST) ->
				d_step { push_slot(t + 1, block) };
				d_step { store_top(t + 1); block = 0; t = 0 }
			:: !HAS(SLOT_FIRST) ->
				d_step { store_top(t + 1) };
				d_step { push_slot(t + 1, block); block = 0; t = 0 }
			fi
		:: else ->
			d_step { look_for_twice(); t = 0 };
			atomic {
				enter_or_leave();
				if
				:: top++; slots[top] = block; credit--; state[block] = FREE
				:: state[block] = HOME
				fi;
				block = 0
			}
		fi
	:: true -> break
	od;
left_heap:
	atomic { true; drain_all(); owner_ended = 1 }
}

/* A slot that changes between the load and the exchange stays without a mark. */
inline mark(s) { if :: slots[s] == p || !HAS(COMPARE) -> slots[s] = p + MARKED :: else -> skip fi }

inline set_aside()
{
	slots_gone = 1;
	if
	:: seen >= 0 -> p = slots[seen]; above = slots[seen + 1]
	:: else -> above = slots[0]
	fi;
	slots[0] = 0; slots[1] = 0; slots[2] = 0; slots[3] = 0; slots[4] = 0;
	if
	:: (p == 0 && HAS(ABOVE)) || !HAS(SEEN) -> p = above; seen++
	:: else -> skip
	fi;
	p = unmarked(p);
	above = 0
}
inline put_back() { if :: seen >= 0 && (slots[seen] == 0 || !HAS(BACK_COMPARE)) -> slots[seen] = p :: else -> skip fi }

proctype scavenger()
{
	short seen, s;
	byte p, above;
	bit alone;
	if
	:: atomic { !busy -> busy = 1; alone = owner_ended; closed = 1 };
		if
		:: d_step { membarrier(GATE_BARRIER); claimed = 1 }
		:: atomic { true; if :: !claimed -> open_gate() :: else -> skip fi; goto let_go } /* refused */
		fi;

		atomic { seen = top; s = seen };
		if
		:: limit - credit > 0 -> skip
		:: true -> goto taken /* or passed over */
		fi;
		do
		:: atomic { s >= 1 -> p = slots[s] };
			if
			:: atomic { p == 0 -> break }
			:: d_step { p != 0 -> if :: is_block(p) && HAS(MARK) -> mark(s) :: else -> skip fi; s--; p = 0 }
			fi
		:: atomic { s < 1 -> break }
		od;
		if
		:: d_step { membarrier(MARK_BARRIER) }
		:: goto let_go /* refused */
		fi;
		d_step { s = (!HAS(LOOK_AGAIN) || (seen < top && HAS(LOWER)) -> seen : top); seen = 0; p = 0 };
		do
		:: atomic { s >= 1 -> p = slots[s] };
			if
			:: atomic { p == 0 -> break }
			:: d_step {
				p != 0 ->
				if
				:: is_marked(p) || !HAS(MARK) -> slots[s] = 0; p = unmarked(p); take_home(p); limit--
				:: else -> skip
				fi;
				s--; p = 0 }
			fi
		:: atomic { s < 1 -> break }
		od;
		assert(!alone || (is_gone(1) && is_gone(2) && is_gone(3)));
taken:
		atomic { seen = top; s = 0; p = 0; alone = 0 };
		if
		:: !slots_gone && (limit == credit || !HAS(EMPTY)) -> skip
		:: true -> goto let_go /* or in a later round */
		fi;
		atomic {
			if
			:: seen < 0 -> if :: p = 0 :: p = 1 :: p = 2 :: p = 3 fi
			:: else -> skip
			fi;
			set_aside();
			if
			:: p == 0 || !HAS(DOUBT) -> goto let_go
			:: p != 0 && state[p] == HOME -> goto let_go
			:: p != 0 && HAS(DOUBT) -> doubt = p; goto let_go
			:: p != 0 && HAS(DOUBT) /* no room */
			fi
		};
		d_step { put_back() };
let_go:
		atomic { true; alone = 0; p = 0; s = 0; seen = 0; busy = 0 }
	:: owner_ended -> skip
	fi;
	claims_ended++
}

init {
	byte p, b;
	short s, n;
	atomic {
		b = 1;
		do
		:: b <= BLOCKS ->
			if
			:: b <= LENGTH -> slots[b] = b
			:: else -> state[b] = PROGRAM
			fi;
			b++
		:: else -> break
		od;
		if /* The program has its blocks from here or from elsewhere. */
		:: slots[1] = 1; slots[2] = 2; slots[3] = 3; slots[4] = 1
		:: true
		fi;
		run owner();
		run buffer();
		b = 0;
		do
		:: b < CLAIMS -> run scavenger(); b++
		:: else -> break
		od
	};
	owner_ended && claims_ended == CLAIMS;
	atomic {
		b = (state[1] == FREE) + (state[2] == FREE) + (state[3] == FREE);
		assert(b == limit - credit);
		claim_end();
		assert(b == limit - credit && b == top && !closed);
		s = 1;
		do
		:: s <= top -> assert(is_block(slots[s]) && state[slots[s]] == FREE); state[slots[s]] = PROGRAM; s++
		:: else -> break
		od;
		assert(!any(FREE))
	}
}
