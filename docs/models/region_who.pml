/* SPDX-License-Identifier: MIT */
/*
 * Who fits the reservation to the limit (src/region_fit.c): two threads set limits, two others fork.
 *
 * Shown: when all are through, the reservation is that of the limit in force; and a fork that waited comes when nobody is in the middle
 * of it. All words are sequentially consistent, as in the code. Forks wait for whoever fits, but not for ever: one may give up. The search
 * must fail WITHOUT: the wish that is left, the look of whoever fits whether there is one, that of the fork's end, the limit being read
 * anew for it, the limit being asked for only after one has begun, and the forks being counted before one looks whether somebody fits.
 * src/test_model.sh tries that.
 */
#define WISH 1
#define AGAIN 2
#define FORK_END 3
#define ANEW 4
#define COUNT 5
#define LATE 6

#ifndef WITHOUT
#define WITHOUT 0
#endif

byte limit;     /* in force */
byte kept;      /* what the reservation was last made for */
bit between;    /* somebody is in the middle of that */
bit fits, wish; /* the state's bits, */
byte forks;     /* and its count */

inline fit()
{
	if
	:: WITHOUT == LATE -> seen = limit
	:: else -> skip
	fi;
	atomic {
		if
		:: fits || forks > 0 ->
			done = 1;
			if
			:: WITHOUT != WISH -> wish = 1
			:: else -> skip
			fi
		:: else -> fits = 1; wish = 0; done = 0
		fi
	};
	if
	:: WITHOUT != LATE -> seen = limit
	:: else -> skip
	fi;
	do
	:: done -> break
	:: else ->
		between = 1;
		kept = seen;
		between = 0;
		atomic {
			if
			:: wish && forks == 0 && WITHOUT != AGAIN -> wish = 0
			:: else -> fits = 0; done = 1
			fi
		};
		if
		:: WITHOUT != ANEW -> seen = limit
		:: else -> skip
		fi
	od
}

proctype setter(byte to)
{
	bit done;
	byte seen;

	limit = to;
	fit()
}

proctype forker()
{
	bit done, ends, alone;
	byte seen;

	if
	:: WITHOUT == COUNT -> alone = !fits
	:: else -> skip
	fi;
	forks++;
	if
	:: WITHOUT != COUNT -> alone = !fits
	:: else -> skip
	fi;
	if
	:: alone -> assert(!between)
	:: !alone -> skip                         /* waited in vain; or for longer, and then as above */
	fi;
	atomic {
		forks--;
		ends = (forks == 0 && !fits && wish)
	};
	if
	:: ends && WITHOUT != FORK_END -> fit()
	:: else -> skip
	fi
}

init
{
	atomic {
		run setter(1);
		run setter(2);
		run forker();
		run forker()
	};
	(_nr_pr == 1);
	assert(kept == limit)
}
