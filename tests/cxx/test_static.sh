#!/bin/sh
# SPDX-License-Identifier: MIT
# C++ programs linked with libstrata.a, dynamic and -static; the link itself says nothing.
. "${top_srcdir:-.}/tests/cxx/build.sh"

[ -e "$archive" ] || skip "no static library was built"
usable $CXX $flags || skip "no C++ compiler ($CXX)"

# check_static NAME FLAGS...
check_static() {
	name=$1
	shift
	for program in operators replaced; do
		echo "$name: $program"
		$CXX $flags "$@" -o "$work/$program" "$sources/$program.cc" "$archive" $static_libs \
			>"$work/link.log" 2>&1 || {
			cat "$work/link.log" >&2
			fail "$name: $program does not link"
		}
		[ ! -s "$work/link.log" ] || {
			cat "$work/link.log" >&2
			fail "$name: $program: the link is not silent"
		}
		"$work/$program" || fail "$name: $program"
	done
}

check_static "libstrata.a"
usable $CXX $flags -static || skip "no static C++ library (libstdc++-dev, libc6-dev)"
echo 'int main() { return 0; }' >"$work/usable.cc"
$CXX -static -o "$work/usable" "$work/usable.cc" $static_libs >"$work/usable.log" 2>&1 || skip "no liburcu-bp.a"
check_static "libstrata.a, -static" -static
