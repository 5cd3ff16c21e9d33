# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# TAP for tests that are scripts. Sourced; explain, which a test may replace, prints what
# there is to know after a point that failed: the file $log, if the test has one.

number=0
failed=0

ok() {
	number=$((number + 1))
	echo "ok $number - $1"
}

not_ok() {
	number=$((number + 1))
	failed=$((failed + 1))
	echo "not ok $number - $1"
	explain
}

explain() {
	[ ! -s "${log:-}" ] || sed 's/^/# /' "$log"
}

# check DESCRIPTION COMMAND…: the command must succeed.
check() {
	local what=$1
	shift
	if "$@" >"$log" 2>&1 </dev/null; then ok "$what"; else not_ok "$what"; fi
}

# exits STATUS WORDS COMMAND…: with that status, and with WORDS (if not empty) in what it
# prints, which is left in $dir/out.
# shellcheck disable=SC2154 # the test's own directory
exits() {
	local want=$1 words=$2 status=0
	shift 2
	"$@" >"$dir/out" 2>&1 || status=$?
	cat "$dir/out"
	echo "exit status $status, expected $want"
	[ "$status" -eq "$want" ] || return
	[ -z "$words" ] || grep -qF -- "$words" "$dir/out"
}

# The leak oracle, with what it said in the beginning.
nothing_left() {
	local left
	if left=$("$(dirname "$0")/nothing-left" "$@" 2>&1); then
		ok "nothing is left"
	else
		not_ok "left: $left"
	fi
}

# The plan comes last. Its status is the test's.
tap_end() {
	echo "1..$number"
	[ "$failed" = 0 ]
}
