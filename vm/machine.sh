# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# The test machine: what its kernel and QEMU get, a function for each device. Each
# prints words of QEMU's command line.
#
# Sourced by vm/run, after lib.sh, and never run.

kernel_arguments() {
	local args="console=ttyS0 loglevel=7 printk.devkmsg=on"
	# A panic or an oops ends the guest at once: nothing it does afterwards is
	# worth waiting for.
	args+=" panic=-1 oops=panic"
	# See ask_where(): the stacks of all CPUs, and of the tasks that are blocked.
	args+=" unknown_nmi_panic panic_print=0xc0"
	# The host may be too busy to run an emulated CPU for seconds, which is not
	# the guest's fault: a lockup is one after 60 s instead of 20.
	args+=" watchdog_thresh=30 rcupdate.rcu_cpu_stall_timeout=60"
	# For the same reason the timer may seem not to tick while the kernel tries
	# it out, and a kernel with interrupt remapping panics then.
	args+=" no_timer_check"
	# An emulated CPU has nothing to hide, and would take its time about it.
	! emulated || args+=" mitigations=off"
	if [ -n "$DEBUG" ]; then
		# Everything takes several times as long there, and so does patience.
		args+=" panic_on_warn=1 watchdog_thresh=60 rcupdate.rcu_cpu_stall_timeout=180"
		args+=" workqueue.watchdog_thresh=180 sysctl.kernel.hung_task_timeout_secs=480"
	fi
	# Memory that the kernel leaves alone, and that has no struct page: whole
	# sections of its memory map, away from what the firmware puts at the top.
	args+=" memmap=128M\$0x60000000"
	# Those of 2 MiB come from guest-init.
	args+=" hugepagesz=1G hugepages=2"
	# Linux does not remap interrupts with QEMU's AMD IOMMU: it misses the southbridge
	# that an AMD machine has. VFIO has to be content with that.
	case $IOMMU in
	intel) args+=" intel_iommu=on iommu.passthrough=0" ;;
	amd) args+=" iommu.passthrough=0 vfio_iommu_type1.allow_unsafe_interrupts=1" ;;
	esac
	echo "$args" \
		"${MORE_PMEM:+pcie_ports=compat}" \
		"$EXTRA_APPEND"
}

# shellcheck disable=SC2153 # vm/run has it from the environment
emulated() {
	[[ $ACCEL == tcg* ]]
}

# "rep movsb" and "rep stosb" take TCG a step a byte; without the flags that
# recommend them, kernel and libc move words, and copy three times as fast. The
# family is one of which Linux trusts the host bridge to route from device to device,
# and the usual 40 bits of physical address have no place for a BAR of 1 TiB.
cpu_model() {
	local flag model=max
	if emulated; then
		model+=,family=23,phys-bits=46
		for flag in $("$VM_DIR/qemu" -cpu help | grep -owE 'erms|fsrm|fsrs|fzrm' | sort -u); do
			model+=,-$flag
		done
	fi
	[ -z "$MORE_PMEM" ] || model+=,-hypervisor
	echo "$model"
}

machine_arguments() {
	local accel=$ACCEL max
	[ "$accel" != tcg ] || accel=tcg,thread=multi
	max=$(($(numfmt --from=iec "$MEM") + (8 << 30)))

	echo -nodefaults -no-user-config -no-reboot -display none
	echo -accel "$accel" -cpu "$(cpu_model)" -smp 2 -m "$MEM,slots=4,maxmem=$max"
	case $IOMMU in
	intel)
		echo -M q35,kernel-irqchip=split,nvdimm=on
		echo -device intel-iommu,intremap=on,caching-mode=on,aw-bits=48 ;;
	amd)
		echo -M q35,kernel-irqchip=split,nvdimm=on
		echo -device amd-iommu,dma-remap=on ;;
	off) echo -M q35,nvdimm=on ;;
	esac
}

# The DMA engine.
edu_arguments() {
	echo -device edu,dma_mask=0xffffffffffffffff
}

# Memory without pages: a BAR.
bar_arguments() {
	echo -object memory-backend-ram,id=bar,size=64M,share=on
	echo -device ivshmem-plain,memdev=bar
}

# Two: one for devdax, one for a DAX file system.
nvdimm_arguments() {
	local i
	for i in 0 1; do
		echo -object "memory-backend-ram,id=pmem$i,size=256M,share=on"
		echo -device "nvdimm,id=nvdimm$i,memdev=pmem$i"
	done
}

network_arguments() {
	echo -netdev user,id=net,restrict=on -device virtio-net-pci,netdev=net,romfile=
}

# A controller with memory of its own for others, and no disk.
nvme_arguments() {
	echo -device nvme,serial=phyr-cmb,cmb_size_mb=16
}

disk_arguments() {
	echo -device virtio-blk-pci,drive=disk
}

# An NVMe drive of 1 GiB, which is empty.
drive_arguments() {
	echo -device nvme,serial=phyr-drive,drive=drive
}

# What COMMAND prints, and its status; the entropy that programs wait for.
channel_arguments() {
	echo -device virtio-rng-pci
	echo -device virtio-serial-pci
	echo -device virtserialport,chardev=out,name=phyr.out
	echo -device virtserialport,chardev=status,name=phyr.status
	if [ -n "$SHELL_WANTED" ]; then
		echo -chardev stdio,id=shell,signal=off -device virtconsole,chardev=shell
	fi
}

# A BAR of 1 TiB, of which the host has what is touched; it has to be the last
# ivshmem device of the first bus. With KVM, the host's own processor may be too
# small for it. vfio-pci maps it for the kernel, and KASAN has a byte of shadow for
# each eight that are mapped: that would be 128 GiB.
terabyte_arguments() {
	local size=1T
	emulated || return 0
	[ -z "$DEBUG" ] || size=8G
	echo -object "memory-backend-ram,id=terabyte,size=$size,share=on,reserve=off"
	echo -device ivshmem-plain,memdev=terabyte
}

# A twin of the small BAR's device, behind a port by which it can be reset: on the
# first bus it has no way to be.
resettable_arguments() {
	echo -device pcie-root-port,id=twin-port,chassis=1
	echo -object memory-backend-ram,id=twin,size=64M,share=on
	echo -device ivshmem-plain,memdev=twin,bus=twin-port
}

# On a boundary of 1 GiB, after the small NVDIMMs: elsewhere Linux 7.3 makes
# devices with pages of 1 GiB whose faults end in a warning and SIGBUS.
large_nvdimm_address() {
	local gib=$((1 << 30)) mem above=0
	mem=$(numfmt --from=iec "$MEM")
	[ "$mem" -lt $((0xb0000000)) ] || above=$((mem - 2 * gib))
	echo $((4 * gib + (above + gib - 1) / gib * gib + gib))
}

# Room for pages of 1 GiB, and a CXL device of type 3 behind a host bridge and a
# root port of its own; last, as QEMU would put later devices behind it. Linux takes
# its memory only where
# - it owns no CXL error reporting (pcie_ports=compat): it would want an interrupt
#   for event logs, which QEMU 7.2's device has none of;
# - it can flush all caches of the processor, which it believes that it cannot in
#   a guest (-hypervisor).
more_pmem_arguments() {
	[ -n "$MORE_PMEM" ] || return 0
	echo -object memory-backend-ram,id=pmem2,size=3G,share=on,reserve=off
	echo -device "nvdimm,id=nvdimm2,memdev=pmem2,addr=$(large_nvdimm_address)"
	echo -object memory-backend-ram,id=cxl0,size=512M,share=on
	echo -object memory-backend-ram,id=cxl0-label,size=256K,share=on
	echo -M cxl=on
	echo -device pxb-cxl,id=cxl-bridge,bus=pcie.0,bus_nr=128
	echo -device cxl-rp,id=cxl-port,bus=cxl-bridge,port=0,chassis=0,slot=2
	echo -device cxl-type3,bus=cxl-port,memdev=cxl0,lsa=cxl0-label,sn=1
	echo -M cxl-fmw.0.targets.0=cxl-bridge,cxl-fmw.0.size=1G
}

# All devices, in the order in which the first bus gets them.
device_arguments() {
	edu_arguments
	bar_arguments
	nvdimm_arguments
	network_arguments
	nvme_arguments
	channel_arguments
	disk_arguments
	terabyte_arguments
	resettable_arguments
	drive_arguments
}
