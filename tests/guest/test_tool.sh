#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The phyr command: what it prints, its JSON, its picture, and its exit status.
#
# TAP. Runs as root in the test machine, with phyr on PATH and two 1 GiB pages
# and some 2 MiB pages free.

set -u

nobody=65534
nr=0
failed=0
dir=$(mktemp -d) || exit
disk=/var/tmp/phyr-test-tool
trap 'rm -rf "$dir" "$disk"' EXIT

# ok DESCRIPTION COMMAND...: the command must succeed.
ok() {
	local what=$1
	shift
	nr=$((nr + 1))
	if "$@" >"$dir/log" 2>&1; then
		echo "ok $nr - $what"
	else
		failed=$((failed + 1))
		echo "not ok $nr - $what"
		sed 's/^/# /' "$dir/log"
	fi
}

# exits STATUS WORDS COMMAND...: with that status, and with WORDS (if not
# empty) on standard error.
exits() {
	local want=$1 words=$2 status=0
	shift 2
	"$@" >"$dir/out" 2>"$dir/err" || status=$?
	cat "$dir/err"
	echo "exit status $status, expected $want"
	[ "$status" -eq "$want" ] || return
	[ -z "$words" ] || grep -qF -- "$words" "$dir/err"
}

# One Python answers all questions: to start one takes the debug kernel seconds.
start_judge() {
	coproc JUDGE {
		exec python3 -c 'import json, sys
for expression in sys.stdin:
    try:
        d = json.load(open(sys.argv[1]))
        print(bool(eval("(" + expression.strip() + ")", {"d": d})), flush=True)
    except Exception as e:
        print(repr(e), flush=True)' "$dir/json"
	}
	judge=$JUDGE_PID questions=${JUDGE[1]} answers=${JUDGE[0]}
}

stop_judge() {
	exec {questions}>&-
	wait "$judge"
}

# json EXPRESSION COMMAND...: the command prints valid JSON, of which the
# Python expression over "d" is true.
json() {
	local expression=$1 verdict
	shift
	"$@" >"$dir/json" || return
	cat "$dir/json"
	echo "${expression//$'\n'/ }" >&"$questions"
	read -r verdict <&"$answers" || verdict="no answer"
	echo "$verdict: $expression"
	[ "$verdict" = True ]
}

unprivileged() {
	setpriv --reuid "$nobody" --regid "$nobody" --clear-groups -- "$@"
}

as_nobody() {
	unprivileged "$(command -v phyr)" "$@"
}

# What is true of every pin.
pin_sane='sum(d["kinds"].values()) == d["bytes"]
	and sum(h["phyrs"] for h in d["histogram"]) == d["phyrs"]
	and 0 < d["largest"] <= d["bytes"] and d["pin_ns"] > 0 and d["metadata_bytes"] > 0'

usage_tests() {
	ok "phyr --help" exits 0 "" phyr --help
	ok "phyr --version" exits 0 "" phyr --version
	ok "no command" exits 2 "no command" phyr
	ok "unknown command" exits 2 'unknown command "frob"' phyr frob
	ok "unknown option" exits 2 'unknown option "--frob"' phyr --frob
	for command in info pin regions layout; do
		ok "phyr $command --help" exits 0 "" phyr "$command" --help
		ok "phyr $command --frob" exits 2 "phyr $command --help" phyr "$command" --frob
	done
	ok "info: extra argument" exits 2 'unexpected "x"' phyr info x
	ok "regions: extra argument" exits 2 'unexpected "x"' phyr regions x
	ok "pin: extra argument" exits 2 'unexpected "x"' phyr pin x
	ok "pin: unknown kind" exits 2 'unknown kind "rock"' phyr pin --kind rock
	for size in "" 0 0x0 -1 1X 1Gi 1GiBs 99999999999999999999 16E 0x 0xg 0x10K " 1"; do
		ok "pin: size \"$size\"" exits 2 "no size" phyr pin --size "$size"
	done
	ok "pin: size without value" exits 2 "requires an argument" phyr pin --size
	ok "pin: hold" exits 2 "no number of seconds" phyr pin --hold 1.5
	ok "pin: --kind and --file" exits 2 "exclude" phyr pin --kind 4k --file /bin/sh
	ok "pin: offset" exits 2 "0x60000000" phyr pin --file /bin/sh --offset 12x
	ok "pin: --offset alone" exits 2 "--offset" phyr pin --offset 4096
	ok "layout: no PID" exits 2 "no PID" phyr layout
	for pid in 0 -1 x 1x 99999999999; do
		ok "layout: PID \"$pid\"" exits 2 "phyr layout" phyr layout -- "$pid"
	done
	ok "layout: two PIDs" exits 2 "unexpected" phyr layout 1 2
	ok "output that cannot be written" exits 1 "cannot write" \
		sh -c 'phyr --help >/dev/full'
}

no_module_tests() {
	ok "check without the module" json '[c["details"]["installed"] for c in d["checks"]
		if c["name"] == "phyr"] == [True] and d["works"]' phyr check --json
	ok "bench without the module" exits 1 "modprobe phyr" phyr bench
	ok "info without the module" exits 1 "modprobe phyr" phyr info
	ok "regions without the module" exits 1 "modprobe phyr" phyr regions
	ok "pin without the module" exits 1 "modprobe phyr" phyr pin
	ok "layout without the module" json 'd["total"]["phyrs"] > 0' phyr layout $$ --json
}

info_tests() {
	ok "info" exits 0 "" phyr info
	ok "info --json" json 'd["regions"] == 0 and d["pinned_bytes"] == 0 and
		d["page_size"] >= 4096 and d["version"] and d["iova"] in (True, False)' \
		phyr info --json
	ok "info as nobody" json 'd["memlock_limit"] == 1 << 20 and d["restricted"] and
		d["regions"] is None and d["pinned_pages"] is None and d["pinned_bytes"] is None' \
		prlimit --memlock=$((1 << 20)) -- setpriv --reuid "$nobody" --clear-groups -- \
		"$(command -v phyr)" info --json
	ok "info as root" json 'd["restricted"] is False' phyr info --json
	as_nobody info >"$dir/out"
	ok "info as nobody says what is missing, and why" grep -q "CAP_SYS_ADMIN only" "$dir/out"
	ok "info without a limit" json 'd["memlock_limit"] is None' \
		prlimit --memlock=unlimited -- phyr info --json
}

regions_tests() {
	local holder
	ok "regions: nothing" json 'd == []' phyr regions --json
	ok "regions as nobody" exits 1 "only root may" as_nobody regions
	phyr pin --size 2M --kind 2m --hold 100 >/dev/null 2>&1 &
	holder=$!
	for _ in $(seq 100); do
		phyr regions | grep -q "^ *$holder " && break
		sleep 0.1
	done
	ok "regions: one" json "len(d) == 1 and d[0]['pid'] == $holder and d[0]['bytes'] == 2 << 20
		and d[0]['command'] == 'phyr' and d[0]['kinds'] == ['ram'] and d[0]['writable']
		and not d[0]['revoked'] and d[0]['phyrs'] == 1 and d[0]['inode'] > 0" \
		phyr regions --json
	ok "regions, as a table" exits 0 "" phyr regions
	ok "the table has it" grep -q "^ *$holder  phyr  *2 MiB  *1  ram  *rw  *pinned  *0 " "$dir/out"
	kill "$holder"
	wait "$holder" 2>/dev/null
	ok "regions: nothing again" json 'd == []' phyr regions --json
}

pin_kind_tests() {
	for kind in 4k scattered thp shmem memfd 2m memfd-2m; do
		ok "pin --kind $kind" json "$pin_sane and d['bytes'] == 64 << 20 and
			d['pages'] == d['page_array_bytes'] / 8 and d['kinds'] == {'ram': 64 << 20}" \
			phyr pin --size 64M --kind "$kind" --json
	done
	for kind in 1g memfd-1g; do
		ok "pin --kind $kind" json "$pin_sane and d['phyrs'] <= 2 and d['bytes'] == 2 << 30" \
			phyr pin --size 2G --kind "$kind" --json
	done
	ok "a scattered page is a phyr" json 'd["phyrs"] > d["pages"] * 0.9' \
		phyr pin --size 16M --kind scattered --json
	ok "a huge page is at most one" json 'd["phyrs"] <= 16 and d["largest"] >= 2 << 20' \
		phyr pin --size 32M --kind 2m --json
	ok "more huge pages than there are" exits 1 "HugePages_Free" phyr pin --size 1T --kind 1g
	ok "more than an address space" exits 1 "address space" phyr pin --size 15E
	for kind in 4k thp shmem memfd; do
		ok "more $kind memory than there is" exits 1 "MemAvailable" \
			phyr pin --size 1T --kind "$kind"
	done
	overcommit_tests
}

# Less may be granted than is available: a memfd notices when its pages are touched.
overcommit_tests() {
	local committed
	committed=$(awk '/^Committed_AS:/ { print $2 }' /proc/meminfo)
	echo $((committed + 131072)) >/proc/sys/vm/overcommit_kbytes
	echo 2 >/proc/sys/vm/overcommit_memory
	ok "more of a memfd than may be committed" exits 1 "vm.overcommit_memory" \
		phyr pin --size 512M --kind memfd
	echo 0 >/proc/sys/vm/overcommit_memory
	echo 50 >/proc/sys/vm/overcommit_ratio
}

# Pages in a movable zone must move before they can stay pinned, and cannot while
# something else has them: here a pipe, into which they were spliced.
movable_tests() {
	local block size start holder
	modprobe kmem
	echo dax0.0 >/sys/bus/dax/drivers/device_dax/unbind
	echo dax0.0 >/sys/bus/dax/drivers/kmem/new_id
	echo dax0.0 >/sys/bus/dax/drivers/kmem/bind
	size=$((0x$(cat /sys/devices/system/memory/block_size_bytes)))
	start=$(cat /sys/bus/dax/devices/dax0.0/resource)
	block=/sys/devices/system/memory/memory$(((start + size - 1) / size))/state
	echo offline >"$block"
	echo online_movable >"$block"
	mkdir "$dir/shm"
	mount -t tmpfs none "$dir/shm"
	head -c 65536 /dev/urandom >"$dir/shm/file"
	python3 -c 'import os, sys, time
os.splice(os.open(sys.argv[1], os.O_RDONLY), os.pipe()[1], 16384)
open(sys.argv[1] + ".ready", "w").close()
time.sleep(600)' "$dir/shm/file" &
	holder=$!
	for _ in $(seq 300); do
		[ -e "$dir/shm/file.ready" ] && break
		sleep 0.1
	done
	ok "pages that cannot move now" exits 1 "could not move pages just now" \
		phyr pin --file "$dir/shm/file"
	ok "RLIMIT_MEMLOCK is not blamed" grep -q "RLIMIT_MEMLOCK is not the reason" "$dir/err"
	kill "$holder"
	wait "$holder" 2>/dev/null
	ok "and then they can" json "$pin_sane" phyr pin --file "$dir/shm/file" --json
	umount "$dir/shm"
	echo offline >"$block"
	echo dax0.0 >/sys/bus/dax/drivers/kmem/unbind
	echo dax0.0 >/sys/bus/dax/drivers/device_dax/new_id
	echo dax0.0 >/sys/bus/dax/drivers/device_dax/bind
}

pin_tests() {
	ok "pin, as a table" exits 0 "" phyr pin --size 1M
	ok "the table names the size" grep -q "^pinned 1 MiB of 4k memory in " "$dir/out"
	ok "pin of odd bytes" json 'd["bytes"] == 5001 and d["pages"] == 2' \
		phyr pin --size 5001 --json
	ok "pin --read-only" json 'd["writable"] is False' phyr pin --size 1M --read-only --json
	ok "pin --ranges" json "$pin_sane"' and sum(r["len"] for r in d["ranges"]) == d["bytes"]
		and len(d["ranges"]) == d["phyrs"] and all(r["addr"] for r in d["ranges"])
		and max(r["len"] for r in d["ranges"]) == d["largest"]' \
		phyr pin --size 64M --ranges --json
	ok "pin --ranges, as a table" exits 0 "" phyr pin --size 64K --ranges
	ok "pin --ranges as nobody" exits 1 "CAP_SYS_ADMIN" as_nobody pin --size 64K --ranges
	ok "pin as nobody" json 'd["bytes"] == 65536 and d["pages"] == 16 and d["restricted"] and
		d["kinds"] == {"ram": 65536} and d["page_array_bytes"] == 128 and all(d[key] is None
		for key in ("phyrs", "largest", "histogram", "metadata_bytes", "pin_ns"))' \
		as_nobody pin --size 64K --json
	as_nobody pin --size 64K >"$dir/out"
	ok "pin as nobody says what is missing, and why" grep -q "^CAP_SYS_ADMIN only" "$dir/out"
	echo 1 >/sys/module/phyr/parameters/allow_layout
	ok "pin as nobody with allow_layout" json "$pin_sane"' and d["restricted"] is False' \
		as_nobody pin --size 64K --json
	echo 0 >/sys/module/phyr/parameters/allow_layout
	ok "more than RLIMIT_MEMLOCK" exits 1 "RLIMIT_MEMLOCK here: 64 KiB" \
		prlimit --memlock=65536 -- setpriv --reuid "$nobody" --clear-groups -- \
		"$(command -v phyr)" pin --size 128K
}

file_tests() {
	local mem=/dev/mem

	head -c 1000000 /dev/urandom >"$dir/file"
	: >"$dir/empty"
	ok "pin --file --read-only" json 'd["bytes"] == 1000000 and d["writable"] is False' \
		phyr pin --file "$dir/file" --read-only --json
	ok "pin --file --offset --size" json 'd["bytes"] == 5000 and d["pages"] == 2' \
		phyr pin --file "$dir/file" --offset 4097 --size 5000 --read-only --json
	ok "offset past the end" exits 1 "nothing at offset" \
		phyr pin --file "$dir/file" --offset 1M --read-only
	ok "empty file" exits 1 "is empty" phyr pin --file "$dir/empty" --read-only
	ok "no length" exits 1 "give --size" phyr pin --file /proc/self/maps --read-only
	ok "no such file" exits 1 "No such file" phyr pin --file "$dir/none"
	ok "a directory" exits 1 "neither" phyr pin --file "$dir" --read-only --size 4096
	mkfifo "$dir/fifo"
	ok "a pipe" exits 1 "neither" sh -c "exec 3<>$dir/fifo; phyr pin --file $dir/fifo"
	ok "an empty file, and a size" exits 1 "the last 1 MiB are past the end of the file" \
		phyr pin --file "$dir/empty" --size 1M --read-only
	ok "past the end of the file" exits 1 "the last 44 KiB are past the end of the file" \
		phyr pin --file "$dir/file" --size 1M
	ok "past the end is nothing that --read-only helps with" sh -c "! grep -q read-only $dir/err"
	ok "past the end, and read-only" exits 1 "give a smaller --size or --offset" \
		phyr pin --file "$dir/file" --size 1M --read-only
	ok "the rest of the last page" json 'd["bytes"] == 1003520' \
		phyr pin --file "$dir/file" --size 1003520 --read-only --json
	cp "$dir/file" "$disk"
	ok "a file that may not be written" exits 1 "--read-only pins it for reading" \
		phyr pin --file "$disk"
	ok "hexadecimal offset and size" json 'd["bytes"] == 4096 and d["offset"] == 8192' \
		phyr pin --file "$dir/file" --offset 0x2000 --size 0X1000 --read-only --json
	# the debug kernel has no /dev/mem
	[ -e "$mem" ] || mem=/dev/phyr_test
	ok "hidden RAM, by its address" json 'd["kinds"] == {"mmio": 65536}' \
		phyr pin --file "$mem" --offset 0x60000000 --size 0x10000 --json
	bar_tests
}

# The BAR of the test machine's ivshmem device: memory without a struct page.
bar_tests() {
	local bar
	bar=$(grep -l 0x1110 /sys/bus/pci/devices/*/device | head -n 1)
	bar=${bar%/device}/resource2
	if [ ! -e "$bar" ]; then
		nr=$((nr + 1))
		echo "ok $nr - pin of a BAR # SKIP no ivshmem device"
		return
	fi
	ok "pin of a BAR" json 'd["kinds"] == {"mmio": d["bytes"]} and d["phyrs"] == 1' \
		phyr pin --file "$bar" --json
	ok "past the end of a BAR" exits 1 "less than offset and size" \
		phyr pin --file "$bar" --size 1G
	ok "a BAR as nobody" exits 1 "run it as root" as_nobody pin --file "$bar"
}

# A process that holds 64 MiB in 2 MiB pages.
start_holder() {
	phyr pin --kind 2m --size 64M --hold 600 >"$dir/holder" &
	holder=$!
	for _ in $(seq 100); do
		[ -s "$dir/holder" ] && break
		sleep 0.1
	done
}

stop_holder() {
	kill -KILL "$holder"
	wait "$holder" 2>/dev/null
	return 0
}

gone() {
	for _ in $(seq 50); do
		json 'd["regions"] == 0' phyr info --json && return
		sleep 0.1
	done
	return 1
}

xml() {
	python3 -c 'import sys, xml.dom.minidom as m
assert m.parse(sys.argv[1]).documentElement.tagName == "svg"' "$1"
}

layout_tests() {
	local hugetlb='[m for m in d["mappings"] if "hugetlb" in m["kinds"]]'

	start_holder
	ok "info sees the region" json 'd["regions"] == 1 and d["pinned_bytes"] == 64 << 20' \
		phyr info --json
	ok "layout" exits 0 "" phyr layout "$holder"
	ok "its lines fit" awk 'length > 110 { exit 1 }' "$dir/out"
	ok "layout --json finds the huge pages" json "any(m['present_bytes'] == 64 << 20 and
		m['phyrs'] <= 32 and m['largest'] >= 2 << 20 and m['phyr_bytes'] < 1024 and
		m['page_array_bytes'] == 128 << 10 for m in $hugetlb)" phyr layout "$holder" --json
	ok "its sums agree" json 'd["total"]["phyrs"] == sum(m["phyrs"] for m in d["mappings"]) and
		d["total"]["present_bytes"] == sum(m["present_bytes"] for m in d["mappings"]) and
		all(sum(m["kinds"].values()) == m["present_bytes"] and
		    sum(c["bytes"] for c in m["classes"].values()) == m["present_bytes"] and
		    sum(c["phyrs"] for c in m["classes"].values()) == m["phyrs"]
		    for m in d["mappings"])' phyr layout "$holder" --json
	ok "anonymous memory is called so" json 'any(m["name"] == "[stack]" and
		set(m["kinds"]) <= {"anon", "anon-large"} for m in d["mappings"])' \
		phyr layout "$holder" --json
	ok "layout --all has more" json 'any(not m["phyrs"] for m in d["mappings"])' \
		phyr layout "$holder" --json --all
	ok "layout --svg" exits 0 "" phyr layout "$holder" --svg "$dir/picture.svg"
	ok "the picture is XML" xml "$dir/picture.svg"
	ok "a picture that cannot be written" exits 1 "cannot write" \
		phyr layout "$holder" --svg "$dir/no/such/directory.svg"
	ok "a picture on a full disk" exits 1 "cannot write" \
		phyr layout "$holder" --svg /dev/full
	stop_holder
	ok "a killed holder releases it" gone
	ok "layout of a process that is gone" exits 1 "no process $holder" phyr layout "$holder"
	ok "layout of a kernel thread" exits 1 "kernel thread" phyr layout 2
}

layout_rights_tests() {
	ok "layout as nobody" exits 1 "CAP_SYS_ADMIN" as_nobody layout $$
	# shellcheck disable=SC2016 # for the inner shell
	ok "layout of oneself as nobody" exits 1 "CAP_SYS_ADMIN" \
		unprivileged sh -c '"$0" layout $$; exit $?' "$(command -v phyr)"
}

# A process that reserves terabytes, has an odd name, and a file with a worse one.
odd_process() {
	python3 - "$dir" <<'END' &
import mmap, os, sys, time
os.chdir(sys.argv[1])
with open(b'a<b>&"\\\xff\x1b[31m', 'w+b') as f:
    f.truncate(1 << 20)
    m = mmap.mmap(f.fileno(), 1 << 20)
m[:] = b'x' * (1 << 20)
big = mmap.mmap(-1, 16 << 40, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000)
for i in range(16):
    big[i << 40] = 1
open('/proc/self/comm', 'w').write('<&">\n\x1b')
open('ready', 'w').close()
time.sleep(600)
END
	holder=$!
	for _ in $(seq 100); do
		[ -e "$dir/ready" ] && break
		sleep 0.1
	done
}

odd_process_tests() {
	odd_process
	ok "layout of terabytes of nothing" json 'any(m["bytes"] >= 16 << 40 and
		m["present_pages"] >= 16 for m in d["mappings"])' \
		timeout 20 phyr layout "$holder" --json
	ok "odd names in JSON" json 'any(m["name"].endswith("/a<b>&" + chr(34) + chr(92) + "??[31m")
		for m in d["mappings"]) and d["command"].startswith("<&" + chr(34) + ">")' \
		phyr layout "$holder" --json
	ok "layout --svg with odd names" phyr layout "$holder" --svg "$dir/odd.svg"
	ok "the odd picture is XML" xml "$dir/odd.svg"
	ok "the table has no control characters" \
		sh -c "! phyr layout $holder | LC_ALL=C grep -q '[[:cntrl:]]'"
	stop_holder
}

# Looks at processes while they change and end.
racing_tests() {
	local pids=()
	for _ in $(seq 30); do
		sh -c ':' &
		pids+=($!)
		phyr layout $! >/dev/null 2>&1
		[ $? -le 1 ] || return
	done
	wait "${pids[@]}"
}

before=$(nothing-left)
start_judge
usage_tests
rmmod phyr 2>/dev/null
# Whatever uses the module has to go first.
modprobe -r phyr_test phyr_bench edu phyr 2>/dev/null
no_module_tests
# With those that were loaded before: other tests come after this one.
"$(dirname "$0")/setup" >/dev/null || echo "Bail out! the modules do not load"
info_tests
regions_tests
pin_kind_tests
pin_tests
file_tests
movable_tests
layout_tests
layout_rights_tests
odd_process_tests
ok "layout of what comes and goes" racing_tests
stop_judge
# shellcheck disable=SC2086 # numbers
ok "nothing left" nothing-left $before

echo "1..$nr"
[ "$failed" -eq 0 ]
