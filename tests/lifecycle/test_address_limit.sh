#!/bin/sh
# SPDX-License-Identifier: MIT
# The heap under a limit on address space that is set while the program runs. See address_limit.c, address_limit_races.c,
# address_limit_room.c and address_limit_moves.c.
. "${top_srcdir:-.}/tests/lifecycle/build.sh"

need_library
[ "$(ulimit -v)" = unlimited ] || skip "there is a limit already"
for way in preloaded shared; do
	build $way address_limit
	run $way address_limit
done
STRATA_OPTIONS=check:1 run preloaded address_limit

build preloaded address_limit_races -rdynamic
for name in two_set_it forks_meanwhile an_older_limit_gives_way each_has_its_turn a_wish_is_fulfilled \
	who_stands_is_waited_for_once who_moves_is_waited_for_once a_child_makes_good a_fork_in_the_middle; do
	status=0
	run preloaded address_limit_races $name || status=$?
	[ "$status" -ne 77 ] || { echo "address_limit_races: left out, no seccomp filters here" && break; }
	[ "$status" -eq 0 ] || fail "$name"
done
build preloaded address_limit_room -rdynamic -ldl
run preloaded address_limit_room what_lies_beyond_stays || fail "what_lies_beyond_stays"
build preloaded address_limit_moves -rdynamic
for name in block caches fork; do
	run preloaded address_limit_moves $name || fail "address_limit_moves $name"
done
STRATA_OPTIONS=reserve:16G run preloaded address_limit_room all_comes_back || fail "all_comes_back"
(
	ulimit -v 200000
	STRATA_OPTIONS=reserve:64M run preloaded address_limit_room more_threads_than_heaps
	STRATA_OPTIONS=reserve:64M,check:1 run preloaded address_limit_room more_threads_than_heaps
) || fail "more_threads_than_heaps"
