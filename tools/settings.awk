# SPDX-License-Identifier: MIT
# The list of settings, from src/options.def: as `strata-run --help` shows it, with form=readme as README.md's table, with form=man as
# strata(7) has it.

function entry(text,    parts, head, words, meaning, n, i, values)
{
	sub(/^SETTING\(/, "", text)
	sub(/\)$/, "", text)
	# head: up to the first "; then what stands in quotes, at the odd places.
	n = split(text, parts, "\"")
	split(parts[1], head, /, */)
	meaning = parts[4]
	values = parts[6]
	for (i = 8; i < n; i += 2)
		values = values "|" parts[i]
	if (form == "readme") {
		gsub(/\|/, "\\|", values)
		printf "| `%s:%s` | %s | %s |\n", head[1], values, meaning, parts[2]
	} else if (form == "man") {
		printf ".TP\n\\fB%s:\\fR\\fI%s\\fR (default %s)\n%s\n", head[1], values, parts[2], meaning
	} else {
		printf "  %s:%s (default %s)\n      %s\n", head[1], values, parts[2], meaning
	}
}

/^SETTING\(/ { text = "" }
/^SETTING\(/ || text != "" {
	sub(/^[ \t]+/, text == "" ? "" : " ")
	text = text $0
	if (/\)$/) {
		entry(text)
		text = ""
	}
}
