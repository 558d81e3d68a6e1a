#!/bin/sh
# SPDX-License-Identifier: MIT
# STRATA_OPTIONS is ignored in a set-user-ID program. Needs root, to make one and to run it as another user.
. "${top_srcdir:-.}/tests/lifecycle/build.sh"

[ "$(id -u)" -eq 0 ] || skip "only root can make a set-user-ID program of root's"
possible archive || skip "no static library was built"
build archive secure
cp "$work/secure.archive" "$work/setuid"
chmod 755 "$work" "$work/secure.archive"
chmod 4755 "$work/setuid"

# said PROGRAM: what it prints as nobody with a setting that is not understood, both outputs.
said() {
	STRATA_OPTIONS=nonsense:1 "$work/secure.archive" as-nobody "$1" 2>&1 | sed '/^strata: .*nonsense.*/{s//complaint/;}' | sort -u | tr '\n' ' '
}

ordinary=$(said "$work/secure.archive")
[ "$ordinary" = "complaint ordinary " ] || fail "as nobody, not set-user-ID: said \"$ordinary\""
secure=$(said "$work/setuid")
case $secure in
*ordinary*) skip "the temporary folder does not honour the set-user-ID bit" ;;
esac
# The first program, which is not secure, complains as well: its line is one and the same.
lines=$(STRATA_OPTIONS=nonsense:1 "$work/secure.archive" as-nobody "$work/setuid" 2>&1 | grep -c nonsense) || true
[ "$lines" -eq 1 ] || fail "set-user-ID: $lines lines, 1 expected (of the program that started it)"
lines=$(STRATA_OPTIONS=nonsense:1 "$work/secure.archive" as-nobody "$work/secure.archive" 2>&1 | grep -c nonsense) || true
[ "$lines" -eq 2 ] || fail "not set-user-ID: $lines lines, 2 expected"
echo passed
