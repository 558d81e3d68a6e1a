#!/bin/sh
# SPDX-License-Identifier: MIT
#
# RocksDB's db_bench: 4 threads write, read, seek, merge and read again with small memtables, so that flushes and
# compactions run beside them. What it found is compared, and a
# sum over every key and value of a database that one thread wrote.
. "$(dirname "$0")/lib.sh"
need db_bench rocksdb-tools
need ldb rocksdb-tools

# bench NAME DATABASE ARGS...: the process is looked at while it runs
bench() {
	name=$1
	database=$2
	shift 2
	spawn "$RUN/$name.log" db_bench --db="$database" --seed=11 --num=40000 --key_size=16 --value_size=150 \
		--write_buffer_size=1048576 --target_file_size_base=1048576 --max_background_jobs=4 --bloom_bits=10 \
		--cache_size=2097152 --compression_type=zstd --statistics=1 "$@"
	await 20 runs_program "$SERVER" db_bench
	await 20 grep -q '^RocksDB: ' "$RUN/$name.log"
	mapped "$SERVER"
	status=0
	wait "$SERVER" || status=$?
	[ "$status" -eq 0 ] || die "db_bench $name ended with status $status"
}

workload() {
	bench one-thread "$RUN/one" --threads=1 \
		--benchmarks=fillrandom,overwrite,deleterandom,readrandom,readseq,readreverse,compact,verifychecksum
	sed -n 's/.*\(([0-9]* of [0-9]* found)\).*/\1/p; s/^rocksdb.number.keys.written COUNT/&/p' "$RUN/one-thread.log"
	ldb --db="$RUN/one" dump --hex >"$RUN/dump" 2>"$RUN/ldb.log" || die "ldb dump"
	tail -n 1 "$RUN/dump"
	sha256sum <"$RUN/dump"

	mixed=fillseq,overwrite,readrandom,multireadrandom,seekrandom,readrandommergerandom,updaterandom
	mixed=$mixed,readwhilewriting,seekrandomwhilemerging,compact,readseq,verifychecksum
	bench threads "$RUN/many" --threads=4 --num=15000 --merge_operator=put --seek_nexts=8 --benchmarks=$mixed
	# All keys are there from the start, so that what is found does not hang on the order in which threads ran.
	sed -n 's/^\([a-z]*\) *: .*micros.op[^(]*/\1 /; t print; b; : print; s/ (reads.*//; p' "$RUN/threads.log"
	ldb --db="$RUN/many" scan --hex --no_value >"$RUN/keys" 2>"$RUN/ldb.log" || die "ldb scan"
	sha256sum <"$RUN/keys"
	preloaded ldb --db="$RUN/many" checkconsistency
}

owner nobody
rounds rocksdb
