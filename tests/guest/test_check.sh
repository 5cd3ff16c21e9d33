#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# phyr check, with the modules loaded and without, and phyr bench: what it prints, what it
# refuses, and that phyr_rdma is as it was before, whatever happens.
#
# TAP. Runs as root in the test machine, with phyr on PATH.

set -u

# shellcheck source=tests/guest/tap.sh
. "$(dirname "$0")/tap.sh"
nobody=65534
dir=$(mktemp -d) || exit
log=$dir/log
tracefs=/sys/kernel/tracing
holder=

cleanup() {
	exec 2>/dev/null
	[ -z "$holder" ] || kill -KILL "$holder"
	rm -rf "$dir"
}
trap cleanup EXIT

# json DESCRIPTION STATUS EXPRESSION COMMAND…: with that status, JSON of which the Python
# expression is true, over "d", and, of phyr check, over "by", its results by name. That is
# tested by judge: to start Python takes seconds here.
documents=0
json() {
	local what=$1 want=$2 expression=$3 status=0
	shift 3
	documents=$((documents + 1))
	printf '%s' "$what" >"$dir/what.$documents"
	printf '(%s)' "$expression" >"$dir/expression.$documents"
	"$@" >"$dir/json.$documents" 2>"$log" </dev/null || status=$?
	[ "$status" -eq "$want" ] || not_ok "$what: exit status $status, expected $want"
}

judge() {
	local n
	python3 - "$dir" "$documents" >"$log" 2>&1 <<'END'
import json, sys, xml.dom.minidom
path = sys.argv[1]
for n in range(1, int(sys.argv[2]) + 1):
    try:
        d = json.load(open(f'{path}/json.{n}'))
        by = {}
        for c in d.get('checks', []):
            by.setdefault(c['name'], []).append(c)
        if eval(open(f'{path}/expression.{n}').read(), {'d': d, 'by': by}):
            open(f'{path}/true.{n}', 'w')
    except Exception as e:
        print(n, repr(e))
if xml.dom.minidom.parse(f'{path}/picture.svg').documentElement.tagName == 'svg':
    open(f'{path}/picture.true', 'w')
END
	for ((n = 1; n <= documents; n++)); do
		cat "$dir/json.$n" >>"$log"
		if [ -e "$dir/true.$n" ]; then
			ok "$(cat "$dir/what.$n")"
		else
			not_ok "$(cat "$dir/what.$n")"
		fi
		: >"$log"
	done
	check "the picture is XML" test -e "$dir/picture.true"
}

as_nobody() {
	setpriv --reuid "$nobody" --regid "$nobody" --clear-groups -- "$(command -v phyr)" "$@"
}

is_loaded() {
	[ -d "/sys/module/$1" ]
}

# until_true COMMAND…: within ten seconds
until_true() {
	local i
	for ((i = 0; i < 100; i++)); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.1
	done
	return 1
}

usage_tests() {
	local command value
	for command in check bench; do
		check "phyr $command --help" exits 0 "Usage: phyr $command" phyr "$command" --help
		check "phyr $command --frob" exits 2 "phyr $command --help" phyr "$command" --frob
		check "$command: extra argument" exits 2 'unexpected "x"' phyr "$command" x
	done
	for value in 0 1X; do
		check "bench: size \"$value\"" exits 2 "no size" phyr bench --size "$value"
	done
	for value in 0 1001; do
		check "bench: $value rounds" exits 2 "no number of rounds" phyr bench --rounds "$value"
	done
	check "bench: unknown kind" exits 2 'unknown kind "rock"' phyr bench --kind rock
	check "bench: --pin-only and --device" exits 2 "exclude" phyr bench --pin-only --device rxe0
}

# phyr_rdma is not loaded.
check_tests() {
	local with_btf=note
	[ ! -e /sys/kernel/btf/vmlinux ] || with_btf=ok
	check "check" exits 0 "phyr works here." phyr check
	check "its lines fit" awk 'length > 100 { exit 1 }' "$dir/out"
	json "check --json" 0 "d['works'] and by['kernel'][0]['state'] == 'ok'
		and all(by[name][0]['state'] == 'ok' for name in ('config', 'config phyr_rdma',
			'ftrace', 'lockdown', 'phyr', '/dev/phyr', 'tracer', 'RLIMIT_MEMLOCK'))
		and by['BTF'][0]['state'] == '$with_btf'
		and by['phyr_rdma'][0]['details'] == {'loaded': False, 'installed': True, 'file': None}
		and 'hook' not in by
		and ['rxe0', 'rdma_rxe'] in [[c['details']['device'], c['details']['driver']]
			for c in by['RDMA device']]
		and any(h['size'] == 2 << 20 and h['total'] >= h['free'] > 0
			for h in by['huge pages'][0]['details'])
		and all(g['devices'] and g['type'] for g in by['IOMMU'][0]['details'])" \
		phyr check --json
	check "check as nobody" exits 0 "Run it as root" as_nobody check
	chmod 600 /dev/phyr
	check "check of a device that may not be opened" exits 1 \
		"cannot be opened: Permission denied" as_nobody check
	chmod 666 /dev/phyr
}

# What is true of each measurement.
sane='all(row[call]["phyr_ns"] > 0 and row[call]["stock_ns"] > 0 and row[call]["ratio"] > 0
	for table in ("pin", "reg_mr") for row in d[table] or [] for call in row if call != "memory")'

pin_tests() {
	json "bench as nobody" 0 'd["device"] is None and d["reg_mr"] is None
		and {"4k", "scattered", "2m"} <= {row["memory"] for row in d["pin"]}
		and all(row["pin"]["phyr_ns"] > 0 for row in d["pin"])
		and all(row["pin"]["stock_ns"] > 0 for row in d["pin"] if row["memory"] == "4k")
		and len(d["pin"]) + len(d["left_out"]) == 5 and d["bytes"] == 512 << 10' \
		prlimit --memlock=1048576 -- setpriv --reuid "$nobody" --clear-groups -- \
		"$(command -v phyr)" bench --pin-only --rounds 3 --json
	sysctl -q kernel.io_uring_disabled=2
	check "bench without io_uring" exits 0 "io_uring does not register it: Operation not permitted" \
		phyr bench --pin-only --kind 4k --size 64K --rounds 1
	sysctl -q kernel.io_uring_disabled=0
	check "a picture that cannot be written" exits 1 "cannot write" \
		phyr bench --pin-only --svg "$dir/no/such/directory.svg"
	check "more memory than there is" exits 1 "MemAvailable" \
		phyr bench --pin-only --kind 4k --size 1T
}

refused_tests() {
	check "nobody was asked" exits 2 "give --yes or --pin-only" phyr bench
	check "the answer is no" exits 1 "nothing was loaded" \
		sh -c 'echo n | script -qec "phyr bench --size 64K" /dev/null'
	check "nobody may load modules" exits 1 "only root" as_nobody bench --yes
	check "no such device" exits 1 "there is: rxe0" phyr bench --device mlx5_7 --yes
	check "more than stock rxe can do" exits 1 "more than 1 GiB" \
		phyr bench --device rxe0 --size 2G --yes
	phyr pin --size 64K --hold 100 >/dev/null &
	holder=$!
	until_true sh -c "phyr regions | grep -q ' $holder '"
	check "another program has a region" exits 1 "other programs have regions, 1 of them" \
		phyr bench --yes
	kill "$holder"
	wait "$holder" 2>/dev/null
	holder=
	until_true sh -c "phyr regions | grep -q nothing"
	check "none of that has loaded it" sh -c "! test -d /sys/module/phyr_rdma"
}

# Each load and each unload takes seconds here.
interrupt_tests() {
	local status=0 bench
	phyr bench --kind 4k --size 64K --rounds 1000 --yes >"$dir/out" 2>&1 &
	bench=$!
	until_true is_loaded phyr_rdma
	kill -TERM "$bench"
	wait "$bench" || status=$?
	check "interrupted" test "$status" = 1
	check "it says so" grep -q "interrupted; the modules are as they were" "$dir/out"
	check "phyr_rdma is not loaded, as before" sh -c "! test -d /sys/module/phyr_rdma"
	check "nor is phyr_rxe" sh -c "! test -d /sys/module/phyr_rxe"
}

# While phyr_rdma is loaded.
hooks_tests() {
	local instance=$tracefs/instances/test_check
	json "check finds the hooks" 0 "d['works'] and by['phyr_rdma'][0]['state'] == 'ok'
		and len([h for h in by['hook'] if h['details']['by'] == 'phyr_rdma']) == 3
		and all(h['details']['how'] == 'shared' for h in by['hook']
			if h['details']['by'] == 'phyr_rdma')
		and any(h['details']['function'] == 'rxe_mr_copy' for h in by['hook'])
		and by['tracer'][0]['state'] == 'ok' and by['tracer'][0]['details'] is None" \
		phyr check --json
	mkdir "$instance"
	echo ib_umem_copy_from >"$instance/set_ftrace_filter"
	echo function >"$instance/current_tracer"
	json "check finds another tracer" 0 "[(t['details']['function'], t['details']['others'])
		for t in by['tracer']] == [('ib_umem_copy_from', 1)]" phyr check --json
	rmdir "$instance"
}

in_use_tests() {
	ibv_rc_pingpong -d rxe0 -g 0 >/dev/null 2>&1 &
	holder=$!
	until_true grep -q '^[1-9]' /sys/module/phyr_rxe/refcnt
	check "phyr_rxe is in use" exits 1 "phyr_rxe is in use" phyr bench --size 64K --yes
	check "and stays" is_loaded phyr_rxe
	kill "$holder"
	wait "$holder" 2>/dev/null
	holder=
	until_true grep -q '^0' /sys/module/phyr_rxe/refcnt
}

rdma_tests() {
	json "bench" 0 "$sane"' and d["device"] == "rxe0" and d["driver"] == "rdma_rxe"
		and [row["memory"] for row in d["reg_mr"]] == ["2m"]' \
		phyr bench --kind 2m --size 4M --rounds 2 --yes --json --svg "$dir/picture.svg"
	check "phyr_rdma is loaded, as before" is_loaded phyr_rdma
	check "and so is phyr_rxe" is_loaded phyr_rxe
	check "with its parameter" grep -q Y /sys/module/phyr_rdma/parameters/share
}

before=$("$(dirname "$0")/nothing-left")
! is_loaded phyr_rdma || modprobe -r phyr_rdma
[ -e /sys/kernel/security/lsm ] || mount -t securityfs none /sys/kernel/security
usage_tests
check_tests
pin_tests
refused_tests
interrupt_tests
modprobe phyr_rdma share=1
hooks_tests
in_use_tests
rdma_tests
judge
modprobe -r phyr_rdma
# shellcheck disable=SC2086 # numbers
nothing_left $before
tap_end
