/* SPDX-License-Identifier: MIT */
/*
 * The reservation under a limit that comes and goes (src/region_fit.c): threads that make more of it memory, and one that unmaps its tail
 * and maps it again.
 *
 * Shown: what was made memory is mapped, whoever comes between whom. All words are sequentially consistent, as in the code; the system
 * refuses to make memory what is not mapped. The search must fail WITHOUT: who extends counting himself in, his reading the bound after
 * that, the bound lowered before the look whether anybody is in, that look, and the look at what is memory already.
 * src/test_model.sh tries that.
 */
#define COUNT 1
#define BOUND 2
#define LOWER 3
#define LOOK 4
#define COMMITTED 5

#ifndef WITHOUT
#define WITHOUT 0
#endif

#define WHOLE 3
#define FITS 2

byte most = WHOLE;
byte extending;
byte span = 1;            /* units that are memory */
byte kept = WHOLE;        /* units that are mapped: those above are not */

#define ALL_IS_MAPPED assert(span <= kept)

proctype extender(byte wanted)
{
	byte bound = WHOLE;
	bit committed;

	if
	:: WITHOUT == BOUND -> bound = most
	:: else -> skip
	fi;
	if
	:: WITHOUT == COUNT -> skip
	:: else -> extending++
	fi;
	if
	:: WITHOUT == BOUND -> skip
	:: else -> bound = most
	fi;
	if
	:: wanted > bound -> skip                 /* refused */
	:: else ->
		committed = (wanted <= kept);     /* os_commit */
		if
		:: committed ->
			d_step {
				span = (wanted > span -> wanted : span);
				ALL_IS_MAPPED
			}
		:: else -> skip
		fi
	fi;
	if
	:: WITHOUT == COUNT -> skip
	:: else -> extending--
	fi
}

inline lower(to)
{
	if
	:: WITHOUT == LOWER -> skip
	:: else -> most = to
	fi;
	if
	:: WITHOUT == LOOK -> alone = 1
	:: else -> alone = (extending == 0)
	fi;
	if
	:: WITHOUT == LOWER -> most = to
	:: else -> skip
	fi;
	if
	:: alone && (span <= to || WITHOUT == COMMITTED) ->
		d_step {
			kept = to;
			ALL_IS_MAPPED
		}
	:: else -> most = kept                    /* it stays as it was */
	fi;
	alone = 0
}

proctype fitter()
{
	bit alone;
	byte times, room;

	do
	:: times == FITS -> break
	:: else ->
		times++;
		if
		:: room = 1
		:: room = 2
		fi;
		lower(room);
		kept = WHOLE;
		most = WHOLE
	od
}

init
{
	atomic {
		run extender(2);
		run extender(3);
		run fitter()
	}
}
