#!/bin/sh
# SPDX-License-Identifier: MIT
#
# MariaDB under sysbench: 8 connections of reads, updates, inserts and deletes, then statements whose answers are
# compared (mariadb.sql), then a second start on the same files after a clean shutdown.
. "$(dirname "$0")/lib.sh"
need mariadbd mariadb-server
need mariadb-install-db mariadb-server
need mariadb mariadb-client
need sysbench sysbench

sql() {
	mariadb --no-defaults --protocol=tcp -h 127.0.0.1 -P "$port" -u root "$@"
}

bench() {
	sysbench "$1" --db-driver=mysql --mysql-host=127.0.0.1 --mysql-port="$port" --mysql-user=root --mysql-db=bench \
		--tables=4 --table-size=3000 --rand-seed=7 --threads=8 --time=0 --events=2000 "$2" >"$RUN/sysbench.$2.log" 2>&1 ||
		die "sysbench $1 $2"
}

start() {
	port=$(free_port)
	spawn "$RUN/mariadbd.log" mariadbd --no-defaults --datadir="$RUN/data" --socket="$RUN/socket" --port="$port" \
		--bind-address=127.0.0.1 --pid-file="$RUN/pid" --innodb-buffer-pool-size=64M --innodb-log-file-size=16M \
		--innodb-flush-log-at-trx-commit=0 --skip-log-bin --max-connections=64 --tmpdir="$RUN"
	await 60 sql -e 'select 1'
	mapped "$SERVER"
}

workload() {
	cp -a "$DIR/data" "$RUN/data"
	start
	sql -e 'create database bench; create database t'
	bench oltp_read_write prepare
	bench oltp_read_write run
	# Deadlocks between connections are ignored and tried again: every event has to come through all the same.
	grep -E 'total number of events: +2000$' "$RUN/sysbench.run.log"
	sql --table t <"$HERE/mariadb.sql"
	sql bench -e 'check table sbtest1, sbtest2, sbtest3, sbtest4 extended'
	mapped "$SERVER"
	stop "$SERVER"
	start
	sql t -e 'checksum table customers, orders; check table customers, orders extended'
	stop "$SERVER"
}

owner mysql
RUN=$DIR/install
mkdir "$RUN"
[ -z "$OWNER" ] || chown "$OWNER" "$RUN"
owned mariadb-install-db --no-defaults --datadir="$DIR/data" --auth-root-authentication-method=normal \
	--skip-test-db --innodb-log-file-size=16M >"$RUN/install.log" 2>&1
rounds mariadb
