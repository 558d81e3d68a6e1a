#!/bin/sh
# SPDX-License-Identifier: MIT
# The headers in C, each by itself and in every C and C++ that a compiler here speaks: not a word, however strict it is asked to be.
. "${top_srcdir:-.}/tests/programs.sh"

tried=0

# check_language STANDARD SUFFIX COMPILER...
check_language() {
	standard=$1
	suffix=$2
	shift 2
	: >"$work/empty.$suffix"
	"$@" "-std=$standard" -fsyntax-only "$work/empty.$suffix" >/dev/null 2>&1 || return 0
	tried=$((tried + 1))
	for header in strata domain typed; do
		echo "#include <strata/$header.h>" >"$work/$header.$suffix"
		"$@" "-std=$standard" -Wall -Wextra -Wpedantic -Werror -I"$top_srcdir/include" -fsyntax-only \
			"$work/$header.$suffix" || fail "$header.h, $* -std=$standard"
	done
}

for standard in c89 c99 c11 c17; do
	check_language $standard c $CC
	check_language $standard c clang
done
for standard in c++98 c++11 c++17 c++20; do
	check_language $standard cc $CXX
	check_language $standard cc clang++
done
[ "$tried" -gt 0 ] || skip "no compiler"
