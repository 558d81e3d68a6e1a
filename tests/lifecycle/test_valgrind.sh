#!/bin/sh
# SPDX-License-Identifier: MIT
# Under valgrind, which has little address space to give and a scheduler of its own.
. "${top_srcdir:-.}/tests/lifecycle/build.sh"

command -v valgrind >/dev/null 2>&1 || skip "no valgrind"
valgrind --tool=none -q true >"$work/valgrind.log" 2>&1 || skip "valgrind does not work here"

# With --tool=none the program keeps the malloc that it has. memcheck puts its own in its place, unless
# soname-synonyms says otherwise; it then knows no blocks of the program, and its findings about them mean nothing:
# only its running counts.
for each in preloaded shared archive; do
	possible "$each" || continue
	build "$each" plain
	run_log=$work/run.log
	for tool in "none" "memcheck --undef-value-errors=no --soname-synonyms=somalloc=nouserintercepts"; do
		preload=
		[ "$each" != preloaded ] || preload=$library
		LD_PRELOAD=$preload valgrind --tool=$tool -q \
			"$work/plain.$each" >"$run_log" 2>&1 || {
			! grep -q 'debuginfo reader: ensure_valid failed' "$run_log" ||
				skip "valgrind cannot read this compiler's debug information"
			cat "$run_log" >&2
			fail "plain: $each: valgrind --tool=$tool"
		}
		grep -q '^fine$' "$run_log" || fail "plain: $each: valgrind --tool=$tool: said nothing"
		echo "plain: $each: valgrind --tool=$tool: passed"
	done
done
