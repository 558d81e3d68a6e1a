#!/bin/sh
# SPDX-License-Identifier: MIT
# strata-run: preloads the library, hands on settings, arguments and the exit status, and says what is wrong.
set -eu

[ -e "$STRATA_LIBRARY" ] || { echo "built without the shared library"; exit 77; }
run=$top_builddir/tools/strata-run
failed=0
unset STRATA_OPTIONS LD_PRELOAD || true

# expect NAME WANTED GOT
expect()
{
	[ "$2" = "$3" ] || { printf 'FAIL: %s: wanted "%s", got "%s"\n' "$1" "$2" "$3"; failed=1; }
}

# status COMMAND...: its exit status, with its output thrown away
status()
{
	rc=0
	"$@" >/dev/null 2>&1 || rc=$?
	echo $rc
}

mapped=$("$run" cat /proc/self/maps | grep -c 'libstrata\.so\.0' || true)
[ "$mapped" -gt 0 ] || { echo "FAIL: libstrata.so.0 is not mapped into the program"; failed=1; }

expect "settings are joined" "stats:0,check:1,misuse:warn" \
	"$(STRATA_OPTIONS=stats:0 "$run" -c --option misuse:warn sh -c 'echo "$STRATA_OPTIONS"')"
expect "no setting, no variable" "unset" "$("$run" sh -c 'echo "${STRATA_OPTIONS-unset}"')"
expect "arguments are handed on" "a b|-c|" "$("$run" -- sh -c 'printf "%s|" "$@"' sh 'a b' -c)"
expect "exit status is handed on" 7 "$(status "$run" sh -c 'exit 7')"
expect "no program" 2 "$(status "$run")"
expect "program not found" 127 "$(status "$run" strata-no-such-program)"
expect "malformed setting" 2 "$(status "$run" -o check true)"
expect "value missing" 2 "$(status "$run" --library)"
expect "unknown option" 2 "$(status "$run" --wrong true)"
expect "library missing" 2 "$(status "$run" --library /nonexistent/libstrata.so.0 true)"

# src/options.def is the one list of settings; the help is made from it, and README's table is held against it.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
awk -f "$top_srcdir/tools/settings.awk" "$top_srcdir/src/options.def" >"$work/listed"
awk -v form=readme -f "$top_srcdir/tools/settings.awk" "$top_srcdir/src/options.def" >"$work/rows"
[ "$(wc -l <"$work/rows")" -ge 11 ] || { echo "FAIL: options.def was not understood"; failed=1; }
"$run" --help | sed -n '/^Settings, /,/^$/{/^  /p;}' >"$work/help"
diff "$work/listed" "$work/help" || { echo "FAIL: --help does not list the settings as options.def does"; failed=1; }
sed -n '/^| setting | /,/^$/{/^| `/p;}' "$top_srcdir/README.md" >"$work/readme"
diff "$work/rows" "$work/readme" || { echo "FAIL: README.md does not list the settings as options.def does"; failed=1; }
exit $failed
