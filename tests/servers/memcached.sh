#!/bin/sh
# SPDX-License-Identifier: MIT
#
# memcached with 4 threads under memcached_load.py: 8 connections that set, get, append, count, touch and delete, every
# answer verified. Its slabs are its own: this shows that strata works there, and measures nothing.
. "$(dirname "$0")/lib.sh"
need memcached memcached
need python3 python3

workload() {
	port=$(free_port)
	spawn "$RUN/memcached.log" memcached -l 127.0.0.1 -p "$port" -U 0 -t 4 -m 512 -c 256
	await 20 python3 -c "import socket; socket.create_connection(('127.0.0.1', $port)).close()"
	mapped "$SERVER"
	python3 "$HERE/memcached_load.py" "$port" 8 2500
	mapped "$SERVER"
	stop "$SERVER"
}

owner memcache
rounds memcached
