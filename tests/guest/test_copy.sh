#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# phyr copy, fill and compare: files, memory of processes, regions of processes, a BAR,
# physical memory and a block device, with each other.
#
# TAP. Runs as root in the test machine, with phyr on PATH.

set -u

# shellcheck source=tests/guest/tap.sh
. "$(dirname "$0")/tap.sh"
nobody=65534
dir=$(mktemp -d -p /var/tmp) || exit
log=$dir/log
holders=()

cleanup() {
	exec 2>/dev/null
	kill -KILL "${holders[@]}"
	rm -rf "$dir"
}
trap cleanup EXIT

skip() {
	ok "$1 # SKIP $2"
}

# json STATUS EXPRESSION COMMAND…: JSON, of which the Python expression over "d" is true.
json() {
	local want=$1 expression=$2 status=0
	shift 2
	"$@" >"$dir/json" || status=$?
	cat "$dir/json"
	[ "$status" -eq "$want" ] || return
	python3 -c 'import json, sys
d = json.load(open(sys.argv[1]))
sys.exit(not eval("(" + sys.argv[2] + ")"))' "$dir/json" "$expression"
}

# part FILE OFFSET LENGTH
part() {
	tail -c +$(($2 + 1)) "$1" | head -c "$3"
}

# is FILE OFFSET LENGTH OTHER OFFSET: these bytes of both are the same.
is() {
	cmp <(part "$1" "$2" "$3") <(part "$4" "$5" "$3")
}

# all_are BYTE FILE: in octal
all_are() {
	[ -s "$2" ] && [ "$(tr -d "\\$1" <"$2" | wc -c)" -eq 0 ]
}

usage_tests() {
	local command place
	for command in copy fill compare; do
		check "phyr $command --help" exits 0 "Usage: phyr $command" phyr "$command" --help
		check "phyr $command --frob" exits 2 "phyr $command --help" phyr "$command" --frob
		check "$command: no arguments" exits 2 "no arguments" phyr "$command"
		check "$command: one argument" exits 2 "missing" phyr "$command" x
		check "$command: three arguments" exits 2 'unexpected "3"' phyr "$command" 1 2 3
		check "$command: no length" exits 2 "no length" phyr "$command" 1 2 --length 0
	done
	for place in "" @0 12:30 12:0x 0:0x1000 phys: phys:x 0000:01:00.0 0000:01:00.0/x \
		01:00.0/2 /proc/1/fd/x "$dir/a@1x"; do
		check "\"$place\" is no place" exits 2 "is no place" phyr copy "$place" "$dir/x"
	done
	check "a BAR of a large number" exits 2 "too large" phyr copy 0000:01:00.0/6 "$dir/x"
	for byte in 256 -1 x 0x100 ""; do
		check "\"$byte\" is no byte" exits 2 "no byte" phyr fill "$dir/x" -- "$byte"
	done
	check "none of that made a file" test ! -e "$dir/x"
}

file_tests() {
	{ printf 0 && head -c 2999999 /dev/urandom; } >"$dir/a"
	check "a file to a new file" exits 0 "copied 2.8 MiB" phyr copy "$dir/a" "$dir/b"
	check "it is the same" cmp "$dir/a" "$dir/b"
	check "a shorter file" exits 0 "" phyr copy "$dir/a@2999000" "$dir/b"
	check "replaces a longer one" is "$dir/b" 0 1001 "$dir/a" 2999000
	cp "$dir/a" "$dir/b"
	check "a file, from an offset to one" exits 0 "" \
		phyr copy "$dir/a@100" "$dir/b@7" --length 5000
	check "these bytes are new" is "$dir/b" 7 5000 "$dir/a" 100
	check "the bytes behind them are old" is "$dir/b" 5007 2994993 "$dir/a" 5007
	cp "$dir/a" "$dir/b"
	check "bytes that move up in a file" exits 0 "" phyr copy "$dir/b" "$dir/b@5" --length 2500K
	check "come from where they were" is "$dir/b" 5 2560000 "$dir/a" 0
	cp "$dir/a" "$dir/b"
	check "bytes that move down" exits 0 "" phyr copy "$dir/b@5" "$dir/b@0" --length 2500K
	check "come from where they were, too" is "$dir/b" 0 2560000 "$dir/a" 5
	check "a file onto itself" exits 1 "the same file" phyr copy "$dir/a" "$dir/a"
	check "leaves it as it is" test "$(stat -c %s "$dir/a")" = 3000000
	check "more than a file has" exits 1 "smaller --length" \
		phyr copy "$dir/a" "$dir/b" --length 3M
	check "past the end of a file" exits 1 "nothing at offset" phyr copy "$dir/a@3M" "$dir/b"
	check "no such file" exits 1 "No such file" phyr copy "$dir/none" "$dir/b"
	check "a pipe to a pipe" sh -c "cat $dir/a | phyr copy /dev/stdin /dev/stdout | cmp - $dir/a"
	check "a pipe has no offsets" exits 1 "no offsets" \
		sh -c "cat $dir/a | phyr copy /dev/stdin@5 $dir/b"
	check "a pipe that ends too early" exits 1 "ended after 3000000" \
		sh -c "cat $dir/a | phyr copy /dev/stdin $dir/b --length 3M"
	check "a full disk" exits 1 "No space left" phyr copy "$dir/a" /dev/full
	check "a file that does not say its size" exits 0 "" phyr copy /proc/self/status "$dir/b"
	check "copy --json" json 0 'd["bytes"] == 3000000 and d["seconds"] > 0 and
		d["bytes_per_second"] > 0' phyr copy "$dir/a" "$dir/b" --json
}

fill_file_tests() {
	check "fill a file" exits 0 "filled 2.8 MiB" phyr fill "$dir/b" 0x5a
	check "its bytes" all_are 132 "$dir/b"
	check "its length" test "$(stat -c %s "$dir/b")" = 3000000
	check "fill a new file" exits 0 "" phyr fill "$dir/c" 7 --length 12345
	check "its new length" test "$(stat -c %s "$dir/c")" = 12345
	check "fill what has no length" exits 1 "give --length" phyr fill /dev/null 0
	rm "$dir/c"
}

compare_file_tests() {
	cp "$dir/a" "$dir/b"
	check "alike" exits 0 "no difference" phyr compare "$dir/a" "$dir/b"
	check "alike, in JSON" json 0 'd["bytes"] == 3000000 and d["equal"] is True and
		d["first_difference"] is None' phyr compare "$dir/a" "$dir/b" --json
	phyr fill "$dir/b@2000001" 0 --length 32 >/dev/null
	printf x | dd of="$dir/b" bs=1 seek=2000000 conv=notrunc status=none
	printf y | dd of="$dir/a" bs=1 seek=2000000 conv=notrunc status=none
	check "different" exits 1 "differ at byte 2000000" phyr compare "$dir/a" "$dir/b"
	check "different, in JSON" json 1 'd["equal"] is False and d["first_difference"] == 2000000' \
		phyr compare "$dir/a" "$dir/b" --json
	check "different, from an offset" exits 1 "differ at byte 1000000" \
		phyr compare "$dir/a@1000000" "$dir/b@1000000"
	check "alike up to there" exits 0 "" phyr compare "$dir/a" "$dir/b" --length 2000000
	part "$dir/a" 0 5000 >"$dir/b"
	check "a shorter one differs" exits 1 "b ends after 5000 bytes" \
		phyr compare "$dir/a" "$dir/b"
	check "but for its length" exits 0 "" phyr compare "$dir/a" "$dir/b" --length 5000
	check "no such file to compare" exits 2 "No such file" phyr compare "$dir/a" "$dir/none"
}

# A process with 1 MiB of bytes that count, whose address is in $dir/address.
start_process() {
	python3 -c 'import ctypes, mmap, os, sys, time
m = mmap.mmap(-1, 1 << 20)
m[:] = bytes(range(256)) * 4096
with open(sys.argv[1] + ".new", "w") as f:
    f.write("%#x" % ctypes.addressof(ctypes.c_char.from_buffer(m)))
os.rename(sys.argv[1] + ".new", sys.argv[1])
time.sleep(6000)' "$dir/address" &
	process=$!
	holders+=("$process")
	for _ in $(seq 600); do
		[ ! -e "$dir/address" ] || break
		sleep 0.1
	done
	memory=$process:$(cat "$dir/address")
}

process_tests() {
	start_process
	python3 -c 'import sys; sys.stdout.buffer.write(bytes(range(256)) * 4096)' >"$dir/count"
	check "memory of a process to a file" exits 0 "" phyr copy "$memory" "$dir/b" --length 1M
	check "has its bytes" cmp "$dir/b" "$dir/count"
	check "it compares with the file" exits 0 "" phyr compare "$dir/count" "$memory"
	check "a file to memory of a process" exits 0 "" phyr copy "$dir/a" "$memory" --length 1M
	check "memory of a process is different now" exits 1 "differ at byte" \
		phyr compare "$memory" "$dir/count"
	check "fill memory of a process" exits 0 "" phyr fill "$memory" 9 --length 1M
	phyr copy "$memory" "$dir/b" --length 1M >/dev/null
	check "its bytes are that byte" all_are 011 "$dir/b"
	check "memory of a process has no length" exits 1 "give --length" \
		phyr copy "$memory" "$dir/b"
	check "where nothing is mapped" exits 1 "nothing is mapped" \
		phyr copy "$process:0x1000" "$dir/b" --length 1
	check "memory of another user's process" exits 1 "CAP_SYS_PTRACE" \
		setpriv --reuid "$nobody" --regid "$nobody" --clear-groups -- \
		"$(command -v phyr)" copy "$memory" /dev/null --length 1
	check "no such process" exits 1 "No such process" \
		phyr copy 999999999:0x1000 "$dir/b" --length 1
}

# hold OPTION…: a process with a region of 4 MiB and some bytes. Sets region.
hold() {
	local holder link
	phyr pin --size 4198401 --hold 6000 "$@" >/dev/null 2>&1 &
	holder=$!
	holders+=("$holder")
	region=
	for _ in $(seq 600); do
		for link in "/proc/$holder/fd"/*; do
			case $(readlink "$link" 2>/dev/null) in
			*/dmabuf:*) region=$link; return ;;
			esac
		done
		sleep 0.1
	done
}

region_tests() {
	hold --kind scattered
	first=$region
	check "there is a region" test -n "$region"
	check "fill a region" exits 0 "filled 4 MiB" phyr fill "$region" 0x5a
	check "a region to a file" exits 0 "" phyr copy "$region" "$dir/b"
	check "has that byte" all_are 132 "$dir/b"
	check "has its length" test "$(stat -c %s "$dir/b")" = 4198401
	check "a file to a region" exits 0 "" phyr copy "$dir/a" "$region@4097"
	check "they compare" exits 0 "" phyr compare "$dir/a" "$region@4097" --length 3000000
	check "either way" exits 0 "" phyr compare "$region@4097" "$dir/a" --length 3000000
	check "the byte before" exits 0 "" phyr compare "$region" "$dir/b" --length 4097
	check "the region is longer" exits 1 "a ends after 3000000 bytes" \
		phyr compare "$region@4097" "$dir/a"
	check "a difference in a region" json 1 'd["first_difference"] == 4097' \
		phyr compare "$region" "$dir/b" --json
	check "past the end of a region" exits 1 "nothing at offset" \
		phyr copy "$region@4198401" "$dir/b"
	check "more than a region has" exits 1 "smaller --length" \
		phyr copy "$dir/a" "$region@2M"
	check "a pipe into a region" sh -c "cat $dir/a | phyr copy /dev/stdin $region"
	check "arrived" exits 0 "" phyr compare "$region" "$dir/a" --length 3000000
	check "memory of a process to a region" exits 0 "" \
		phyr copy "$memory" "$region@3" --length 1M
	check "compares with that memory" exits 0 "" phyr compare "$region@3" "$memory" --length 1M
}

two_region_tests() {
	hold --kind memfd
	phyr copy "$dir/a" "$first" >/dev/null
	check "a region to another one" json 0 'd["bytes"] == 4194303' \
		phyr copy "$first@5" "$region@4098" --length 4194303 --json
	check "compares with it" json 0 'd["equal"] is True and d["bytes"] == 4194303' \
		phyr compare "$first@5" "$region@4098" --length 4194303 --json
	check "not at another offset" exits 1 "differ at byte" \
		phyr compare "$first@6" "$region@4098" --length 4194303
	check "bytes that move up in a region" exits 0 "" \
		phyr copy "$first" "$first@7" --length 2500K
	check "are those of the file" exits 0 "" phyr compare "$first@7" "$dir/a" --length 2500K
	check "bytes that move down in a region" exits 0 "" \
		phyr copy "$first@7" "$first@1" --length 2500K
	check "are so still" exits 0 "" phyr compare "$first@1" "$dir/a" --length 2500K
}

region_rights_tests() {
	hold --read-only
	check "a region for reading can be read" exits 0 "" phyr copy "$region" "$dir/b"
	check "and not be written" exits 1 "pinned" phyr fill "$region" 0
	check "a region of another user's process" exits 1 "CAP_SYS_PTRACE" \
		setpriv --reuid "$nobody" --regid "$nobody" --clear-groups -- \
		"$(command -v phyr)" copy "$region" /dev/null
	check "a descriptor that is no region" exits 1 "no region" \
		phyr copy "/proc/$process/fd/0" "$dir/b"
	check "a descriptor that does not exist" exits 1 "Bad file descriptor" \
		phyr copy "/proc/$process/fd/12345" "$dir/b"
}

# The BAR of the test machine's small ivshmem device, which keeps what is written. Sets bar.
find_bar() {
	local device
	bar=
	for device in /sys/bus/pci/devices/*; do
		[ "$(cat "$device/device")" = 0x1110 ] || continue
		[ ! -e "$device/driver" ] || continue
		[ "$(stat -c %s "$device/resource2")" -eq $((64 << 20)) ] || continue
		bar=${device##*/}/2
		return
	done
}

bar_tests() {
	local enable enabled
	find_bar
	if [ -z "$bar" ]; then
		skip "a BAR" "no ivshmem device"
		return
	fi
	enable=/sys/bus/pci/devices/${bar%/2}/enable
	enabled=$(cat "$enable")
	[ "$enabled" != 0 ] || echo 1 >"$enable"
	phyr copy "$bar" "$dir/bar" --length 16M >/dev/null
	check "a BAR without --force and a terminal" exits 2 "--force" phyr copy "$dir/a" "$bar"
	check "nothing was written" exits 0 "" phyr compare "$bar" "$dir/bar" --length 16M
	check "a file to a BAR" exits 0 "copied 2.8 MiB" phyr copy "$dir/a" "$bar@4099" --force
	check "compares with it, in JSON" json 0 'd["equal"] is True and d["bytes"] == 3000000' \
		phyr compare "$dir/a" "$bar@4099" --length 3000000 --json
	check "a BAR to a file" exits 0 "" phyr copy "$bar@4099" "$dir/b" --length 3000000
	check "has the same bytes" cmp "$dir/a" "$dir/b"
	check "a BAR to a region" exits 0 "" phyr copy "$bar@4099" "$first@1" --length 3000000
	check "has the same bytes, too" exits 0 "" phyr compare "$first@1" "$dir/a" --length 3000000
	check "a region to a BAR" exits 0 "" phyr copy "$first" "$bar@8M" --force
	check "fill a BAR" exits 0 "" phyr fill "$bar@8M" 0x5a --length 1M --force
	check "fill one byte of a BAR" exits 0 "" phyr fill "$bar@9M" 1 --length 1 --force
	check "a BAR is different" exits 1 "differ at byte 1048576" \
		phyr compare "$bar@8M" "$dir/fives" --length 2M
	check "the end of a BAR" exits 1 "nothing at offset" phyr copy "$bar@64M" "$dir/b"
	check "more than a BAR has" exits 1 "smaller --length" \
		phyr copy "$bar@63M" "$dir/b" --length 2M
	check "a BAR that does not exist" exits 1 "has no BAR 5" phyr copy "${bar%/2}/5" "$dir/b"
	check "a device that does not exist" exits 1 "no PCI device" \
		phyr copy ffff:ff:1f.7/0 "$dir/b"
	bar_wc_tests
	phyr copy "$dir/bar" "$bar" --force >/dev/null
	check "the BAR is what it was" exits 0 "" phyr compare "$bar" "$dir/bar" --length 16M
	[ "$enabled" != 0 ] || echo 0 >"$enable"
}

bar_wc_tests() {
	if [ ! -e "/sys/bus/pci/devices/${bar%/2}/resource2_wc" ]; then
		skip "a BAR, write-combining" "it is not prefetchable"
		return
	fi
	check "a file to a BAR, write-combining" exits 0 "" \
		phyr copy "$dir/a" "$bar@1M" --force --wc
	check "arrived in the BAR" exits 0 "" phyr compare "$dir/a" "$bar@1M" --length 3000000
}

# RAM that the test machine hides from its kernel.
phys_tests() {
	local place=phys:0x60000000
	if [ ! -e /dev/mem ]; then
		skip "physical memory" "no /dev/mem"
		return
	fi
	phyr copy "$place" "$dir/mem" --length 64K >/dev/null
	check "physical memory without --force" exits 2 "physical memory" \
		phyr fill "$place" 0 --length 64K
	check "physical memory has no length" exits 1 "give --length" phyr copy "$place" "$dir/b"
	check "fill physical memory" exits 0 "" phyr fill "$place" 0x5a --length 64K --force
	check "physical memory to a file" exits 0 "" phyr copy "$place" "$dir/b" --length 64K
	check "has that byte" all_are 132 "$dir/b"
	check "a file to physical memory" exits 0 "" phyr copy "$dir/mem" "$place" --force
	check "compares with it" exits 0 "" phyr compare "$dir/mem" "$place"
	check "physical memory as nobody" exits 1 "run it as root" \
		setpriv --reuid "$nobody" --regid "$nobody" --clear-groups -- \
		"$(command -v phyr)" copy "$place" /dev/null --length 1
}

block_tests() {
	local disk
	truncate -s 4M "$dir/disk"
	if ! disk=$(losetup --find --show "$dir/disk" 2>"$log"); then
		skip "a block device" "no loop device"
		return
	fi
	check "a block device without --force" exits 2 "a block device" phyr copy "$dir/a" "$disk"
	check "a file to a block device" exits 0 "" phyr copy "$dir/a" "$disk@512" --force
	check "compares with the file" exits 0 "" phyr compare "$dir/a" "$disk@512" --length 3000000
	check "more than a block device has" exits 1 "smaller --length" \
		phyr copy "$dir/a" "$disk@2M" --force
	check "a block device to a region" exits 0 "" phyr copy "$disk" "$first"
	losetup -d "$disk"
}

no_module_tests() {
	check "files without the module" exits 0 "" phyr copy "$dir/a" "$dir/b"
	check "physical memory without the module" exits 1 "modprobe phyr" \
		phyr copy phys:0x60000000 "$dir/b" --length 1
}

stop_holders() {
	kill -KILL "${holders[@]}"
	wait "${holders[@]}" 2>/dev/null
	holders=()
}

before=$("$(dirname "$0")/nothing-left")
usage_tests
file_tests
fill_file_tests
compare_file_tests
process_tests
region_tests
two_region_tests
region_rights_tests
phyr fill "$dir/fives" 0x5a --length 1M >/dev/null
phyr fill "$dir/fives@1M" 0 --length 1M >/dev/null
bar_tests
phys_tests
block_tests
stop_holders
rm -f "$dir"/bar "$dir"/fives "$dir"/disk
# Whatever uses the module has to go first.
modprobe -r phyr_test phyr_bench edu phyr 2>/dev/null
no_module_tests
"$(dirname "$0")/setup" >/dev/null || echo "Bail out! the modules do not load"
# shellcheck disable=SC2086 # numbers
nothing_left $before
tap_end
