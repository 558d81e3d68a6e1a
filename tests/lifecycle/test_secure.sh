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

# said PROGRAM: as nobody, with a setting that is not understood: how often that was said, and how the program started.
# The program that becomes nobody says it too, before.
said() {
	STRATA_OPTIONS=nonsense:1 "$work/secure.archive" as-nobody "$1" >"$work/said" 2>&1 || true
	echo "$(grep -c nonsense "$work/said") $(grep -E '^(secure|ordinary)$' "$work/said")"
}

ordinary=$(said "$work/secure.archive")
[ "$ordinary" = "2 ordinary" ] || fail "not set-user-ID: \"$ordinary\", not \"2 ordinary\""
secure=$(said "$work/setuid")
[ "${secure#* }" != ordinary ] || skip "the temporary folder does not honour the set-user-ID bit"
[ "$secure" = "1 secure" ] || fail "set-user-ID: \"$secure\", not \"1 secure\""
echo passed
