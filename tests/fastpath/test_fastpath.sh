#!/bin/sh
# SPDX-License-Identifier: MIT
# Counts the instructions of malloc and free, of C++'s new and delete and of the typed calls, on the way to the common
# return, in the shared library as built, and fails when there are more than the design allows or one of them locks. The
# count is stated for gcc -O2 on x86-64.
# How the way is found: fastpath.awk.
set -eu

: "${top_srcdir:=.}" "${top_builddir:=.}" "${CC:=cc}"
library=${STRATA_LIBRARY:-$top_builddir/src/.libs/libstrata.so.0}
objdump=${OBJDUMP:-objdump}
readelf=${READELF:-readelf}
domain_malloc_most=24
domain_free_most=29
malloc_most=15
free_most=20
# What an operator takes more that C++ defines by another: is the other one still ours? And the size to be kept.
asked=3
sized=1
fixed_most=10
tuple_most=14

skip() {
	echo "skipped: $*"
	exit 77
}

# The last -O counts; instrumentation adds instructions.
check_flags() {
	[ -r "$top_builddir/Makefile" ] || return 0
	flags=$(sed -n 's/^CFLAGS = *//p' "$top_builddir/Makefile")
	level=
	for flag in $flags; do
		case $flag in
		-O*) level=$flag ;;
		-fsanitize* | -fprofile* | -finstrument* | --coverage | -pg | -flto* | -m*)
			skip "built with $flag" ;;
		-fstack-protector-all | -fstack-check)
			skip "built with $flag" ;;
		esac
	done
	[ "$level" = -O2 ] || skip "not built with -O2 (CFLAGS: $flags)"
}

[ -e "$library" ] || skip "no shared library was built"
command -v "$objdump" >/dev/null && command -v "$readelf" >/dev/null || skip "no objdump or readelf (binutils)"
"$readelf" -hW "$library" | grep -q 'Machine:.*X86-64' || skip "not x86-64"
$CC --version 2>/dev/null | grep -q 'Free Software Foundation' || skip "not built with gcc"
check_flags

# path NAME: what fastpath.awk says of the function.
path() {
	set -- $("$readelf" --dyn-syms -W "$library" |
		awk -v name="$1" '
			$4 == "FUNC" && $7 != "UND" { sub(/@.*/, "", $8); if ($8 == name) { print $2, $3; exit } }')
	[ $# -eq 2 ] || { echo none; return; }
	"$objdump" -d --no-show-raw-insn --start-address="0x$1" --stop-address=$((0x$1 + $2)) "$library" |
		awk -f "$top_srcdir/tests/fastpath/fastpath.awk"
}

status=0
# check NAME MOST
check() {
	found=$(path "$1")
	count=$(echo "$found" | sed -n '1s/ .*//p')
	case $found in
	none*) echo "$1: FAILED: no way to a return without a call"; status=1 ;;
	*" locked"*) echo "$1: FAILED: an atomic read-modify-write on the way"; echo "$found"; status=1 ;;
	*)
		if [ "$count" -gt "$2" ]; then
			echo "$1: FAILED: $count instructions, at most $2 allowed"
			echo "$found"
			status=1
		else
			echo "$1: $count instructions, at most $2 allowed"
		fi
		;;
	esac
}

check malloc $malloc_most
check free $free_most
check strata_malloc $malloc_most
check strata_free $free_most
check strata_free_sized $((free_most + sized))
if "$readelf" --dyn-syms -W "$library" | grep -q ' _Znwm$'; then
	check _Znwm $malloc_most
	check _Znam $((malloc_most + asked))
	check _ZdlPv $free_most
	check _ZdaPv $((free_most + asked))
	check _ZdlPvm $((free_most + asked + sized))
fi
for name in strata_type_alloc strata_type_free; do
	check $name "$fixed_most"
done
for name in strata_tuple_alloc strata_tuple_free; do
	check $name "$tuple_most"
done
check strata_domain_malloc $domain_malloc_most
check strata_domain_free $domain_free_most
exit $status
