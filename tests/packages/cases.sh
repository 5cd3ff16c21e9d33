# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What tree and guest share: points of TAP, and the line that counts them.
#
# Sourced, never run.

# shellcheck source=tests/guest/tap.sh
. "$(dirname "${BASH_SOURCE[0]}")/../guest/tap.sh"
LOG=/tmp/packages.log

# shellcheck disable=SC2317 # called by not_ok
explain() {
	tail -n 40 "$LOG" | sed 's/^/# /'
}

# test_case WORDS COMMAND…
test_case() {
	local words=$1
	shift
	if "$@" >"$LOG" 2>&1; then
		ok "$words"
	else
		not_ok "$words"
	fi
}

# says WORDS…: the output so far has each of them.
says() {
	local words
	for words; do
		grep -qF -- "$words" "$LOG" || { echo "it did not say: $words"; return 1; }
	done
}

status_of() {
	dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null || echo not-installed
}

# is PACKAGE STATUS
is() {
	local status
	status=$(status_of "$1")
	[ "$status" = "$2" ] || { echo "$1 is $status, not $2"; return 1; }
}

cases_end() {
	echo "1..$number"
	echo "guest: $((number - failed)) passed, $failed failed, 0 skipped"
	[ "$failed" -eq 0 ]
}
