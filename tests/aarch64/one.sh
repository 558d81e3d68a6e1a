#!/bin/sh
# SPDX-License-Identifier: MIT
# One test of check.sh: a line, the end of the log when it failed, and its result as a file logs/NAME.ok or logs/NAME.FAIL.
#
# usage: one.sh NAME FILE [PAGE]: a script, or a program for aarch64 on pages of that size
set -eu

name=$1
log=logs/$(printf '%s' "$name" | tr '/ ' '__')
started=$(date +%s)
status=0
case $2 in
*.sh) set -- sh "$2" ;;
*)
	[ -z "${3:-}" ] || AARCH64_EMULATOR="$AARCH64_EMULATOR -p $3"
	set -- sh "$AARCH64_HERE/run.sh" "$2"
	;;
esac
# In a process group of its own, which a signal to this one does not reach.
timeout -k 10 "$AARCH64_SECONDS" "$@" >"$log.log" 2>&1 </dev/null &
child=$!
trap 'kill "$child" 2>/dev/null; exit 130' HUP INT TERM
wait "$child" || status=$?
seconds=$(($(date +%s) - started))
case $status in
0)
	printf 'PASS: %s (%d s)\n' "$name" $seconds
	touch "$log.ok"
	;;
77)
	printf 'left out  %s (%s)\n' "$name" "$(tail -n 1 "$log.log")"
	touch "$log.left_out"
	;;
*)
	case $status in 124 | 137) echo "not done within $AARCH64_SECONDS s" >>"$log.log" ;; esac
	printf 'FAIL: %s (status %d, %s)\n%s\n' "$name" $status "$PWD/$log.log" \
		"$(tail -n 25 "$log.log" | sed 's/^/    | /')"
	touch "$log.FAIL"
	;;
esac
