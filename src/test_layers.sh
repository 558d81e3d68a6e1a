#!/bin/sh
# SPDX-License-Identifier: MIT
# src/README.md is a map of the sources, from the top down: every file is on it, and includes only files of its own row and
# of rows below, but for the knots that the map names. Those are there, and point upward.
set -eu

: "${top_srcdir:=.}"
cd "$top_srcdir/src"

printf '%s\n' * | awk '
	function fail(what) { print "FAIL: " what; failed = 1 }

	# The map: rows begin with names between backquotes, knots are "    file -> file  why".
	FILENAME == "README.md" && /^\| `/ {
		names = $0
		sub(/^\| /, "", names)
		sub(/ \|.*/, "", names)
		count = split(names, listed, /[`, ]+/)
		row++
		for (i = 1; i <= count; i++)
			if (listed[i] != "") {
				if (listed[i] in row_of)
					fail(listed[i] " is on the map twice")
				row_of[listed[i]] = row
			}
		next
	}
	FILENAME == "README.md" && /^    [a-z_]+\.[a-z]+ -> [a-z_]+\.[a-z]+ / { knot[$1 " " $3] = 1; next }
	FILENAME == "README.md" { next }

	# The folder.
	/^[a-z_0-9]+\.(c|h|cc|def)$/ {
		there[$0] = 1
		if (!($0 in row_of)) {
			fail($0 " is not on the map")
			next
		}
		file = $0
		while ((getline line < file) > 0)
			if (line ~ /^[ \t]*#[ \t]*include[ \t]*"/) {
				sub(/^[^"]*"/, "", line)
				sub(/".*/, "", line)
				look(file, line)
			}
		close(file)
	}

	function look(file, included) {
		includes++
		if (!(included in row_of))
			fail(file " includes " included ", which is not on the map")
		else if (row_of[included] >= row_of[file])
			return
		else if ((file " " included) in knot)
			tied[file " " included] = 1
		else
			fail(file " includes " included ", which is above it on the map")
	}

	END {
		for (file in row_of)
			if (file !~ /^\.\./ && !(file in there))
				fail(file " is on the map, and not in src")
		for (pair in knot)
			if (!(pair in tied))
				fail(pair ": a knot on the map, and not in the sources")
		if (row == 0 || includes == 0)
			fail("no map, or no include, was found")
		exit failed
	}
' README.md -
