#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Programs that nobody here wrote, on soft RoCE with phyr_rdma: rdma-core's
# ping-pongs with their data checks, rping, and perftest on pages of each size.
# Each runs twice, once as the server.

set -u

dir=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
address=$(ip -4 -o address show dev eth0 | awk '{ sub("/.*", "", $4); print $4; exit }')
port=19000
# shellcheck source-path=SCRIPTDIR source=tap.sh
. "$dir/tap.sh"

explain() {
	local log
	for log in server client; do
		tail -n 8 "$work/$log" 2>/dev/null | sed "s/^/# $log: /"
		# what it complains of would be before what it has written: that is buffered
		sed "s/^/# $log: ! /" "$work/$log.error" 2>/dev/null
	done
}

# Some listen by TCP, some by rdma_cm, and rdma_cm has no list of who listens.
wait_for_server() {
	local i
	for ((i = 0; i < 50; i++)); do
		ss -ltnH "sport = :$port" | grep -q . && return
		rdma resource show cm_id 2>/dev/null | grep -q "state LISTEN.*:$port" && return
		kill -0 "$1" 2>/dev/null || return
		sleep 0.1
	done
}

# pair NAME "SERVER'S ARGUMENTS" "CLIENT'S" PROGRAM ARGUMENT…; both get the port, and
# what is in $tunables for the C library.
tunables=
pair() {
	local name=$1 server_args=$2 client_args=$3 server status=0
	shift 3
	port=$((port + 1))
	# shellcheck disable=SC2086 # words are wanted
	GLIBC_TUNABLES=$tunables timeout 60 "$@" -p $port $server_args \
		>"$work/server" 2>"$work/server.error" &
	server=$!
	wait_for_server $server
	# shellcheck disable=SC2086
	GLIBC_TUNABLES=$tunables timeout 60 "$@" -p $port $client_args \
		>"$work/client" 2>"$work/client.error" || status="$? of the client"
	wait $server || status+=", $? of the server"
	if [ "$status" = 0 ]; then
		ok "$name"
	else
		not_ok "$name: exit status $status"
	fi
}

# The index of the IPv4 address in rxe0's table, which ping-pongs want.
gid_index() {
	local file
	for file in /sys/class/infiniband/rxe0/ports/1/gids/*; do
		grep -q '^0000:0000:0000:0000:0000:ffff:' "$file" && { basename "$file"; return; }
	done
}

# perftest WHAT "SERVER'S ARGUMENTS" "CLIENT'S" ARGUMENT…
#
# -F, here and below: perftest ends with an error, after all went well, if it cannot
# find out how fast the processor counts ("Correlation coefficient"), which on a busy
# host of an emulated machine it now and then cannot. Nobody looks at its speeds here.
perftest() {
	local what=$1 server=$2 client=$3 program kind
	shift 3
	for program in write read send atomic; do
		for kind in bw lat; do
			pair "ib_${program}_$kind, $what" "$server" "$client localhost" \
				"ib_${program}_$kind" -F -d rxe0 -n 50 "$@"
		done
	done
}

# Atomic operations are of eight bytes, so what is huge there is not their buffer.
perftest_thp() {
	local program kind before
	before=$(awk '$1 == "thp_fault_alloc" { print $2 }' /proc/vmstat)
	tunables=glibc.malloc.hugetlb=1
	for program in write read send; do
		for kind in bw lat; do
			pair "ib_${program}_$kind, THP" "" localhost "ib_${program}_$kind" -F \
				-d rxe0 -n 10 -s 4194304
		done
	done
	for kind in bw lat; do
		pair "ib_atomic_$kind, THP" "" localhost "ib_atomic_$kind" -F -d rxe0 -n 50
	done
	tunables=
	if [ "$(awk '$1 == "thp_fault_alloc" { print $2 }' /proc/vmstat)" -ge $((before + 12)) ]; then
		ok "its buffers were in transparent huge pages"
	else
		not_ok "its buffers were not in transparent huge pages"
	fi
}

before=$("$dir/nothing-left")
modprobe phyr_rdma || { echo "1..0 # SKIP phyr_rdma does not load"; exit 1; }
gid=$(gid_index)
for kind in rc uc ud; do
	pair "ibv_${kind}_pingpong with data check" "" localhost \
		"ibv_${kind}_pingpong" -d rxe0 -g "$gid" -n 50 -c
done
pair "rping with data check" "-s" "-c" rping -a "$address" -C 10 -V -S 4000
perftest "2 MiB pages" "" "" --use_hugepages
# The debug kernel takes its time over each.
if [ -z "${PHYR_DEBUG:-}" ]; then
	perftest "4 KiB pages" "" ""
	perftest_thp
	for side in server client; do truncate -s 1G "/dev/hugepages1G/$side"; done
	perftest "1 GiB pages" "--mmap=/dev/hugepages1G/server" "--mmap=/dev/hugepages1G/client"
	rm -f /dev/hugepages1G/{server,client}
fi

if [ "$(cat /sys/module/phyr_rdma/parameters/regions)" = 0 ] && modprobe -r phyr_rdma; then
	ok "no region is left, and the module goes"
else
	not_ok "regions are left: $(cat /sys/module/phyr_rdma/parameters/regions)"
fi
# shellcheck disable=SC2086 # two numbers
nothing_left $before
tap_end
