#!/bin/sh
# SPDX-License-Identifier: MIT
# fork, vfork, posix_spawn, and fork in a signal's handler. See fork.c and fork_signal.c.
. "${top_srcdir:-.}/tests/lifecycle/build.sh"

if possible preloaded; then
	build preloaded fork
	run preloaded fork 150 || fail "fork: preloaded, 150 threads"
	echo "fork: preloaded, 150 threads: passed"
fi
each_way fork 20
each_way fork_signal

# With stacks that are walked in the middle of calls.
export STRATA_OPTIONS=profile:4K
for each in preloaded static; do
	possible "$each" || continue
	for program in fork fork_signal; do
		build "$each" $program
		run "$each" $program 20 || fail "$program: $each: $STRATA_OPTIONS"
		echo "$program: $each: $STRATA_OPTIONS: passed"
	done
done
