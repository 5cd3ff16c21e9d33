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

# pair NAME "SERVER'S ARGUMENTS" "CLIENT'S" PROGRAM ARGUMENT…; both get the port.
pair() {
	local name=$1 server_args=$2 client_args=$3 server status=0
	shift 3
	port=$((port + 1))
	# shellcheck disable=SC2086 # words are wanted
	timeout 60 "$@" -p $port $server_args >"$work/server" 2>&1 &
	server=$!
	wait_for_server $server
	# shellcheck disable=SC2086
	timeout 60 "$@" -p $port $client_args >"$work/client" 2>&1 || status=$?
	wait $server || status=$?
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

perftest() {
	local what=$1 program
	shift
	for program in write read send atomic; do
		pair "ib_${program}_bw, $what" "" localhost "ib_${program}_bw" -d rxe0 -n 50 "$@"
		pair "ib_${program}_lat, $what" "" localhost "ib_${program}_lat" -d rxe0 -n 50 "$@"
	done
}

before=$("$dir/nothing-left")
modprobe phyr_rdma || { echo "1..0 # SKIP phyr_rdma does not load"; exit 1; }
gid=$(gid_index)
for kind in rc uc ud; do
	pair "ibv_${kind}_pingpong with data check" "" localhost \
		"ibv_${kind}_pingpong" -d rxe0 -g "$gid" -n 50 -c
done
pair "rping with data check" "-s" "-c" rping -a "$address" -C 10 -V -S 4000
# The debug kernel takes its time over each.
[ -n "${PHYR_DEBUG:-}" ] || perftest "4 KiB pages"
perftest "2 MiB pages" --use_hugepages
for side in server client; do truncate -s 1G "/dev/hugepages1G/$side"; done
pair "ib_write_bw, 1 GiB pages" "--mmap=/dev/hugepages1G/server" \
	"--mmap=/dev/hugepages1G/client localhost" ib_write_bw -d rxe0 -n 50
pair "ib_read_bw, 1 GiB pages" "--mmap=/dev/hugepages1G/server" \
	"--mmap=/dev/hugepages1G/client localhost" ib_read_bw -d rxe0 -n 50
rm -f /dev/hugepages1G/{server,client}

if [ "$(cat /sys/module/phyr_rdma/parameters/regions)" = 0 ] && modprobe -r phyr_rdma; then
	ok "no region is left, and the module goes"
else
	not_ok "regions are left: $(cat /sys/module/phyr_rdma/parameters/regions)"
fi
# shellcheck disable=SC2086 # two numbers
nothing_left $before
tap_end
