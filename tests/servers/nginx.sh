#!/bin/sh
# SPDX-License-Identifier: MIT
#
# nginx with two workers under wrk: files, compression, server-side includes, a proxy to itself with a cache on disk, and
# reloads under load. Answers are compared; nginx has pools of its own, so this measures nothing.
. "$(dirname "$0")/lib.sh"
need nginx nginx
need wrk wrk
need pgrep procps
need curl curl

configuration() {
	cat <<-END
		daemon off;
		worker_processes 2;
		pid $RUN/pid;
		error_log $RUN/nginx.log notice;
		events { worker_connections 512; }
		http {
			access_log $RUN/access;
			client_body_temp_path $RUN/body;
			proxy_temp_path $RUN/proxy;
			fastcgi_temp_path $RUN/fastcgi;
			uwsgi_temp_path $RUN/uwsgi;
			scgi_temp_path $RUN/scgi;
			proxy_cache_path $RUN/cache keys_zone=cache:1m;
			types { text/html html; text/plain txt; }
			default_type application/octet-stream;
			gzip on;
			gzip_types text/plain;
			server {
				listen 127.0.0.1:$port;
				root $RUN/root;
				location / { ssi on; }
				location /again/ { proxy_pass http://127.0.0.1:$port/; proxy_buffers 4 4k; }
				location /cached/ { proxy_pass http://127.0.0.1:$port/; proxy_cache cache; proxy_cache_valid 1s; }
				location /rewrite { rewrite ^/rewrite/([a-z]*)/([0-9]*)\$ /\$1.\$2.txt last; return 404; }
				location /text { return 200 "\$request_method \$uri \$args \$http_x_test\n"; }
			}
		}
	END
}

files() {
	mkdir -p "$RUN/root"
	for size in 1 100 3000 70000; do
		awk -v n="$size" 'BEGIN { for (i = 0; i < n; i++) printf "line %d of %d\n", i, n }' >"$RUN/root/text.$size.txt"
	done
	awk 'BEGIN { for (i = 0; i < 60; i++)
		printf "<p>%d <!--#include virtual=\"/text.%d.txt\" --> <!--#echo var=\"uri\" -->\n", i, i % 2 ? 1 : 100 }' \
		>"$RUN/root/page.html"
	chmod -R a+rX "$RUN/root"
}

fetch() {
	curl -sS --max-time 30 "$@" || die "curl $*"
}

load() {
	wrk --timeout 20 -t 2 -c 32 -d 1 "$@" >"$RUN/wrk.log" 2>&1 || die "wrk $*"
	if grep -E 'Socket errors|Non-2xx' "$RUN/wrk.log" >&2; then
		die "wrk met errors: $*"
	fi
}

# A reload while requests come in: old workers may close idle connections, which wrk counts as read errors.
reload() {
	workers=$(pgrep -P "$SERVER")
	wrk --timeout 20 -t 2 -c 32 -d 1 "$url/page.html" >"$RUN/reload.log" 2>&1 &
	wrk=$!
	SPAWNED="$SPAWNED $wrk"
	kill -HUP "$SERVER"
	wait "$wrk" || die "wrk during the reload"
	if grep Non-2xx "$RUN/reload.log" >&2; then
		die "wrk met errors during the reload"
	fi
	for worker in $workers; do
		await_gone "$worker" 300 || die "worker $worker of the old configuration does not end"
	done
}

workload() {
	port=$(free_port)
	url=http://127.0.0.1:$port
	files
	configuration >"$RUN/nginx.conf"
	spawn "$RUN/stderr.log" nginx -p "$RUN" -c "$RUN/nginx.conf" -e "$RUN/nginx.log"
	await 20 curl -fsS "$url/text"
	mapped "$SERVER"
	mapped_children
	load "$url/page.html"
	load -H 'Accept-Encoding: gzip' "$url/text.3000.txt"
	load "$url/again/page.html"
	reload
	mapped_children
	load "$url/cached/text.100.txt"
	fetch "$url/page.html" | sha256sum
	fetch --compressed "$url/text.70000.txt" | sha256sum
	fetch "$url/again/page.html" | sha256sum
	fetch "$url/cached/text.70000.txt" | sha256sum
	fetch "$url/rewrite/text/100" | sha256sum
	fetch -r 1000-2000,5000-5100,9000- "$url/text.3000.txt" | sed '/^--[0-9]/d' | sha256sum
	fetch -H "X-Test: $(printf '%03000d' 7)" "$url/text?a=b&c" | sha256sum
	fetch -o "$RUN/absent" -w '%{http_code}\n' "$url/absent"
	if grep -E '\[(alert|emerg|crit)\]' "$RUN/nginx.log" >&2; then
		die "nginx reports the above"
	fi
	stop "$SERVER" 0 QUIT
}

owner www-data
rounds nginx
