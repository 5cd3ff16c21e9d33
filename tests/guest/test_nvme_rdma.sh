#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# NVMe over RDMA on soft RoCE with phyr_rdma: the kernel's own users of RDMA,
# which register memory fast (IB_MR_TYPE_MEM_REG) or use all of it, go on as
# before. A target and an initiator on one machine, fio writes and verifies, the
# module comes and goes while it does.

set -u

nqn=phyr-test
nvmet=/sys/kernel/config/nvmet
address=$(ip -4 -o address show dev eth0 | awk '{ sub("/.*", "", $4); print $4; exit }')
work=$(mktemp -d)
disk=

# shellcheck source-path=SCRIPTDIR source=tap.sh
. "$(dirname "$0")/tap.sh"

explain() {
	tail -n 15 "$work/log" 2>/dev/null | sed 's/^/# /'
}

# check NAME COMMAND…
check() {
	local name=$1 start=$SECONDS
	shift
	if "$@" >"$work/log" 2>&1; then
		ok "$name: $((SECONDS - start)) s"
	else
		not_ok "$name"
	fi
}

# no_more COMMAND…: waits until it fails. What is destroyed takes its time.
no_more() {
	local i
	for ((i = 0; i < 100; i++)); do
		"$@" >/dev/null 2>&1 || return 0
		sleep 0.1
	done
	return 1
}

# A target with one disk, which is memory.

target_up() {
	modprobe null_blk nr_devices=1 memory_backed=1 gb=1 bs=4096 || return
	mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config || return
	mkdir -p "$nvmet/subsystems/$nqn/namespaces/1" "$nvmet/ports/1" &&
	echo 1 >"$nvmet/subsystems/$nqn/attr_allow_any_host" &&
	echo -n /dev/nullb0 >"$nvmet/subsystems/$nqn/namespaces/1/device_path" &&
	echo 1 >"$nvmet/subsystems/$nqn/namespaces/1/enable" &&
	echo ipv4 >"$nvmet/ports/1/addr_adrfam" &&
	echo rdma >"$nvmet/ports/1/addr_trtype" &&
	echo "$address" >"$nvmet/ports/1/addr_traddr" &&
	echo 4420 >"$nvmet/ports/1/addr_trsvcid" &&
	ln -s "$nvmet/subsystems/$nqn" "$nvmet/ports/1/subsystems/$nqn"
}

target_down() {
	rm -f "$nvmet/ports/1/subsystems/$nqn" &&
	rmdir "$nvmet/subsystems/$nqn/namespaces/1" "$nvmet/ports/1" "$nvmet/subsystems/$nqn"
}


# With multipath the disk belongs to the subsystem, not to the controller. The machine has
# an NVMe drive of its own.
find_disk() {
	local i
	for ((i = 0; i < 100; i++)); do
		for disk in /sys/block/nvme*n1; do
			[ "$(cat "$disk/device/subsysnqn" 2>/dev/null)" = "$nqn" ] || continue
			disk=/dev/${disk##*/}
			[ ! -b "$disk" ] || return 0
		done
		sleep 0.1
	done
	disk=
	return 1
}

connect() {
	nvme connect -t rdma -a "$address" -s 4420 -n "$nqn" -q phyr-host \
		-I 00000000-0000-0000-0000-000000000001 --nr-io-queues=2 --queue-size=16 &&
	find_disk
}

disconnect() {
	nvme disconnect -n "$nqn" && no_more test -b "$disk"
}

# A module may be in use for a moment after the one on top of it has gone. The
# machine's own NVMe controller keeps nvme-core.
modules_there() {
	modprobe -r nvme-rdma nvmet-rdma null_blk
	modprobe -r nvme-fabrics nvmet
	grep -E '^(nvme_rdma|nvme_fabrics|nvmet|null_blk)' /proc/modules
}

# Regions that belong to the kernel, by what made them.
kernel_regions() {
	rdma resource show mr 2>/dev/null | grep -c 'comm \[nvme' || true
}

# verify NAME ARGUMENT…: everything that was written is read back and compared.
verify() {
	local name=$1
	shift
	fio --name="$name" --filename="$disk" --direct=1 --ioengine=libaio --iodepth=8 \
		--verify_fatal=1 --verify_state_save=0 --output-format=terse "$@"
}

# The same place over and over, until it is asked to stop.
under_fire() {
	while [ ! -e "$work/stop" ]; do
		verify fire --rw=randwrite --bsrange=4k-256k --blockalign=4k --size="$fire" \
			--verify=crc32c --do_verify=1 || return
		echo round >>"$work/rounds"
	done
}

come_and_go() {
	local i loaded=0
	for ((i = 0; i < 5; i++)); do
		if grep -q '^phyr_rdma ' /proc/modules; then
			rmmod phyr_rdma || return
		else
			modprobe phyr_rdma || return
			loaded=$((loaded + 1))
		fi
		sleep 0.5
	done
	echo "# loaded $loaded times under I/O"
}

test_under_fire() {
	local pid status=0
	rm -f "$work/stop" "$work/rounds"
	under_fire >"$work/fire" 2>&1 &
	pid=$!
	sleep 1
	come_and_go >"$work/coming" 2>&1 || status=1
	: >"$work/stop"
	wait "$pid" || status=1
	cat "$work/coming" "$work/fire"
	[ "$status" = 0 ] && [ -s "$work/rounds" ]
}

stop() {
	echo "1..0 # SKIP $1"
	exit 0
}

# The stock target takes nvmet_config_sem and rdma_cm's handler_mutex in both
# orders: a command that comes before the connection is established looks its
# subsystem up in rdma_cm's handler, and removing a subsystem from a port
# destroys an id. Lockdep says so, with or without phyr_rdma, and then watches
# nothing any more. So it proves no orders of locks meanwhile; what else the debug
# kernel watches goes on.
proving=/proc/sys/kernel/prove_locking
if [ -e $proving ]; then
	echo 0 >$proving
	trap 'echo 1 >$proving' EXIT
fi

# Less on the debug kernel, which takes its time over each.
if [ -n "${PHYR_DEBUG:-}" ]; then
	small=1m large=2m fire=1m
else
	small=2m large=16m fire=4m
fi

for module in nvme-rdma nvmet-rdma null_blk; do
	modprobe -nq "$module" || stop "this kernel has no $module"
done
before=$(nothing-left)
modprobe phyr_rdma || stop "phyr_rdma does not load"
modprobe -a nvme-rdma nvmet-rdma
check "a target" target_up
check "an initiator" connect
regions=$(kernel_regions)
if [ "$regions" -gt 0 ]; then
	ok "the kernel has $regions regions of its own"
else
	not_ok "the kernel has no regions of its own"
fi

if [ -n "$disk" ]; then
	check "sequential, 4 KiB, crc32c" verify seq4k --rw=write --bs=4k --size=$small \
		--verify=crc32c
	check "random, 4 KiB, md5" verify rand4k --rw=randwrite --bs=4k --size=$small --verify=md5
	check "sequential, 64 KiB, md5" verify seq64k --rw=write --bs=64k --size=$large --verify=md5
	check "random, 64 KiB, crc32c" verify rand64k --rw=randwrite --bs=64k --size=$large \
		--verify=crc32c
	check "sequential, 1 MiB, crc32c" verify seq1m --rw=write --bs=1m --size=$large \
		--verify=crc32c
	check "random, 4 KiB to 1 MiB, md5" verify mixed --rw=randwrite --bsrange=4k-1m \
		--blockalign=4k --size=$large --verify=md5
	check "from huge pages, 256 KiB, crc32c" verify huge --rw=randwrite --bs=256k \
		--size=$large --verify=crc32c --mem=mmaphuge --hugepage-size=2m
	check "phyr_rdma comes and goes under I/O" test_under_fire
	sed -n 's/^#/#/p' "$work/coming"
	echo "# $(grep -c . "$work/rounds" 2>/dev/null) rounds of I/O meanwhile"
fi

# The other order: connected by stock rxe alone, used with the module.
modprobe phyr_rdma
check "disconnects from phyr_rdma" disconnect
check "phyr_rdma goes" rmmod phyr_rdma
check "connects without it" connect
check "phyr_rdma comes" modprobe phyr_rdma
[ -z "$disk" ] || check "random, 64 KiB, crc32c, again" verify again --rw=randwrite --bs=64k \
	--size=$small --verify=crc32c
check "disconnects" disconnect
check "the target goes" target_down
check "its modules go" no_more modules_there
if [ "$(kernel_regions)" = 0 ]; then
	ok "no region of the kernel is left"
else
	not_ok "the kernel keeps $(kernel_regions) regions"
fi
check "phyr_rdma goes, at last" rmmod phyr_rdma
# shellcheck disable=SC2086 # two numbers
check "nothing is left" nothing-left $before
rm -rf "$work"
tap_end
