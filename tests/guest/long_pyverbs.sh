#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# rdma-core's own tests, in Python, on soft RoCE: first as the kernel has it,
# then with phyr_rdma. What passed before has to pass afterwards. Those about
# regions run with libphyr-rxe as well, which makes more of them pass. They are
# Debian's, of python3-pyverbs, and nothing of them is changed.

set -u

source=/usr/share/doc/rdma-core/tests
dir=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tests=$work/tests

# shellcheck source-path=SCRIPTDIR source=tap.sh
. "$dir/tap.sh"

# Left out in both runs, and why. A name that ends with a dot is a whole module.
excluded() {
	cat <<-'END'
		tests.test_cq.CQTest.test_resize_cq stock rxe never passes it: waits 10 s for a completion
		tests.test_flow. stock rxe has no raw packets: each test would be skipped
		tests.test_parent_domain. stock rxe has no parent domains: each test would be skipped
		tests.test_rss_traffic. stock rxe has no raw packets: each test would be skipped
		tests.test_shared_pd. stock rxe imports no devices: each test would be skipped
		tests.test_tag_matching. stock rxe has no tag matching: each test would be skipped
	END
}

# all_but WHY FILE…: the modules that are in none of the files, to be left out.
all_but() {
	local why=$1 file
	shift
	(cd "$tests" && for file in test_*.py; do
		case " $* " in
		*" $file "*) ;;
		*) echo "tests.${file%.py}. $why" ;;
		esac
	done)
}

# The index of the IPv4 address in rxe0's table.
gid_index() {
	local file
	for file in /sys/class/infiniband/rxe0/ports/1/gids/*; do
		grep -q '^0000:0000:0000:0000:0000:ffff:' "$file" && { basename "$file"; return; }
	done
}

count() {
	grep -c "^$1 " "$2"
}

# run NAME RESULTS [EXCLUDED]
run() {
	local name=$1 results=$2 start=$SECONDS status=0 words
	"$dir/pyverbs-run" "$tests" "${3:-$work/excluded}" --dev rxe0 --port 1 --gid "$gid" \
		>"$results" 2>"$work/errors" || status=$?
	words="$(count passed "$results") passed, $(count skipped "$results") skipped"
	words="$words, $(count failed "$results") failed, in $((SECONDS - start)) s"
	if [ "$status" = 0 ] && [ "$(count passed "$results")" -gt 0 ]; then
		ok "$name: $words"
	else
		not_ok "$name: $words, exit status $status"
		tail -n 8 "$work/errors" | sed 's/^/# /'
	fi
	sed -n "s/^failed /# $name: failed /p" "$results"
}

# Those about regions, with calls that rdma-core's provider for soft RoCE lacks.
run_with_library() {
	LD_PRELOAD=$dir/../lib/libphyr-rxe.so \
		run "$1 and libphyr-rxe" "$2" "$work/not-about-regions"
}

# compare STOCK PHYR: tests with another result; the better ones are shown, too.
compare() {
	awk 'NR == FNR { before[$2] = $1; next }
		$1 != before[$2] {
			kind = before[$2] == "passed" ? "worse" : "other"
			print kind, $2 ": " before[$2] " on stock, now " $1, $3, $4, $5, $6, $7, $8
		}' "$1" "$2"
	# One that was never begun has no line.
	awk 'NR == FNR { now[$2]; next }
		!($2 in now) && $1 == "passed" { print "worse " $2 ": passed, now not run" }' \
		"$2" "$1"
}

# as_good STOCK PHYR [WORDS]: what passed on stock rxe has to pass with phyr_rdma.
as_good() {
	local words
	compare "$1" "$2" >"$work/differences"
	sed -n 's/^other /# differs: /p' "$work/differences"
	if grep -q '^worse ' "$work/differences"; then
		while read -r words; do
			not_ok "$words"
		done < <(sed -n 's/^worse //p' "$work/differences")
	else
		ok "all that passed on stock rxe pass with phyr_rdma${3:-}"
	fi
}

# more_pass BEFORE AFTER: without the library those that register again are skipped.
more_pass() {
	local passed
	passed=$(grep -c '^passed .*rereg' "$2")
	if ! grep -q '^passed .*rereg' "$1" && [ "$passed" -ge 3 ]; then
		ok "$passed tests that register again pass, which were skipped without the library"
	else
		not_ok "of the tests that register again $passed pass with the library"
		grep rereg "$1" "$2" | sed 's/^/# /'
	fi
}

if [ ! -d "$source" ]; then
	echo "1..0 # SKIP the image has no tests of python3-pyverbs"
	exit 0
fi
mkdir "$tests"
cp "$source"/* "$tests"
gunzip -f "$tests"/*.gz
excluded >"$work/excluded"
sed 's/^\([^ ]*\) /# left out: \1: /' "$work/excluded"
gid=$(gid_index)
before=$("$dir/nothing-left")

all_but "is not about regions" test_mr.py >"$work/not-about-regions"
# The debug kernel takes its time: what is about regions has to be enough.
everything=yes
[ -z "${PHYR_DEBUG:-}" ] || everything=

if grep -q '^phyr_rdma ' /proc/modules; then rmmod phyr_rdma || exit; fi
[ -z "$everything" ] || run "stock rxe" "$work/stock"
run_with_library "stock rxe" "$work/stock-library"
modprobe phyr_rdma || exit
[ -z "$everything" ] || run "phyr_rdma" "$work/phyr"
run_with_library "phyr_rdma" "$work/phyr-library"

as_good "$work/stock-library" "$work/phyr-library" ", with libphyr-rxe"
if [ -n "$everything" ]; then
	as_good "$work/stock" "$work/phyr"
	more_pass "$work/phyr" "$work/phyr-library"
fi
if [ "$(cat /sys/module/phyr_rdma/parameters/regions)" = 0 ] && rmmod phyr_rdma; then
	ok "no region is left, and the module goes"
else
	not_ok "regions are left, or the module does not go"
fi
# shellcheck disable=SC2086 # two numbers
nothing_left $before
tap_end
