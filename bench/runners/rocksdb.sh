#!/bin/sh
# SPDX-License-Identifier: MIT
#
# RocksDB's db_bench: 4 threads write keys at random, read them at random and scan from keys at random. The block cache is
# smaller than the data, and memtables are small, so that flushes and compactions run beside.
. "$(dirname "$0")/lib.sh"
uses db_bench rocksdb-tools

fill_and_read() {
	"$@" db_bench --db="$RUN/data" --seed=11 --threads=4 --num=100000 --key_size=16 --value_size=150 \
		--write_buffer_size=4194304 --target_file_size_base=4194304 --cache_size=8388608 --bloom_bits=10 \
		--compression_type=none --disable_wal=1 --reads=12000 --seek_nexts=10 --progress_reports=false \
		--benchmarks=fillrandom,readrandom,seekrandom,verifychecksum
}

# Which keys are written and sought is drawn from the seed, so that as many are found whatever the order of the threads.
found() {
	grep -o '([0-9]* of [0-9]* found)' "$1"
}

setup() {
	fill_and_read env >"$RUN/out"
	found "$RUN/out" >"$DATA/expected"
}

load() {
	fill_and_read timed
	found "$RUN/out" | cmp - "$DATA/expected" >&2 || die "db_bench found other keys than on glibc"
}

runner "$@"
