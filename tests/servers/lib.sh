# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# What the scripts in this folder share. A script sources this file, names what it needs, defines `workload` (one run:
# start, load, verify, stop; its standard output is what is compared) and ends with `rounds NAME`:
#
#	. "$(dirname "$0")/lib.sh"
#	need memcached memcached
#	workload() { spawn "$RUN/log" memcached ...; await 20 ...; mapped "$SERVER"; ...; stop "$SERVER"; }
#	rounds memcached
#
# `rounds` calls workload once on glibc's malloc and then SERVERS_ROUNDS times on strata, and compares the outputs.
#
# Read from the environment:
#	STRATA_LIB	the library to preload (libstrata.so.0)
#	SERVERS_ROUNDS	runs on strata, 3 unless given
#	SERVERS_KEEP=1	keep the temporary folder
# Exit status of a script: 0 passed, 77 a package is missing (named on standard output), else failed.
#
# Variables that workload may use:
#	DIR	temporary folder of the script, of the user $OWNER
#	RUN	folder of this run; every *.log in it is searched for messages of strata and printed on failure
#	MALLOC	glibc or strata

set -eu
LC_ALL=C.UTF-8
TZ=UTC
export LC_ALL TZ
# Debian's own programs, not what a user has put before them.
PATH=/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin:/usr/local/bin
export PATH

# shellcheck disable=SC2034
HERE=$(cd "$(dirname "$0")" && pwd)
DIR=
RUN=
OWNER=
PRELOAD=
MALLOC=glibc
GLIBC_PRELOAD=
SERVER=
SPAWNED=
FAILURE=

say() {
	printf '%s\n' "$*" >&2
}

die() {
	FAILURE=$*
	say "failed: $*"
	exit 1
}

# need COMMAND PACKAGE: without it the server is left out
need() {
	command -v "$1" >/dev/null 2>&1 && return 0
	printf 'missing: %s (Debian package %s)\n' "$1" "$2"
	exit 77
}

# Python's own regression tests, for the program $PYTHON.
need_python_tests() {
	PYTHON=/usr/bin/python3
	need "$PYTHON" python3
	(cd / && "$PYTHON" -c 'import test.test_list, test.libregrtest') 2>/dev/null && return 0
	version=$("$PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
	echo "missing: the regression tests of Python (Debian package libpython$version-testsuite)"
	exit 77
}

# The server's processes may run as another user, who must be able to read the library and to write in $DIR.
prepare() {
	[ -r "${STRATA_LIB:-}" ] || die "STRATA_LIB does not name the library to preload: ${STRATA_LIB:-(empty)}"
	DIR=$(mktemp -d "${TMPDIR:-/tmp}/strata-servers.XXXXXX")
	trap cleanup EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
	chmod 755 "$DIR"
	mkdir "$DIR/lib"
	LIBRARY=$DIR/lib/$(basename "$STRATA_LIB")
	cp "$STRATA_LIB" "$LIBRARY"
	chmod 755 "$LIBRARY"
}

# owner USER...: the first of these users that exists runs the servers; only root can choose
owner() {
	[ "$(id -u)" -eq 0 ] || return 0
	for user in "$@" nobody; do
		if id "$user" >/dev/null 2>&1; then
			OWNER=$user
			chown "$OWNER" "$DIR"
			return 0
		fi
	done
}

cleanup() {
	status=$?
	trap - EXIT HUP INT TERM
	for pid in $SPAWNED; do
		gone "$pid" || kill -TERM "$pid" 2>/dev/null || true
	done
	for pid in $SPAWNED; do
		await_gone "$pid" 50 || kill -KILL "$pid" 2>/dev/null || true
	done
	if [ "$status" -ne 0 ] && [ "$status" -ne 77 ]; then
		show_logs
		say "failed: ${FAILURE:-a command ended with status $status} (on $MALLOC)"
	fi
	if [ "${SERVERS_KEEP:-0}" = 1 ]; then
		say "kept: $DIR"
	else
		rm -rf "$DIR"
	fi
	exit "$status"
}

show_logs() {
	[ -n "$RUN" ] || return 0
	for log in "$RUN"/*.log; do
		[ -s "$log" ] || continue
		say "--- $log (last 60 lines)"
		tail -n 60 "$log" >&2
	done
}

# gone PID: true when the process has ended, reaped or not
gone() {
	[ -d "/proc/$1" ] || return 0
	case $(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null) in
	Z | X | '') return 0 ;;
	esac
	return 1
}

# await_gone PID TENTHS
await_gone() {
	tenths=$2
	until gone "$1"; do
		tenths=$((tenths - 1))
		[ "$tenths" -gt 0 ] || return 1
		sleep 0.1
	done
}

# as_owner COMMAND...: replaces this shell by the command, run as $OWNER
as_owner() {
	if [ -n "$OWNER" ]; then
		exec setpriv --reuid="$OWNER" --regid="$(id -g "$OWNER")" --init-groups -- "$@"
	fi
	exec "$@"
}

# preloaded COMMAND...: runs the command on the malloc of this run
preloaded() {
	if [ -n "$PRELOAD" ]; then
		LD_PRELOAD=$PRELOAD "$@"
	else
		env -u LD_PRELOAD "$@"
	fi
}

# owned COMMAND...: in the foreground, as $OWNER, on the malloc of this run
owned() {
	if [ -n "$PRELOAD" ]; then
		(as_owner env LD_PRELOAD="$PRELOAD" "$@")
	else
		(as_owner env -u LD_PRELOAD "$@")
	fi
}

# spawn LOG COMMAND...: in the background, as $OWNER, on the malloc of this run; $SERVER is its process
spawn() {
	log=$1
	shift
	if [ -n "$PRELOAD" ]; then
		(as_owner env LD_PRELOAD="$PRELOAD" "$@") >>"$log" 2>&1 </dev/null &
	else
		(as_owner env -u LD_PRELOAD "$@") >>"$log" 2>&1 </dev/null &
	fi
	SERVER=$!
	SPAWNED="$SPAWNED $SERVER"
}

# await SECONDS COMMAND...: until the command succeeds; the server must live as long
await() {
	tenths=$(($1 * 10))
	shift
	until "$@" >/dev/null 2>&1; do
		if gone "$SERVER"; then
			status=0
			wait "$SERVER" || status=$?
			die "the server ended with status $status before it was ready"
		fi
		tenths=$((tenths - 1))
		[ "$tenths" -gt 0 ] || die "not ready in time: $*"
		sleep 0.1
	done
}

# mapped PID: the process has the library in its address space on strata, and has not on glibc
mapped() {
	name=$(basename "$LIBRARY")
	line=$(grep -m 1 -F "/$name" "/proc/$1/maps" || true)
	if [ "$MALLOC" = strata ]; then
		[ -n "$line" ] || die "process $1 ($(cat "/proc/$1/comm")) does not have $name mapped"
		printf 'mapped: process %s (%s): %s\n' "$1" "$(cat "/proc/$1/comm")" "$line" >>"$DIR/mapped"
	elif [ -n "$line" ]; then
		die "process $1 has $name mapped in the run on glibc"
	fi
}

# mapped_children: the children that $SERVER has at this moment; one that ends meanwhile is no fault
mapped_children() {
	for child in $(pgrep -P "$SERVER"); do
		if ! gone "$child" && grep -q . "/proc/$child/maps" 2>/dev/null; then
			(mapped "$child") || gone "$child" || exit 1
		fi
	done
}

# held PROGRAM ARGS...: the program is started on the malloc of this run with its input held open, so that it lives
# while its map is read; then it gets the end of its input and has to end by itself
held() {
	fifo=$DIR/held
	rm -f "$fifo"
	mkfifo "$fifo"
	if [ -n "$PRELOAD" ]; then
		(exec env LD_PRELOAD="$PRELOAD" "$@") <"$fifo" >>"$RUN/held.log" 2>&1 &
	else
		(exec env -u LD_PRELOAD "$@") <"$fifo" >>"$RUN/held.log" 2>&1 &
	fi
	SERVER=$!
	SPAWNED="$SPAWNED $SERVER"
	exec 9>"$fifo"
	# The process is a shell, and then env, until it has executed the program.
	await 20 runs_program "$SERVER" "$1"
	[ "$MALLOC" = glibc ] || await 20 grep -q -F "/$(basename "$LIBRARY")" "/proc/$SERVER/maps"
	mapped "$SERVER"
	exec 9>&-
	wait "$SERVER" || die "$1 ended with status $?"
}

runs_program() {
	[ "$(readlink "/proc/$1/exe")" = "$(readlink -f "$(command -v "$2")")" ]
}

# stop PID [STATUS [SIGNAL]]: asks it to end, waits, and wants that exit status (0 unless given)
stop() {
	kill "-${3:-TERM}" "$1" || die "process $1 had ended before it was told to"
	await_gone "$1" 600 || die "process $1 does not end within 60 s of SIG${3:-TERM}"
	status=0
	wait "$1" || status=$?
	[ "$status" -eq "${2:-0}" ] || die "process $1 ended with status $status, not ${2:-0}"
}

# free_port: a port of the loopback on which nobody listens, below the range that the kernel hands out by itself
free_port() {
	while :; do
		port=$(($(od -An -N2 -t u2 /dev/urandom) % 20000 + 12000))
		hex=$(printf ':%04X' "$port")
		if ! cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk '{ print $2 }' | grep -q "$hex\$"; then
			echo "$port"
			return 0
		fi
	done
}

run_once() {
	RUN=$DIR/$1
	mkdir "$RUN"
	chmod 755 "$RUN"
	[ -z "$OWNER" ] || chown "$OWNER" "$RUN"
	started=$(date +%s)
	workload >"$DIR/$1.out"
	if grep -h '^strata: ' "$RUN"/*.log >&2; then
		die "strata wrote the message above"
	fi
	say "$1: $(($(date +%s) - started)) s, $(wc -l <"$DIR/$1.out") lines of output"
	[ "${SERVERS_KEEP:-0}" = 1 ] || rm -rf "$RUN"
	RUN=
}

# rounds NAME
rounds() {
	MALLOC=glibc
	PRELOAD=$GLIBC_PRELOAD
	run_once glibc
	[ -s "$DIR/glibc.out" ] || die "the run on glibc gave no output to compare"
	MALLOC=strata
	PRELOAD=$LIBRARY
	round=1
	while [ "$round" -le "${SERVERS_ROUNDS:-3}" ]; do
		: >"$DIR/mapped"
		run_once "strata.$round"
		[ -s "$DIR/mapped" ] || die "no process was seen with the library mapped"
		if ! cmp -s "$DIR/glibc.out" "$DIR/strata.$round.out"; then
			diff "$DIR/glibc.out" "$DIR/strata.$round.out" | head -n 40 >&2 || true
			die "the output on strata differs from the one on glibc (diff above)"
		fi
		round=$((round + 1))
	done
	sort -u "$DIR/mapped"
	printf 'passed: %s, %s rounds\n' "$1" "$((round - 1))"
}

prepare
