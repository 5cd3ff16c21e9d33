# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# TAP for tests that are scripts. Sourced; explain, if the test has one, prints
# what there is to know after a point that failed.

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
	[ "$(type -t explain)" != function ] || explain
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
