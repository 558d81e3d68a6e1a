#!/bin/sh
# SPDX-License-Identifier: MIT
#
# redis-server with two I/O threads under redis-benchmark, then commands whose answers are compared (redis.commands),
# a snapshot by a forked child, a rewrite of the append-only file, and a reload, after which the digest of all data must
# be the same. Debian's redis links jemalloc, so the run on glibc's malloc preloads libc.so.6.
. "$(dirname "$0")/lib.sh"
need redis-server redis-server
need redis-cli redis-tools
need redis-benchmark redis-tools

GLIBC_PRELOAD=libc.so.6

redis() {
	redis-cli -h 127.0.0.1 -p "$port" "$@"
}

# A warning of the dynamic linker, or a symbol bound to another malloc, would mean that the preloading did not work.
bound() {
	preloaded env LD_DEBUG=bindings redis-server --version 2>&1 |
		sed -n "s/.*binding file redis-server .* to \([^ ]*\) .*normal symbol .\(malloc\|free\|realloc\)'.*/\2 \1/p" |
		sort -u >"$RUN/bound.log"
	[ "$(wc -l <"$RUN/bound.log")" -ge 2 ] || die "cannot see which malloc redis-server is bound to"
	if grep -v "/$(basename "$PRELOAD")\$" "$RUN/bound.log" >&2; then
		die "redis-server is bound to another malloc than $PRELOAD"
	fi
}

start() {
	port=$(free_port)
	spawn "$RUN/redis.log" redis-server --bind 127.0.0.1 --port "$port" --dir "$RUN" --save '' --appendonly yes \
		--appendfsync no --io-threads 2 --io-threads-do-reads yes --enable-debug-command local --daemonize no \
		--maxmemory 200mb --lazyfree-lazy-user-del yes --hash-max-listpack-entries 64 --list-max-listpack-size 32
	await 30 redis ping
	await 30 sh -c "redis-cli -h 127.0.0.1 -p $port info persistence | grep -q '^loading:0'"
	mapped "$SERVER"
}

idle() {
	redis info persistence | tr -d '\r' | grep -c -E '^(rdb_bgsave_in_progress|aof_rewrite_in_progress):0$' | grep -qx 2
}

workload() {
	bound
	start
	redis-benchmark -h 127.0.0.1 -p "$port" -c 40 -n 10000 -r 20000 -P 8 -d 300 -q \
		-t ping,set,get,incr,lpush,rpush,lpop,rpop,sadd,hset,spop,zadd,zpopmin,lrange_100,mset \
		>"$RUN/benchmark.log" 2>&1 ||
		die "redis-benchmark"
	redis flushall
	redis <"$HERE/redis.commands"
	redis debug digest
	redis bgsave
	await 60 idle
	redis bgrewriteaof
	await 60 idle
	redis info persistence | tr -d '\r' | grep -E '^(rdb_last_bgsave_status|aof_last_bgrewrite_status|aof_last_write_status)'
	mapped "$SERVER"
	stop "$SERVER"
	start
	redis debug digest
	redis dbsize
	stop "$SERVER"
}

owner redis
rounds redis
