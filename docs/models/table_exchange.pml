/* SPDX-License-Identifier: MIT */
/*
 * The exchange of a domain's table of functions (src/domain_table.c): a caller that has its record, a thread that takes one
 * meanwhile and then calls, and a setter that goes from the built-in table to A, back, and to B.
 *
 * Shown: when the setter has waited, nobody is in the former table, nor comes to it again (its slot is written anew, its
 * context gone); no block of a table in force is freed on the fast path; and when a setter has returned, the routes of all records lead to what it set.
 *
 * RCU is what it promises: the setter waits until each reader has been outside a read section since the wait began. All
 * words are sequentially consistent, as in the code. The search must fail without: the wait, the look at in_force within the
 * read section, the second look of whoever takes a record, the setter's walks, and the first of them before the new table is in force.
 * src/test_model.sh tries that.
 */

#define BUILTIN 0
#define CALLERS 2

bit diverted;             /* what the routes follow */
byte in_force = BUILTIN;  /* the table; 1 and 2 are slots of a user's */
bit valid[3];             /* the slot holds a table whose context is there */
bit fast[CALLERS];        /* the record's route: 1, the built-in table without a look at in_force */
byte records = 1;         /* those that the setter's walk sees */
bit inside[CALLERS];      /* in a read section */
byte sections[CALLERS];   /* how many it has begun */
byte running = 3;

/* set_route: stores what diverted asks for, and looks again. */
inline set_route(record, seen)
{
	do
	:: seen = diverted;
		fast[record] = !seen;
		if
		:: diverted == seen -> break   /* second look */
		:: else -> skip
		fi
	od;
	seen = 0
}

inline set_routes(seen)
{
	set_route(0, seen);
	if
	:: records == 2 -> set_route(1, seen)
	:: else -> skip
	fi
}

inline call_domain(self, table)
{
	if
	:: fast[self] -> skip              /* the built-in table */
	:: else ->
		table = in_force;          /* NULL: no read section */
		if
		:: table == BUILTIN -> skip
		:: else ->
			atomic { inside[self] = 1; sections[self]++ };
			table = in_force;  /* within the section */
			if
			:: table == BUILTIN -> skip
			:: else ->
				assert(valid[table]);
				skip;      /* in the table */
				assert(valid[table])
			fi;
			inside[self] = 0;
			/* A block of the table in force is not freed on the fast path. */
			assert(table == BUILTIN || in_force != table || !fast[self])
		fi
	fi;
	table = BUILTIN
}

proctype caller()
{
	byte table;
	call_domain(0, table);
	call_domain(0, table);
	running--
}

proctype newcomer()
{
	byte table, seen;
	records = 2;
	set_route(1, seen);
	call_domain(1, table);
	running--
}

inline synchronize(waited)
{
	waited = sections[0];
	(!inside[0] || sections[0] != waited);
	waited = sections[1];
	(!inside[1] || sections[1] != waited)
}

inline set_table(table, former, seen, waited)
{
	former = in_force;
	valid[table] = (table != BUILTIN);
	if
	:: table != BUILTIN ->
		diverted = 1;
		set_routes(seen)           /* close */
	:: else -> skip
	fi;
	in_force = table;                  /* publish */
	if
	:: former != BUILTIN ->
		synchronize(waited);       /* wait */
		valid[former] = 0
	:: else -> skip
	fi;
	if
	:: table == BUILTIN ->
		diverted = 0;
		set_routes(seen)           /* open */
	:: else -> skip
	fi
}

proctype setter()
{
	byte former, seen, waited;
	set_table(1, former, seen, waited);
	set_table(NEXT, former, seen, waited);
	set_table(LAST, former, seen, waited);
	running--
}

init {
	atomic {
		fast[0] = 1;
		run caller();
		run newcomer();
		run setter()
	};
	running == 0;
	assert(fast[0] == (in_force == BUILTIN));
	assert(fast[1] == (in_force == BUILTIN))
}
