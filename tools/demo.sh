#!/bin/sh
# SPDX-License-Identifier: MIT
#
# demo.sh: RocksDB under load on glibc's malloc and on strata by turns, and how both scale with threads in one process.
# About two minutes. `make demo` runs it with what it needs:
#
#	STRATA_LIB=FILE		the library to preload
#	COUNT_CALLS=FILE	count_calls.so, which counts allocations
#	SCALING=FILE		the program bench/scaling; the second table is left out where it was not built
#	DEMO_ROUNDS=N		rounds, 5 unless given
#	DEMO_SECONDS=N		seconds of load in a run, 4 unless given
#
# The load is db_bench of Debian's rocksdb-tools: 8 threads look up random keys and read on from there, while one more
# writes at a bounded rate, so that memtables are flushed and tables compacted in the background. The block cache is
# smaller than the data: blocks that one thread read are evicted, and freed, by another. The tool measures operations
# and latencies itself; resident memory is the kernel's Rss of /proc/PID/smaps_rollup.
set -eu
LC_ALL=C
export LC_ALL

ROUNDS=${DEMO_ROUNDS:-5}
SECONDS_OF_LOAD=${DEMO_SECONDS:-4}
THREADS=8
ENTRIES=200000
SCALING_ROUNDS=9
SCALING_MS=150
dir=
server=

stop()
{
	status=$?
	trap - EXIT INT TERM HUP
	if [ -n "$server" ]; then
		kill "$server" 2>/dev/null || true
		wait "$server" 2>/dev/null || true
	fi
	[ -z "$dir" ] || rm -rf "$dir"
	exit "$status"
}

die()
{
	echo "demo: $*" >&2
	exit 1
}

need()
{
	[ -r "$2" ] || die "$1 is not set to a file that can be read"
}

# bench PRELOAD DATABASE ARGS...: becomes db_bench, on that malloc
bench()
{
	preload=$1
	database=$2
	shift 2
	exec env LD_PRELOAD="$preload" db_bench --db="$database" --num=$ENTRIES --key_size=16 --value_size=100 --seed=11 \
		--bloom_bits=10 --cache_size=8388608 --cache_numshardbits=4 --compression_type=none --threads=$THREADS \
		--seek_nexts=10 "$@"
}

# The data that every run starts from.
fill()
{
	(bench '' "$dir/data" --threads=1 --benchmarks=fillseq,compact) >"$dir/fill" 2>&1 || {
		tail -n 20 "$dir/fill"
		die "db_bench cannot write its data"
	}
}

# allocations SCANS: of a run with so many scans by each thread
allocations()
{
	rm -f "$dir/calls"
	(
		COUNT_CALLS_FILE=$dir/calls
		export COUNT_CALLS_FILE
		bench "$COUNT_CALLS" "$dir/data" --use_existing_db=1 --reads="$1" --benchmarks=seekrandom
	) >"$dir/count" 2>&1 || die "db_bench failed while its allocations were counted"
	od -An -v -t u8 -N 8 "$dir/calls" | tr -d ' '
}

# The difference of two runs: what start and end allocate is in both.
count()
{
	few=$(allocations 1000)
	many=$(allocations 4000)
	awk -v few="$few" -v many="$many" -v threads=$THREADS 'BEGIN { printf "%.1f\n", (many - few) / (3000 * threads) }'
}

rss()
{
	sed -n 's/^Rss: *\([0-9]*\) kB/\1/p' "/proc/$server/smaps_rollup" 2>/dev/null || true
}

# Milliseconds of processor time that the server has used: unlike the clock's, they are its own on a busy machine.
cpu_ms()
{
	ticks=$(getconf CLK_TCK)
	# The second field, the name in brackets, holds no blank here.
	awk -v ticks="$ticks" '{ printf "%.0f\n", ($14 + $15) * 1000 / ticks }' "/proc/$server/stat" 2>/dev/null || true
}

# When the load is over, db_bench prints its figures, and then waits (its "waitforcompaction") with the database open.
under_load()
{
	most=0
	until grep -q '^Percentiles:' "$dir/out"; do
		now=$(rss)
		[ -n "$now" ] || die "db_bench ended under load: $(tail -n 3 "$dir/errors")"
		[ "$now" -le "$most" ] || most=$now
		sleep 0.2
	done
}

# run NAME PRELOAD: one run; a row of figures is appended to $dir/NAME
run()
{
	rm -rf "$dir/copy"
	cp -R "$dir/data" "$dir/copy"
	: >"$dir/out"
	(bench "$2" "$dir/copy" --use_existing_db=1 --duration="$SECONDS_OF_LOAD" --histogram=1 \
		--benchmark_write_rate_limit=2000000 --benchmarks=seekrandomwhilewriting,waitforcompaction) \
		>"$dir/out" 2>"$dir/errors" </dev/null &
	server=$!
	under_load
	cpu=$(cpu_ms)
	sleep 2 # what is measured here is the memory two seconds after the load
	after=$(rss)
	[ -n "$after" ] || die "db_bench ended before its memory after the load was read"
	mapped "$1"
	# It has nothing left to do but wait.
	kill "$server"
	wait "$server" 2>/dev/null || true
	server=
	figures "$cpu" "$most" "$after" >>"$dir/$1"
	awk -v name="$1" 'END {
		printf "  %-7s %8d scans/s   CPU %5.1f us   p50 %6.1f us   p99 %8.1f us   ", name, $1, $5, $2, $3
		printf "RSS %6.1f MiB, after %6.1f MiB\n", $6 / 1024, $7 / 1024
	}' "$dir/$1"
}

mapped()
{
	if grep -q -F "/$(basename "$STRATA_LIB")" "/proc/$server/maps"; then
		[ "$1" = strata ] || die "the run on glibc has strata in its map"
	else
		[ "$1" = glibc ] || die "the run on strata does not have it in its map: $(head -n 3 "$dir/errors")"
	fi
}

# scans a second, p50, p99, p99.9, CPU of a scan, RSS at load, RSS after
figures()
{
	found=$(sed -n 's/^seekrandomwhilewriting.*(\([0-9]*\) of \([0-9]*\) found)/\1 \2/p' "$dir/out")
	[ -n "$found" ] || die "db_bench gave no figures"
	[ "${found% *}" = "${found#* }" ] || die "db_bench did not find every key: $found"
	# "NAME : N micros/op N ops/sec N seconds N operations; ..."
	rate=$(sed -n 's/^seekrandomwhilewriting.* \([0-9]*\) ops.sec .* \([0-9]*\) operations.*/\1 \2/p' "$dir/out")
	sed -n 's/^Percentiles: P50: \([0-9.]*\) P75: [0-9.]* P99: \([0-9.]*\) P99.9: \([0-9.]*\) .*/\1 \2 \3/p' "$dir/out" |
		head -n 1 | awk -v scans="${rate% *}" -v all="${rate#* }" -v cpu="$1" -v most="$2" -v after="$3" '
		{ print scans, $0, cpu * 1000 / all, most, after }'
}

# column FILE N: its median, least and most
column()
{
	awk -v n="$2" '{ print $n }' "$1" | sort -g | awk '
		{ v[NR] = $1 }
		END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2, v[1], v[NR] }'
}

# line TITLE N UNIT DIGITS: one line of the table, of column N divided by UNIT
line()
{
	echo "$(column "$dir/glibc" "$2") $(column "$dir/strata" "$2")" |
		awk -v title="$1" -v unit="$3" -v digits="$4" '
		function cell(median, least, most) {
			return sprintf("%.*f (%.*f..%.*f)", digits, median / unit, digits, least / unit, digits, most / unit)
		}
		{ printf "%-22s %-28s %-28s %.2f\n", title, cell($1, $2, $3), cell($4, $5, $6), ($1 > 0 ? $4 / $1 : 0) }'
}

rounds()
{
	round=1
	while [ "$round" -le "$ROUNDS" ]; do
		echo "round $round of $ROUNDS"
		# Neither is always the first.
		if [ $((round % 2)) -eq 1 ]; then
			run glibc ''
			run strata "$STRATA_LIB"
		else
			run strata "$STRATA_LIB"
			run glibc ''
		fi
		round=$((round + 1))
	done
}

# The scaling program's rows are: threads, operations a second, resident KiB.
scale()
{
	[ -x "${SCALING:-}" ] || return 0
	echo
	echo "one process, 1, 2, 4 and 16 threads that replace blocks of 16 to 512 bytes, half of them freed by other threads"
	round=1
	while [ "$round" -le $SCALING_ROUNDS ]; do
		echo "  round $round of $SCALING_ROUNDS"
		for threads in 1 2 4 16; do
			LD_PRELOAD='' "$SCALING" $SCALING_MS $threads >>"$dir/scaling.glibc"
			LD_PRELOAD=$STRATA_LIB "$SCALING" $SCALING_MS $threads >>"$dir/scaling.strata"
		done
		round=$((round + 1))
	done
}

scaling_table()
{
	[ -s "$dir/scaling.strata" ] || {
		echo "(scaling with threads left out: bench/scaling was not built)"
		return 0
	}
	printf '%-10s %-38s %s\n' '' 'million operations a second' 'RSS at load, MiB'
	printf '%-10s %9s %9s  %-16s  %9s %9s %9s\n' threads glibc strata ratio glibc strata ratio
	for threads in 1 2 4 16; do
		for name in glibc strata; do
			grep "^$threads " "$dir/scaling.$name" >"$dir/rows.$name"
			column "$dir/rows.$name" 2 | cut -d' ' -f1
			column "$dir/rows.$name" 3 | cut -d' ' -f1
		done >"$dir/medians"
		# Each run is compared with the one beside it: a machine of which others have a share is a slower one for a while.
		paste -d' ' "$dir/rows.glibc" "$dir/rows.strata" | awk '{ print $5 / $2 }' >"$dir/ratios"
		column "$dir/ratios" 1 >>"$dir/medians"
		tr '\n' ' ' <"$dir/medians" | awk -v threads="$threads" '{
			ratio = sprintf("%.2f (%.2f..%.2f)", $5, $6, $7)
			printf "%-10s %9.2f %9.2f  %-16s  %9.1f %9.1f %9.2f\n",
				threads, $1 / 1e6, $3 / 1e6, ratio, $2 / 1024, $4 / 1024, $4 / $2 }'
	done
	echo "(medians of $SCALING_ROUNDS rounds; the ratio is the median of those of each round, the least and the most in brackets)"
}

# What can be said of the speed: rounds that overlap show no difference.
verdict()
{
	echo "$(column "$dir/glibc" 1) $(column "$dir/strata" 1)" | awk '{
		ratio = $4 / $1
		if ($5 > $3)
			printf "every round on strata was faster than every round on glibc (median %.2f times)", ratio
		else if ($6 < $2)
			printf "every round on strata was slower than every round on glibc (median %.2f times)", ratio
		else
			printf "the rounds of the two overlap, so a median of %.2f times shows no sure difference in speed", ratio
	}'
}

table()
{
	echo
	printf '%-22s %-28s %-28s %s\n' "RocksDB $version" glibc strata strata/glibc
	line 'scans a second' 1 1 0
	line 'latency p50, us' 2 1 1
	line 'latency p99, us' 3 1 1
	line 'latency p99.9, us' 4 1 0
	line 'CPU of a scan, us' 5 1 1
	line 'RSS at load, MiB' 6 1024 1
	line 'RSS 2 s after, MiB' 7 1024 1
	printf '%-22s %s\n' 'allocations a scan' "$calls"
	echo "(medians of $ROUNDS rounds, the least and the most in brackets)"
	echo
	scaling_table
	echo
	tr -s '\n\t ' ' ' <<-END | fold -s -w 118
		Measured: RocksDB $version (db_bench) on $(nproc) CPUs (load average before: $busy), $THREADS threads that each
		seek a random key among $ENTRIES and read the 10 after it while another thread writes 2 MB/s, $SECONDS_OF_LOAD s
		of load a run, $ROUNDS runs on glibc's malloc and $ROUNDS on strata by turns; a scan makes $calls allocations
		(counted in a run of its own), and $(verdict). RSS is the largest reading under load and the one 2 s after it; CPU
		is all of the process's processor time, which a busy machine disturbs least.
	END
	echo
}

trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP
command -v db_bench >/dev/null 2>&1 || die "db_bench is missing (Debian package rocksdb-tools)"
need STRATA_LIB "${STRATA_LIB:-}"
need COUNT_CALLS "${COUNT_CALLS:-}"
dir=$(mktemp -d "${TMPDIR:-/tmp}/strata-demo.XXXXXX")

busy=$(cut -d' ' -f1 /proc/loadavg)
echo "RocksDB's db_bench, $THREADS threads, on glibc's malloc and on strata by turns"
echo "writing $ENTRIES entries"
fill
version=$(sed -n 's/^RocksDB: *version *//p' "$dir/fill" | head -n 1)
echo "counting allocations"
calls=$(count)
echo "  $calls allocations a scan"
awk -v calls="$calls" 'BEGIN { exit calls < 10 }' || die "fewer than 10 allocations a scan: this load shows nothing"
rounds
scale
table
