# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What became of a guest: its kernel log judged, and which of the things that happened
# decides.
#
# Sourced by vm/run, after lib.sh, and never run.

patterns() {
	sed '/^#/d; /^$/d' "$@"
}

# The lines of the log that complain, without the allowed ones.
complaints() {
	{ patterns "$VM_DIR/allow"; printf '%s\n' ${ALLOW[@]+"${ALLOW[@]}"}; } |
		sed '/^$/d' >"$WORK/allow"
	tr -d '\r' <"$LOG" | grep -nE -f <(patterns "$VM_DIR/complaints") |
		grep -vE -f "$WORK/allow"
}

# The complaints, and what is around the first of them: its stack is there.
show_complaints() {
	local lines=$1 first
	first=${lines%%:*}
	{
		echo "vm: the kernel log complains:"
		cut -d: -f2- <<<"$lines" | head -n 10 | sed 's/^/    /'
		echo "vm: where it begins, in $LOG:"
		tr -d '\r' <"$LOG" | sed -n "$((first > 3 ? first - 3 : 1)),$((first + 40))p" | sed 's/^/    /'
	} >&2
}

show_end() {
	{
		echo "vm: $1; the end of $LOG:"
		tr -d '\r' <"$LOG" | tail -n 20 | sed 's/^/    /'
		echo "vm: the end of what the command printed:"
		tail -n 5 "$WORK/out" | sed 's/^/    /'
	} >&2
}

# Which of the things that happened decides.
verdict() {
	local ended=$1 lines status
	status=$(sed -n 's/^exit //p' "$WORK/status")
	lines=$(complaints) || true

	if [ "$ended" -eq "$NO_MACHINE" ] && [ ! -s "$LOG" ]; then
		echo "vm: QEMU does not start:" >&2
		sed 's/^/    /' "$WORK/qemu.err" >&2
		return "$NO_MACHINE"
	fi
	[ -z "$lines" ] || show_complaints "$lines"
	if [ "$ended" -eq "$TIMED_OUT" ]; then
		show_end "the guest took longer than $TIMEOUT s"
		return "$TIMED_OUT"
	elif [ -z "$status" ]; then
		sed 's/^/    /' "$WORK/qemu.err" >&2
		[ -n "$lines" ] || show_end "the guest died"
		return "$DIED"
	elif [ -n "$lines" ]; then
		return "$COMPLAINT"
	fi
	return "$status"
}
