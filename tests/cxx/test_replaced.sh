#!/bin/sh
# SPDX-License-Identifier: MIT
# A program that replaces some of the operators.
. "${top_srcdir:-.}/tests/cxx/build.sh"

[ -e "$library" ] || skip "no shared library was built"
usable $CXX $flags || skip "no C++ compiler ($CXX)"
$CXX $flags -o "$work/linked" "$sources/replaced.cc" "$library" -Wl,-rpath,"${library%/*}"
"$work/linked" || fail "linked"
$CXX $flags -o "$work/preloaded" "$sources/replaced.cc"
LD_PRELOAD=$library "$work/preloaded" || fail "preloaded"

# Each of the eight that others are defined by alone, and with its partner; sets as in the source. Statically two of the pairs, since
# such a link takes long where the archive was built for optimisation in each.
for set in 1 2 4 8 16 32 64 128 17 34 68 136; do
	$CXX $flags -DREPLACED=$set -c -o "$work/some.o" "$sources/replaced_some.cc"
	$CXX $flags -o "$work/linked" "$work/some.o" "$library" -Wl,-rpath,"${library%/*}"
	"$work/linked" || fail "linked, set $set"
	case $set in
	17 | 136)
		[ -e "$archive" ] || continue
		$CXX $flags -o "$work/static" "$work/some.o" "$archive" $static_libs
		"$work/static" || fail "libstrata.a, set $set"
		;;
	esac
done
