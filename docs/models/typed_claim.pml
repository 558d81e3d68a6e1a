/* SPDX-License-Identifier: MIT */
/*
 * Model of the claim of a sleeping thread's typed list (src/typed_claim.c), for spin. One list, three objects, LENGTH of them on it
 * at first.
 *
 * slots[1] ... slots[cursor] are the list's. The owner allocates and frees in any order, by hot calls or, where those do not serve,
 * by slow ones; it may stop anywhere, or end. Its stores wait in a buffer of one entry for each word, which drains at any time and in
 * any order: more than any processor reorders. Its loads see its own stores; a membarrier drains the buffer, and so does a release.
 * The claimers, CLAIMS of them and at the same time, have their accesses in order, and take as many as they like. Each membarrier may
 * be refused.
 *
 * Throughout:
 *   no object is handed out that the program has or that is home (in a depot, or in the tier below);
 *   no object is taken home that the program has or that is home;
 *   a list holds no more than its limit.
 * When all have ended:
 *   the list holds the free objects, each once; none if its owner has ended.
 *
 *   spin -DLENGTH=2 -a typed_claim.pml && cc -O2 -o pan pan.c && ./pan -m100000
 *
 * Each of these takes a step away, and must fail: -DWITHOUT=CLAIM, INSIDE, ENTER_BARRIER, BOTTOM, CLOSE_BARRIER, NEWEST, ROOM, END,
 * LEFT.
 */
#ifndef LENGTH
#define LENGTH 2
#endif
#ifndef OPERATIONS
#define OPERATIONS 3
#endif
#ifndef CLAIMS
#define CLAIMS 2
#endif
#define NOTHING 0
#define CLAIM 1          /* the owner's look at claim */
#define INSIDE 2         /* the claimer's look at inside */
#define ENTER_BARRIER 3
#define BOTTOM 4         /* a closed list is empty to the hot calls */
#define CLOSE_BARRIER 5
#define NEWEST 6         /* stays */
#define ROOM 7           /* for one more than is left */
#define END 8            /* an owner that ends looks at claim */
#define LEFT 9           /* and what is left to whoever claims */
#ifndef WITHOUT
#define WITHOUT NOTHING
#endif
#define HAS(step) (WITHOUT != step)

#define OBJECTS 3
#define CLOSED 9

/* Memory, and what the owner has stored and the others do not see yet. */
byte cursor = LENGTH, slots[OBJECTS + 2];
bit inside = 0;
bit cursor_waits, inside_waits, slot_waits[OBJECTS + 2];
byte cursor_stored, slot_stored[OBJECTS + 2];
bit inside_stored;

byte bottom = 0, limit = OBJECTS; /* as hot calls see them: limit is 0 when closed */
byte rest = 0, true_limit = OBJECTS;
mtype = { OPEN, CLAIMED, GIVEN_UP };
mtype claim = OPEN;
bit live = 1;

/* What is so, for the assertions. */
mtype = { FREE, PROGRAM, HOME };
mtype state[OBJECTS + 1] = FREE;
#define any(what) (state[1] == what || state[2] == what || state[3] == what)
bit owner_stopped = 0;
byte claims_ended = 0;

inline drain_cursor() { if :: cursor_waits -> cursor = cursor_stored; cursor_waits = 0; cursor_stored = 0 :: else -> skip fi }
inline drain_inside() { if :: inside_waits -> inside = inside_stored; inside_waits = 0; inside_stored = 0 :: else -> skip fi }
inline drain_slot(s) { if :: slot_waits[s] -> slots[s] = slot_stored[s]; slot_waits[s] = 0; slot_stored[s] = 0 :: else -> skip fi }
inline drain_all() { drain_cursor(); drain_slot(1); drain_slot(2); drain_slot(3); drain_slot(4); drain_inside() }
inline membarrier(step) { if :: HAS(step) -> drain_all() :: else -> skip fi }

/* The processor of the owner, which drains as it likes. */
proctype buffer()
{
	do
	:: d_step { cursor_waits -> drain_cursor() }
	:: d_step { inside_waits -> drain_inside() }
	:: d_step { slot_waits[1] -> drain_slot(1) }
	:: d_step { slot_waits[2] -> drain_slot(2) }
	:: d_step { slot_waits[3] -> drain_slot(3) }
	:: d_step { slot_waits[4] -> drain_slot(4) }
	:: owner_stopped -> break
	od
}

inline load_cursor(to) { if :: cursor_waits -> to = cursor_stored :: else -> to = cursor fi }
inline load_slot(s, to) { if :: slot_waits[s] -> to = slot_stored[s] :: else -> to = slots[s] fi }
inline store_cursor(value) { cursor_stored = value; cursor_waits = 1 }
inline store_slot(s, value) { slot_stored[s] = value; slot_waits[s] = 1 }
inline store_inside(value) { inside_stored = value; inside_waits = 1 }

inline choose(b, what)
{
	if
	:: state[1] == what -> b = 1
	:: state[2] == what -> b = 2
	:: state[3] == what -> b = 3
	fi
}
inline hand_out(b) { assert(b != 0 && state[b] == FREE); state[b] = PROGRAM }
inline take_home(b) { assert(b != 0 && state[b] == FREE); state[b] = HOME }

/* By the owner within a slow call, or with the cache of one that has ended. */
inline open(s)
{
	if
	:: bottom == CLOSED ->
		assert(cursor >= rest && cursor - rest <= true_limit);
		s = 1;
		do
		:: s + rest <= cursor -> slots[s] = slots[s + rest]; s++
		:: else -> break
		od;
		cursor = cursor - rest;
		bottom = 0; rest = 0; s = 0;
		limit = true_limit
	:: else -> skip
	fi
}
inline end_cache(s)
{
	open(s);
	do
	:: cursor > 0 -> take_home(slots[cursor]); cursor--
	:: else -> break
	od;
	live = 0;
	inside = 0
}

/* A slow call: goes on at done without the list if somebody claims it. */
inline enter()
{
	d_step { store_inside(1) };
	if
	:: claim == OPEN || !HAS(CLAIM) -> d_step { drain_all(); open(c) }
	:: else -> d_step { drain_all(); inside = 0 }; goto without
	fi
}
inline leave() { d_step { drain_all(); inside = 0 } }

proctype owner()
{
	byte times = OPERATIONS, c, object;
	do
	:: atomic { times > 0 -> times--; load_cursor(c) }; /* allocates */
		if
		:: c > (HAS(BOTTOM) -> bottom : 0) ->
			d_step { store_cursor(c - 1) };
			d_step { load_slot(c, object); hand_out(object); object = 0; c = 0 }
		:: else ->
			c = 0;
			enter();
			if
			:: d_step { cursor > 0 -> hand_out(slots[cursor]) };
				d_step { cursor-- }
			:: atomic { cursor == 0 && any(HOME) -> choose(object, HOME); state[object] = PROGRAM; object = 0 }
			:: cursor == 0
			fi;
			leave()
		fi
	:: atomic { times > 0 && any(PROGRAM) -> times--; choose(object, PROGRAM); load_cursor(c) }; /* frees */
		if
		:: c < limit ->
			d_step { store_slot(c + 1, object); state[object] = FREE };
			d_step { store_cursor(c + 1); object = 0; c = 0 }
		:: else ->
			c = 0;
			enter();
			if
			:: d_step { cursor < true_limit -> slots[cursor + 1] = object; state[object] = FREE };
				d_step { cursor++ }
			:: d_step { state[object] = HOME }
			fi;
			object = 0;
			leave()
		fi
	:: true -> goto stops
	:: true -> break
	od;
	atomic { true; store_inside(1) }; /* ends */
	if
	:: claim == OPEN || !HAS(END) -> skip
	:: else ->
		if
		:: atomic { claim == CLAIMED -> drain_all(); claim = GIVEN_UP; goto stops }
		:: atomic { claim != CLAIMED -> drain_all() }
		fi
	fi;
	d_step { drain_all(); end_cache(c) };
	goto stops;
without:
	atomic {
		true;
		if
		:: object != 0 -> state[object] = HOME
		:: object == 0 && any(HOME) -> choose(object, HOME); state[object] = PROGRAM
		:: else -> skip
		fi;
		object = 0
	};
stops:
	atomic { true; drain_all(); c = 0; object = 0; owner_stopped = 1 }
}

proctype claimer()
{
	byte seen, taken;
	if
	:: atomic { claim == OPEN -> claim = CLAIMED };
		if
		:: d_step { membarrier(ENTER_BARRIER) }
		:: goto let_go /* refused */
		fi;
		if
		:: inside && HAS(INSIDE) -> goto let_go
		:: else -> skip
		fi;
		if
		:: bottom != CLOSED && cursor > 1 ->
			rest = 0;
			bottom = CLOSED;
			limit = 0;
			if
			:: d_step { membarrier(CLOSE_BARRIER) }
			:: goto let_go /* refused */
			fi
		:: else -> skip
		fi;
		if
		:: bottom == CLOSED -> seen = cursor
		:: else -> goto let_go
		fi;
		do
		:: d_step { seen > rest + taken + HAS(NEWEST) -> taken++; take_home(slots[rest + taken]) }
		:: break
		od;
		atomic {
			true;
			if
			:: seen > rest + taken -> seen = seen - rest - taken
			:: else -> seen = 0
			fi;
			rest = rest + taken;
			if
			:: true_limit > seen + HAS(ROOM) -> true_limit = seen + HAS(ROOM)
			:: else -> skip
			fi
		};
let_go:
		atomic {
			true;
			if
			:: claim == CLAIMED -> claim = OPEN
			:: claim == GIVEN_UP && HAS(LEFT) -> claim = OPEN; end_cache(taken)
			:: claim == GIVEN_UP && !HAS(LEFT) -> claim = OPEN
			fi;
			seen = 0; taken = 0
		}
	:: owner_stopped -> skip
	fi;
	claims_ended++
}

init {
	byte b, s;
	atomic {
		b = 1;
		do
		:: b <= OBJECTS ->
			if
			:: b <= LENGTH -> slots[b] = b
			:: else -> state[b] = PROGRAM
			fi;
			b++
		:: else -> break
		od;
		run owner();
		run buffer();
		b = 0;
		do
		:: b < CLAIMS -> run claimer(); b++
		:: else -> break
		od;
		b = 0
	};
	atomic {
		owner_stopped && claims_ended == CLAIMS;
		assert(live || (!any(FREE) && cursor == 0));
		if
		:: live && !inside -> open(s) /* else it stopped within a slow call */
		:: else -> skip
		fi;
		s = 1;
		do
		:: s <= cursor -> assert(slots[s] != 0 && state[slots[s]] == FREE); state[slots[s]] = HOME; s++
		:: else -> break
		od;
		assert(!any(FREE))
	}
}
