#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The sqlite3 shell: tables, indexes, full text, JSON, recursion, sorting with helper threads, vacuum and a dump; all
# answers are compared (sqlite.sql), and the bytes of the database too.
. "$(dirname "$0")/lib.sh"
need sqlite3 sqlite3

workload() {
	held sqlite3 -batch
	preloaded sqlite3 -batch "$RUN/database" <"$HERE/sqlite.sql"
	preloaded sqlite3 -batch "$RUN/database" .dump >"$RUN/dump"
	preloaded sqlite3 -batch "$RUN/copy" <"$RUN/dump"
	preloaded sqlite3 -batch "$RUN/copy" .dump | cmp - "$RUN/dump" || die "the dump of the copy differs"
	sha256sum <"$RUN/dump"
	sha256sum <"$RUN/database"
}

rounds sqlite
