# SPDX-License-Identifier: MIT
# A worked example of typed free lists, which is a benchmark and, in short, a test: see bench/servers/run.

EXTRA_DIST += bench/servers/run bench/servers/test_json_server.sh

if ENABLE_TESTS
check_PROGRAMS += bench/servers/json_server bench/servers/json_load
TESTS += bench/servers/test_json_server.sh

json_value_sources = bench/servers/value.c bench/servers/value.h bench/servers/text.c bench/servers/text.h \
	bench/servers/wire.h
bench_servers_json_server_SOURCES = bench/servers/json_server.c $(json_value_sources)
bench_servers_json_server_LDADD = -lpthread -ldl
bench_servers_json_load_SOURCES = bench/servers/json_load.c $(json_value_sources)
bench_servers_json_load_LDADD = -lpthread -ldl

bench-servers: src/libstrata.la bench/servers/json_server bench/servers/json_load
	$(srcdir)/bench/servers/run -b $(abs_builddir)
PHONY_TARGETS += bench-servers
endif
