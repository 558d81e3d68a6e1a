#!/bin/sh
# SPDX-License-Identifier: MIT
#
# z3 on a problem of integer arithmetic, whose numbers and rows are allocated, and one of arrays: stores in two orders.
. "$(dirname "$0")/lib.sh"
uses z3 z3

# Disjunctions of inequalities over a few variables, drawn by numbers that are the same everywhere.
arithmetic() {
	awk -v variables=30 -v clauses=40 '
		function drawn(below)
		{
			state = (state * 1103515245 + 12345) % 2147483648
			return int(state / 65536) % below
		}
		function inequality(   term)
		{
			printf " (<= (+"
			for (term = 0; term < 5; term++)
				printf " (* %d x%d)", drawn(41) - 20, drawn(variables)
			printf ") %d)", drawn(400) - 300
		}
		BEGIN {
			state = 7
			print "(set-logic QF_LIA)"
			for (i = 0; i < variables; i++)
				printf "(declare-fun x%d () Int)\n(assert (and (<= 0 x%d) (<= x%d 1000)))\n", i, i, i
			for (i = 0; i < clauses; i++) {
				printf "(assert (or"
				inequality()
				inequality()
				print "))"
			}
			print "(check-sat)"
		}'
}

arrays() {
	awk -v stores=60 '
		BEGIN {
			print "(set-logic QF_ABV)\n(declare-fun a () (Array (_ BitVec 32) (_ BitVec 32)))"
			forth = back = "a"
			for (i = 0; i < stores; i++) {
				printf "(declare-fun i%d () (_ BitVec 32))\n(declare-fun v%d () (_ BitVec 32))\n", i, i
				all = all " i" i
				forth = "(store " forth " i" i " v" i ")"
				back = "(store " back " i" (stores - 1 - i) " v" (stores - 1 - i) ")"
			}
			printf "(assert (distinct%s))\n(assert (not (= %s %s)))\n(check-sat)\n", all, forth, back
		}'
}

setup() {
	{
		arithmetic
		echo '(reset)'
		arrays
	} >"$DATA/problem.smt2"
}

load() {
	timed z3 "$DATA/problem.smt2"
	[ "$(tr '\n' ' ' <"$RUN/out")" = "sat unsat " ] || die "z3 says: $(head -n 3 "$RUN/out")"
}

runner "$@"
