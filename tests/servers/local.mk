# SPDX-License-Identifier: MIT
# Real servers on the preloaded library. `make check-servers`, or with SERVERS="redis git" for some of them.

PHONY_TARGETS += check-servers

check-servers: src/libstrata.la tools/python/strata-python.la
	STRATA_LIB='$(abs_builddir)/src/.libs/libstrata.so.0' SERVERS_LOGS=tests/servers/logs \
		$(SHELL) '$(srcdir)/tests/servers/run.sh' $(SERVERS)

CLEANFILES += tests/servers/logs/*.log

EXTRA_DIST += \
	tests/servers/clang.sh \
	tests/servers/compile.cc \
	tests/servers/compile.sh \
	tests/servers/gcc.sh \
	tests/servers/git.sh \
	tests/servers/lib.sh \
	tests/servers/mariadb.sh \
	tests/servers/mariadb.sql \
	tests/servers/memcached.sh \
	tests/servers/memcached_load.py \
	tests/servers/nginx.sh \
	tests/servers/packages \
	tests/servers/postgresql.sh \
	tests/servers/postgresql.sql \
	tests/servers/python.sh \
	tests/servers/python_domains.sh \
	tests/servers/redis.commands \
	tests/servers/redis.sh \
	tests/servers/rocksdb.sh \
	tests/servers/run.sh \
	tests/servers/sqlite.sh \
	tests/servers/sqlite.sql
