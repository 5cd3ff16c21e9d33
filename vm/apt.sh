# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Debian's packages for what is not this machine: its mirror, and packages that
# belong to a kernel of the image, without installing them.
#
# Sourced after lib.sh; TREE is the image's root tree, where one is needed.

# shellcheck disable=SC2034 # for those who source this
SUITE=trixie

# packages GROUP: of vm/packages.
packages() {
	awk -v group="$1" '$1 == group { print $2 }' "$VM_DIR/packages"
}

# The host's own Debian mirror, if it is a Debian host with one: near, and
# reachable. Prints nothing otherwise, and mmdebstrap takes its default.
host_mirror() {
	# Security and updates are suites with a dash. Before the first "apt-get
	# update" there is no label, so the path has to tell.
	# shellcheck disable=SC2016 # apt's own variables
	apt-get indextargets --format \
		'$(CREATED_BY)|$(COMPONENT)|$(RELEASE)|$(LABEL)|$(REPO_URI)' 2>/dev/null |
	awk -F'|' '$1 == "Packages" && $2 == "main" && $3 !~ /-/ &&
		($4 == "Debian" || $5 ~ /\/debian\/?$/) { print $5; exit }' || true
}

# add_backports TREE: they stand where the suite itself stands.
add_backports() {
	local where
	where=$(sed -n "s/^\(deb .*\) $SUITE main.*/\1/p" "$1/etc/apt/sources.list" | head -n 1)
	echo "$where $SUITE-backports main" >"$1/etc/apt/sources.list.d/backports.list"
}

host_proxy() {
	local proxy=
	eval "$(apt-config shell proxy Acquire::http::Proxy)"
	[ -z "$proxy" ] || echo "--aptopt=Acquire::http::Proxy \"$proxy\""
}

# apt by the image's package sources and keys, as the calling user, with nothing
# of the tree changed.
tree_apt() {
	local apt=$1 get=$2
	shift 2
	mkdir -p "$apt/lists/partial" "$apt/archives/partial"
	"$get" -q -o Dir::Etc::SourceList="$TREE/etc/apt/sources.list" \
		-o Dir::Etc::SourceParts="$TREE/etc/apt/sources.list.d" \
		-o Dir::Etc::TrustedParts="$TREE/etc/apt/trusted.gpg.d" \
		-o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null \
		-o Dir::State::Lists="$apt/lists" -o Dir::State::Status=/dev/null \
		-o Dir::Cache="$apt" -o APT::Sandbox::User= -o Acquire::Languages=none "$@"
}

# download_in DIR PACKAGE…: each as "name" or "name=version".
download_in() {
	local dir=$1
	shift
	mkdir -p "$dir"
	cd "$dir" || return
	# One broken entry is no reason to stop; the download tells.
	tree_apt "$dir/apt" apt-get update || true
	tree_apt "$dir/apt" apt-get download "$@"
}

# That version, or what the archive has instead.
download_near() {
	download_in "$1" "$2=$3" || download_in "$1" "$2"
}

source_package() {
	echo "linux-source-$(cut -d. -f1-2 <<<"$1")"
}

# kernel_version RELEASE: the version of the packages of a kernel release of the image.
kernel_version() {
	dpkg-query --admindir="$TREE/var/lib/dpkg" -W -f '${Version}' "linux-image-$1"
}
