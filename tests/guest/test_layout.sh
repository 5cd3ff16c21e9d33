#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# phyr layout against /proc/PID/smaps, mapping by mapping, of stopped processes; and of one
# with very many mappings, with what that takes.
#
# TAP. Runs as root in the test machine, with phyr on PATH.

set -u

# shellcheck source=tests/guest/tap.sh
. "$(dirname "$0")/tap.sh"
here=$(dirname "$0")
dir=$(mktemp -d -p /var/tmp) || exit
log=$dir/log
mappings=200000
[ -z "${PHYR_DEBUG:-}" ] || mappings=20000

# check DESCRIPTION COMMAND…
check() {
	local what=$1
	shift
	if "$@" >"$log" 2>&1; then ok "$what"; else not_ok "$what"; fi
	grep '^# ' "$log"
}

cleanup() {
	exec 2>/dev/null
	swapoff "$dir/swap"
	umount "$dir/huge"
	rm -rf "$dir"
}
trap cleanup EXIT

# start COMMAND…: a process that stops itself when it is ready.
start() {
	"$@" &
	process=$!
	for _ in $(seq 600); do
		grep -q '^State:.*stopped' "/proc/$process/status" 2>/dev/null && return
		sleep 0.1
	done
}

stop() {
	kill -KILL "$process"
	wait "$process" 2>/dev/null
}

# few: the very many are all there, and took no more than they may. An idle machine needs a
# fifth of these seconds, but an emulated guest pays for what else runs on its host.
few() {
	local number seconds kib
	"$here/layout-many" "$process" >"$dir/many" || return
	read -r number seconds kib <"$dir/many"
	echo "# $number mappings: $seconds s, $kib KiB"
	[ "$number" -ge "$mappings" ] || return
	[ "$kib" -le 20480 ] || return
	[ -n "${PHYR_DEBUG:-}" ] || [ "${seconds%.*}" -lt 60 ]
}

before=$("$here/nothing-left")
head -c 300000 /dev/urandom >"$dir/file"
mkdir "$dir/huge"
mount -t hugetlbfs none "$dir/huge" || echo "Bail out! no hugetlbfs"
fallocate -l 32M "$dir/swap" && chmod 600 "$dir/swap" && mkswap -q "$dir/swap" &&
	swapon "$dir/swap" || echo "Bail out! no swap"
LAYOUT_BAR=$(grep -l 0x1110 /sys/bus/pci/devices/*/device | head -n 1)
LAYOUT_BAR=${LAYOUT_BAR%/device}/resource2
export LAYOUT_BAR

start "$here/layout-holder" "$dir"
check "all sorts of mappings" "$here/layout-oracle" "$process" "$dir/expected"
phyr layout "$process" >"$log"
check "guard pages are not called swapped" sh -c "! grep -q 'swapped .*file' '$log'"
check "an untouched file of hugetlbfs is no device" \
	sh -c "phyr layout $process --all | grep -v hidden | grep -q ' untouched'"
check "a mapped BAR is one" sh -c "phyr layout $process | grep -q 'device (hidden) .*resource2'"
stop

# shellcheck disable=SC2016 # for Python
start python3 -c 'import os, signal, threading, time
for i in range(20):
    threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
time.sleep(1)
os.kill(os.getpid(), signal.SIGSTOP)'
check "a program with threads" "$here/layout-oracle" "$process"
stop

most=$(cat /proc/sys/vm/max_map_count)
echo 1000000 >/proc/sys/vm/max_map_count
start "$here/layout-holder" --many "$mappings"
check "$mappings mappings" few
stop
echo "$most" >/proc/sys/vm/max_map_count

swapoff "$dir/swap"
# shellcheck disable=SC2086 # numbers
nothing_left $before
tap_end
