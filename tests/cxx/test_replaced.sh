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
