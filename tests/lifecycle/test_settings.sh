#!/bin/sh
# SPDX-License-Identifier: MIT
# A program's own defaults, which the environment goes before; its own way with messages; what cannot be written (quiet.c); and the
# heap profile of a program that knows nothing of it, by signal and at exit.
. "${top_srcdir:-.}/tests/lifecycle/build.sh"

for each in shared archive static; do
	possible "$each" || continue
	build "$each" settings
	run "$each" settings 3145728 >"$work/out" 2>&1 || { cat "$work/out"; fail "settings: $each"; }
	grep -q '^strata: strata_options: "nonsense" not understood' "$work/out" || fail "settings: $each: nonsense passed"
	[ "$(grep -c '^strata: free(' "$work/out")" -eq 1 ] || fail "settings: $each: stderr is not what it was"
	[ "$each" = static ] || ! grep 'too late' "$work/out" || fail "settings: $each: something was allocated before main"
	STRATA_OPTIONS=retain:5M run "$each" settings 5242880 >"$work/out" 2>&1 || fail "settings: $each: the environment"
	echo "settings: $each: passed"
done

for each in preloaded shared archive static; do
	possible "$each" || continue
	build "$each" quiet
	for where in pipe file; do
		STRATA_OPTIONS=stats:1,profile:64K,profile_exit:1 run_in "$work" "$each" quiet $where 2>"$work/out" ||
			{ cat "$work/out"; fail "quiet: $each: $where"; }
	done
	echo "quiet: $each: passed"
done

# profiled WAY FILE OPTIONS ARGS...: bytes that the one profile of that name says are kept, as a multiple of 20 MB, in hundredths.
profiled() {
	(
		way=$1 name=$2 options=$3
		shift 3
		mkdir "$work/heaps"
		STRATA_OPTIONS=$options run_in "$work/heaps" "$way" profiled "$@" >&2 || exit 1
		cd "$work/heaps"
		set -- strata.*$name
		[ $# -eq 1 ] && [ -e "$1" ] || exit 1
		awk '/^heap profile:/ { split($0, rate, "heap_v2/"); next }
			/^$/ { exit }
			{ sum += $2 / (1 - exp(-$2 / rate[2])) }
			END { printf "%d\n", sum / 200000 }' "$1"
		grep -q "profiled" "$1" || exit 1
	)
	status=$?
	rm -rf "$work/heaps"
	return $status
}

for each in preloaded shared archive static; do
	possible "$each" || continue
	build "$each" profiled
	share=$(profiled "$each" .heap profile:16K,profile_exit:1) || fail "profile: $each: at exit"
	[ "$share" -gt 70 ] && [ "$share" -lt 130 ] || fail "profile: $each: at exit: $share % of what is in use"
	share=$(profiled "$each" .1.heap profile:16K,profile_signal:10 10) || fail "profile: $each: by signal"
	[ "$share" -gt 70 ] && [ "$share" -lt 130 ] || fail "profile: $each: by signal: $share % of what is in use"
	if [ "$each" = preloaded ]; then
		profiled "$each" .1.heap profile:16K,profile_signal:10 10 maintain >"$work/out" || fail "profile: by strata_maintain"
	fi
	echo "profile: $each: passed"
done
