#!/bin/sh
# SPDX-License-Identifier: MIT
#
# MariaDB under sysbench: 4 connections of transactions that only read, over a Unix socket. Every run starts on a copy of
# the same data.
. "$(dirname "$0")/lib.sh"
uses mariadbd mariadb-server
uses mariadb-install-db mariadb-server
uses mariadb-admin mariadb-client
uses sysbench sysbench

EVENTS=5000

bench() {
	sysbench oltp_read_only --db-driver=mysql --mysql-socket="$RUN/socket" --mysql-user=root --mysql-db=bench --tables=4 \
		--table-size=20000 --rand-seed=7 --threads=4 --time=0 --events=$EVENTS "$1"
}

start() {
	spawn "$RUN/mariadbd.log" mariadbd --no-defaults --datadir="$RUN/data" --socket="$RUN/socket" --skip-networking \
		--pid-file="$RUN/pid" --innodb-buffer-pool-size=64M --innodb-log-file-size=16M --skip-log-bin --tmpdir="$RUN"
	await 60 mariadb-admin --no-defaults --socket="$RUN/socket" -u root ping
}

setup() {
	owned mariadb-install-db --no-defaults --datadir="$RUN/data" --auth-root-authentication-method=normal --skip-test-db \
		--innodb-log-file-size=16M >"$RUN/install.log" 2>&1
	start
	mariadb-admin --no-defaults --socket="$RUN/socket" -u root create bench
	bench prepare
	stop "$SERVER"
	mv "$RUN/data" "$DATA/data"
}

load() {
	cp -a "$DATA/data" "$RUN/data"
	start
	served bench run
	grep -q -E "total number of events: +$EVENTS\$" "$RUN/out" || die "not every transaction came through"
	stop "$SERVER"
}

owner mysql
runner "$@"
