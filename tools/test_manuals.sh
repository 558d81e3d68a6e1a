#!/bin/sh
# SPDX-License-Identifier: MIT
# The manual pages: well-formed, and with every option and setting that there is.
set -eu

failed=0
fail()
{
	echo "FAIL: $1"
	failed=1
}

for name in strata-run.1 strata.7; do
	page=$top_builddir/tools/$name
	! grep -n '@[A-Za-z_]*@' "$page" || fail "$name: not filled in"
	if command -v groff >/dev/null 2>&1; then
		# But for lines that cannot be adjusted: a path is as long as whoever configures has it.
		warnings=$(groff -man -Tascii -ww -Wbreak -z "$page" 2>&1)
		[ -z "$warnings" ] || fail "$name: $warnings"
	else
		echo "no groff: $name is not formatted"
	fi
done

for setting in $(awk -f "$top_srcdir/tools/settings.awk" "$top_srcdir/src/options.def" | sed -n 's/^  \([a-z_]*\):.*/\1/p'); do
	grep -q "^.fB$setting:" "$top_builddir/tools/strata.7" || fail "strata.7 does not have $setting"
done

# In the page a hyphen of an option is \-.
for option in $("$top_builddir/tools/strata-run" --help | sed -n 's/^  -., --\([a-z-]*\).*/\1/p' | sed 's/-/\\\\-/g'); do
	grep -q "^.fB..*fB.-.-$option.fR" "$top_builddir/tools/strata-run.1" || fail "strata-run.1 does not have --$option"
done
exit $failed
