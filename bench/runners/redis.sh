#!/bin/sh
# SPDX-License-Identifier: MIT
#
# redis-server: keys at random whose values are replaced by others, of sizes that drift; then lists, sets, hashes and sorted
# sets. Two I/O threads where there are processors for them and for the client: they spin, and on two processors, against
# each other, redis takes ten times as long. Debian's redis links jemalloc, so the run on glibc's malloc preloads libc.so.6.
. "$(dirname "$0")/lib.sh"
uses redis-server redis-server
uses redis-cli redis-tools
uses redis-benchmark redis-tools

# shellcheck disable=SC2034
GLIBC_PRELOAD=libc.so.6

redis() {
	redis-cli -s "$RUN/socket" "$@"
}

# requests TESTS COUNT SIZE
requests() {
	redis-benchmark -s "$RUN/socket" -q -c 10 -P 32 -r 60000 -t "$1" -n "$2" -d "$3"
}

drift() {
	for size in 48 100 300 700 200 60; do
		requests set 150000 $size || return
	done
	requests lpush,sadd,hset,zadd 100000 60
}

setup() {
	:
}

load() {
	threads=1
	[ "$(nproc)" -lt 4 ] || threads=2
	spawn "$RUN/redis.log" redis-server --port 0 --unixsocket "$RUN/socket" --dir "$RUN" --save '' --appendonly no \
		--io-threads $threads --io-threads-do-reads yes --daemonize no
	await 30 redis ping
	served drift
	! grep -i error "$RUN/out" "$RUN/client.log" >&2 || die "redis-benchmark met an error"
	[ "$(redis dbsize)" -gt 50000 ] || die "redis has lost keys: $(redis dbsize) are there"
	stop "$SERVER"
}

owner redis
runner "$@"
