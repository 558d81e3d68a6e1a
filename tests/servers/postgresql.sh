#!/bin/sh
# SPDX-License-Identifier: MIT
#
# PostgreSQL: a data folder made by initdb, pgbench with 8 connections, whose sums must agree afterwards, and statements
# whose answers are compared (postgresql.sql), with parallel workers and, where it is installed, compiled expressions.
. "$(dirname "$0")/lib.sh"

for bin in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin; do
	[ -x "$bin/postgres" ] && PATH=$bin:$PATH
done
need postgres postgresql
need pgrep procps
need initdb postgresql
need psql postgresql-client
need pgbench postgresql

sql() {
	psql -X -q -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$port" -U strata "$@"
}

workload() {
	port=$(free_port)
	owned initdb -D "$RUN/data" -U strata -A trust -E UTF8 --locale=C.UTF-8 --no-sync >"$RUN/initdb.log" 2>&1
	spawn "$RUN/postgres.log" postgres -D "$RUN/data" -h 127.0.0.1 -p "$port" -k '' -c fsync=off -c shared_buffers=32MB \
		-c work_mem=1MB -c dynamic_shared_memory_type=mmap -c max_connections=40
	await 60 sql -c 'select 1' postgres
	mapped "$SERVER"
	sql -c 'create database load' -c 'create database t' postgres
	pgbench -i -s 2 -q -h 127.0.0.1 -p "$port" -U strata load >"$RUN/pgbench.log" 2>&1
	for protocol in simple prepared; do
		pgbench -n -M "$protocol" -c 8 -j 2 -t 200 -h 127.0.0.1 -p "$port" -U strata load >>"$RUN/pgbench.log" 2>&1
	done
	grep -E '^number of (transactions actually|failed)' "$RUN/pgbench.log"
	sql -At load <<-END
		select (select sum(abalance) from pgbench_accounts) = (select sum(delta) from pgbench_history),
			(select sum(bbalance) from pgbench_branches) = (select sum(delta) from pgbench_history),
			(select sum(tbalance) from pgbench_tellers) = (select sum(delta) from pgbench_history),
			(select count(*) from pgbench_history);
	END
	sql t <"$HERE/postgresql.sql" 2>&1
	mapped_children
	stop "$SERVER" 0 INT
	if grep -E 'PANIC|terminated by signal|server process .* exited' "$RUN/postgres.log" >&2; then
		die "PostgreSQL reports the above"
	fi
}

owner postgres
rounds postgresql
