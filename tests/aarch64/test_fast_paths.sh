#!/bin/sh
# SPDX-License-Identifier: MIT
# The hot calls as built for aarch64: in none of them is an exclusive or atomic instruction, a barrier, or a call. Prints how
# many instructions lie between the entry and the first return; the compiler puts the common way there, without a jump taken.
set -eu

: "${OBJDUMP:=aarch64-linux-gnu-objdump}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
failed=0

for name in malloc free strata_malloc strata_free _Znwm _ZdlPv strata_domain_malloc strata_domain_free \
	strata_type_alloc strata_type_free strata_tuple_alloc strata_tuple_free; do
	# By address: a function may have several names.
	set -- $("${READELF:-readelf}" -sW "$STRATA_LIBRARY" | awk -v name="$name" '{ sub(/@.*/, "", $8) } $8 == name { print $2, $3; exit }')
	"$OBJDUMP" -d --no-show-raw-insn --start-address=0x$1 --stop-address=$((0x$1 + $2)) "$STRATA_LIBRARY" |
		sed -n 's/^ *[0-9a-f]*:\t\([a-z].*\)/\1/p' >"$work/code"
	count=$(sed '/^ret/q' "$work/code" | wc -l)
	if ! grep -q '^ret' "$work/code"; then
		echo "$name: FAILED: no return found"
		failed=1
	elif grep -E '^(ld[a]?xr|st[l]?xr|ld[a]?xp|st[l]?xp|cas|swp|ld(add|clr|eor|set|[su]max|[su]min)|dmb|dsb|bl)' "$work/code"; then
		echo "$name: FAILED: the instructions above are none of a fast path's"
		failed=1
	else
		echo "$name: $count instructions to the return"
	fi
done
exit $failed
