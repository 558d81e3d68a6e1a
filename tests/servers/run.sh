#!/bin/sh
# SPDX-License-Identifier: MIT
#
# run.sh [NAME...]: real servers and programs on the preloaded library, all of them or those named.
#
# Prints a row for each: `ok NAME`, `FAIL NAME (log)`, or `left out NAME` with the missing package, and ends with
# `N passed, N failed`. The exit status is 0 when none failed.
#
#	STRATA_LIB=FILE		the library to preload (needed)
#	SERVERS_ROUNDS=N	rounds on strata, after one on glibc's malloc; 3 unless given
#	SERVERS_REQUIRE=1	a missing package is a failure
#	SERVERS_LOGS=FOLDER	where the logs go; ./servers-logs unless given
#	SERVERS_TIMEOUT=N	seconds that one server may take for all its rounds; 900 unless given
#	SERVERS_KEEP=1		keep the temporary folders (their names are in the logs)
set -eu

HERE=$(cd "$(dirname "$0")" && pwd)
ALL="mariadb rocksdb redis memcached nginx postgresql python python_domains gcc clang git sqlite"
LOGS=${SERVERS_LOGS:-servers-logs}
: "${SERVERS_ROUNDS:=3}"
export SERVERS_ROUNDS
passed=0
failed=0
left_out=0
child=

interrupted() {
	trap - INT TERM HUP
	[ -z "$child" ] || kill -TERM "$child" 2>/dev/null || true
	[ -z "$child" ] || wait "$child" || true
	exit "$1"
}

row() {
	printf '%-8s %-11s %s\n' "$@"
}

fail() {
	row FAIL "$1" "($2)"
	# What failed, and what the server said before it: the log has all of it.
	tail -n 25 "$2" | sed 's/^/    | /'
	failed=$((failed + 1))
}

run() {
	log=$LOGS/$1.log
	started=$(date +%s)
	status=0
	# In a process group of its own, so that clients are stopped with their server when time is up.
	timeout -k 30 "${SERVERS_TIMEOUT:-900}" sh "$HERE/$1.sh" >"$log" 2>&1 </dev/null &
	child=$!
	wait "$child" || status=$?
	child=
	seconds=$(($(date +%s) - started))
	# Messages of programs whose standard error is this log; those of servers were searched by the script.
	if [ "$status" -eq 0 ] && grep -q '^strata: ' "$log"; then
		echo "failed: strata wrote a message" >>"$log"
		status=1
	fi
	case $status in
	0)
		row ok "$1" "$SERVERS_ROUNDS rounds, $seconds s; $(seen_mapped "$log")"
		passed=$((passed + 1))
		;;
	77)
		if [ "${SERVERS_REQUIRE:-0}" = 1 ]; then
			fail "$1" "$log"
		else
			row "left out" "$1" "$(grep -m 1 '^missing: ' "$log")"
			left_out=$((left_out + 1))
		fi
		;;
	124 | 137)
		echo "failed: not done within ${SERVERS_TIMEOUT:-900} s" >>"$log"
		fail "$1" "$log"
		;;
	*) fail "$1" "$log" ;;
	esac
}

# "mapped: process 123 (mariadbd): 7f..-7f.. r--p ... /tmp/x/lib/libstrata.so.0" -> "in the map of mariadbd 123: libstrata.so.0"
seen_mapped() {
	sed -n 's|^mapped: process \([0-9]*\) (\([^)]*\)): .*/\([^/]*\)$|in the map of \2 \1: \3|p' "$1" | head -n 1
}

trap 'interrupted 130' INT
trap 'interrupted 143' TERM
trap 'interrupted 129' HUP
if [ ! -r "${STRATA_LIB:-}" ]; then
	echo "run.sh: STRATA_LIB does not name the library to preload: ${STRATA_LIB:-(empty)}" >&2
	exit 2
fi
mkdir -p "$LOGS"
# shellcheck disable=SC2086
[ $# -gt 0 ] || set -- $ALL
for name in "$@"; do
	if [ ! -r "$HERE/$name.sh" ]; then
		echo "run.sh: no such server: $name (there are: $ALL)" >&2
		exit 2
	fi
	run "$name"
done
printf '%d passed, %d failed' "$passed" "$failed"
[ "$left_out" -eq 0 ] || printf ', %d left out' "$left_out"
echo
[ "$failed" -eq 0 ]
