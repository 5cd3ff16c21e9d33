#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The phyr command on a kernel that is locked down, as Secure Boot does it. There is no way
# back from that before the next boot, and no module can be loaded any more: so this comes
# last, if named.
#
# TAP. Runs as root in the test machine, with phyr on PATH.

set -u

# shellcheck source=tests/guest/tap.sh
. "$(dirname "$0")/tap.sh"
log=$(mktemp) || exit
trap 'rm -f "$log"' EXIT
lockdown=/sys/kernel/security/lockdown

# refused DESCRIPTION COMMAND…: because of the lockdown, and it says so.
refused() {
	local what=$1
	shift
	if ! "$@" >"$log" 2>&1 && grep -q "the kernel is locked down" "$log"; then
		ok "$what"
	else
		not_ok "$what"
	fi
}

# works DESCRIPTION COMMAND…
works() {
	local what=$1
	shift
	if "$@" >"$log" 2>&1; then ok "$what"; else not_ok "$what"; fi
}

before=$("$(dirname "$0")/nothing-left")
bar=$(grep -l 0x1110 /sys/bus/pci/devices/*/device | head -n 1)
bar=${bar%/device}/resource2
[ -e "$lockdown" ] || mount -t securityfs none /sys/kernel/security
if [ ! -e "$lockdown" ]; then
	ok "lockdown # SKIP this kernel has none"
	tap_end
	exit
fi
works "a BAR" phyr pin --file "$bar"
works "the kernel is locked down now" sh -c "echo integrity >$lockdown"
refused "a BAR then" phyr pin --file "$bar"
refused "RAM, by its address" phyr pin --file /dev/mem --offset 0x60000000 --size 64K
works "memory of one's own" phyr pin --size 1M
works "the list of regions" phyr regions
works "the layout of a process" phyr layout $$
# shellcheck disable=SC2086 # numbers
nothing_left $before
tap_end
