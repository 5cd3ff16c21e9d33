# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the commands of the test machine share: where things are, how to become
# root, how to say that something takes a while, how to give up.
#
# Sourced, never run. The sourcing script sets PROG, the word its messages
# begin with.

VM_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck disable=SC2034 # used by those who source this
PROJECT_DIR=$(dirname "$VM_DIR")
CACHE=${PHYR_CACHE:-${HOME:?HOME is not set}/.cache/phyr}

# The kernels are root's to install with sbin tools; a plain user's PATH often
# has no sbin, where mke2fs lives.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

die() {
	echo "$PROG: $*" >&2
	exit 1
}

usage_error() {
	echo "$PROG: $*" >&2
	echo "Try 'vm/$(basename "$0") --help'." >&2
	exit 2
}

# Print the header comment of the calling script, from its second paragraph on,
# as its help text: the help and the source cannot drift apart.
help_text() {
	sed -n '/^# Usage:/,/^[^#]/ { /^#/ s/^# \{0,1\}//p }' "$0"
}

have() {
	command -v "$1" >/dev/null
}

# The release of the kernel that a layer has (vm/layer).
layer_kernel() {
	find "$1/usr/lib/modules" -mindepth 1 -maxdepth 1 -name '*-rt-*' -printf '%f\n' |
		sort -V | tail -n 1
}

as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	else
		have sudo || die "needs root for '$1', and there is no sudo"
		sudo -- "$@"
	fi
}

# Ask for the password now, in the foreground, so that a later as_root in the
# background need not.
may_become_root() {
	[ "$(id -u)" -eq 0 ] || { have sudo && sudo -v; } || die "needs root, or sudo"
}

make_cache() {
	mkdir -p "$CACHE/log" || die "cannot create $CACHE (PHYR_CACHE= names another place)"
}

# lock_cache WHAT - only one process at a time fills that part of the cache; the
# others wait and then find it full. The lock goes with the file descriptor, so a
# killed build leaves none.
lock_cache() {
	make_cache
	exec {CACHE_LOCK}>"$CACHE/.lock-$1"
	flock --nonblock "$CACHE_LOCK" && return
	echo "  $PROG: waiting for another build in $CACHE" >&2
	flock "$CACHE_LOCK"
}

# step WORDS LOG COMMAND… - run COMMAND with its output in LOG, saying how long
# it takes once it takes longer than two seconds, and why it failed if it does.
step() {
	local words=$1 log=$2 start=$SECONDS pid status=0
	shift 2

	# A job of its own group: the interrupt key then reaches only this shell,
	# which passes it on to everything the job has started.
	set -m
	"$@" >"$log" 2>&1 </dev/null &
	pid=$!
	set +m
	# shellcheck disable=SC2064 # this step's pid, now
	trap "kill -- -$pid 2>/dev/null; wait $pid 2>/dev/null || true; exit 130" INT TERM
	show_progress "$words" "$pid" "$start"
	wait "$pid" || status=$?
	trap - INT TERM

	if [ "$status" -ne 0 ]; then
		echo "$PROG: $words failed; the end of $log:" >&2
		tail -n 15 "$log" | sed 's/^/    /' >&2
		return 1
	fi
}

# A terminal gets one line that counts; a file gets a line at the start and one
# at the end.
show_progress() {
	local words=$1 pid=$2 start=$3 shown="" elapsed

	while kill -0 "$pid" 2>/dev/null; do
		sleep 0.2
		elapsed=$((SECONDS - start))
		[ "$elapsed" -ge 2 ] || continue
		if [ -t 2 ]; then
			printf '\r  %s: %s … %d s' "$PROG" "$words" "$elapsed" >&2
		elif [ -z "$shown" ]; then
			printf '  %s: %s …\n' "$PROG" "$words" >&2
		fi
		shown=yes
	done
	[ -n "$shown" ] || return 0
	[ ! -t 2 ] || printf '\r' >&2
	printf '  %s: %s … %d s\n' "$PROG" "$words" "$((SECONDS - start))" >&2
}
