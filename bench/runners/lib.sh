# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# What the runners in this folder share, on top of tests/servers/lib.sh, whose functions start and stop the servers. A
# runner sources this file, names what it needs and defines two functions:
#
#	. "$(dirname "$0")/lib.sh"
#	uses z3 z3
#	setup() { ...; }	what every run starts from, made once on glibc's malloc, into $DATA
#	load() { ...; }		one run on the malloc that is measured, in $RUN: a call of timed or served, then the check
#	runner "$@"
#
# bench/programs calls it as
#
#	NAME.sh versions	prints the packages in use, one a line; status 77 when one is missing, which is named
#	NAME.sh setup DATA
#	NAME.sh run DATA	prints "ns N", "cpu_ns N" and "peak_rss N"
#
# with, in the environment, BENCH_TIMED (the program bench/timed), BENCH_MALLOC (the name of the malloc) and BENCH_PRELOAD
# (its library; empty for glibc's).

BENCH_MALLOC=${BENCH_MALLOC:-glibc}
BENCH_PRELOAD=${BENCH_PRELOAD:-}
# lib.sh copies what is to be preloaded to where other users can read it, and wants a file in any case.
# shellcheck disable=SC2034
STRATA_LIB=${BENCH_PRELOAD:-/dev/null}
. "$(dirname "$0")/../../tests/servers/lib.sh"

PACKAGES=

# uses COMMAND PACKAGE
uses() {
	need "$@"
	case " $PACKAGES " in
	*" $2 "*) ;;
	*) PACKAGES="$PACKAGES $2" ;;
	esac
}

versions() {
	for package in $PACKAGES; do
		version=$(dpkg-query -W -f '${Version}' "$package" 2>/dev/null) || version=
		echo "$package${version:+ $version}"
	done
}

# timed COMMAND...: on the malloc of this run; its output goes to $RUN/out
timed() {
	"${BENCH_TIMED:?}" "$RUN/figures" env LD_PRELOAD="$PRELOAD" "$@" >"$RUN/out" 2>"$RUN/errors.log" </dev/null ||
		die "$1 ended with status $?"
	! grep -q 'cannot be preloaded' "$RUN/errors.log" || die "$(grep -m 1 'cannot be preloaded' "$RUN/errors.log")"
	cat "$RUN/figures"
}

# Nanoseconds of processor time that the server has used
server_ns() {
	ticks=$(getconf CLK_TCK)
	awk -v ticks="$ticks" '{ printf "%.0f\n", ($14 + $15) * 1e9 / ticks }' "/proc/$SERVER/stat"
}

# served COMMAND...: the clients, which are not on the malloc of this run; the figures are those of $SERVER
served() {
	if [ -n "$BENCH_PRELOAD" ] && ! grep -q -F "/$(basename "$LIBRARY")" "/proc/$SERVER/maps"; then
		die "the server does not have $(basename "$LIBRARY") mapped"
	fi
	cpu=$(server_ns)
	begin=$(date +%s%N)
	"$@" >"$RUN/out" 2>"$RUN/client.log" || die "$1 ended with status $?"
	echo "ns $(($(date +%s%N) - begin))"
	echo "cpu_ns $(($(server_ns) - cpu))"
	sed -n 's/^VmHWM:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$SERVER/status" | awk '{ printf "peak_rss %.0f\n", $1 * 1024 }'
}

# runner versions | setup DATA | run DATA
runner() {
	if [ "$1" = versions ]; then
		versions
		return
	fi
	# shellcheck disable=SC2034
	DATA=$2
	RUN=$DIR/run
	mkdir "$RUN"
	chmod 755 "$RUN"
	[ -z "$OWNER" ] || chown "$OWNER" "$RUN"
	if [ "$1" = setup ]; then
		PRELOAD=$GLIBC_PRELOAD
		setup >&2
	else
		# For the messages of lib.sh.
		# shellcheck disable=SC2034
		MALLOC=$BENCH_MALLOC
		PRELOAD=$GLIBC_PRELOAD
		[ -z "$BENCH_PRELOAD" ] || PRELOAD=$LIBRARY
		load
	fi
}
