#!/usr/bin/env bash
# Fetches Debian's cloud kernels for the tests under qemu. Installs nothing and needs no root.
#
#   fetch.sh SUITE:SERIES...          fetch.sh bookworm:6.1 trixie-backports:6.18 sid:7
#
# The newest kernel of each series goes to CACHE/VERSION/{vmlinuz,config,modules.builtin,modules/}, and the link
# CACHE/SUITE-SERIES leads to it. Stdout gets one line "SUITE:SERIES CACHE/SUITE-SERIES" for each kernel that is there
# afterwards. Mirrors drop suites and versions without notice: one that cannot be had is a line on stderr, no failure.
#
# CACHE is $TCPTRAIL_KERNELS, or .kernels at the top of the checkout. Remove it to start afresh.
# $DEBIAN_MIRROR and $DEBIAN_SECURITY_MIRROR replace the default mirrors; apt's own proxy settings hold.
#
# Exit status: 0 done, 1 the machine lacks something, 2 wrong use.
set -euo pipefail

readonly ARCH=amd64
readonly KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
readonly MIRROR=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
readonly SECURITY_MIRROR=${DEBIAN_SECURITY_MIRROR:-http://deb.debian.org/debian-security}
readonly DAYS_FRESH=7 # Debian renews a kernel every few weeks; asking the mirror on every run would only cost seconds
readonly TRIES=3      # versions to try: an index can name files that are gone, the newest two at most so far

say() { echo "fetch.sh: $*" >&2; }
die() { say "$*"; exit 1; }

check_machine() {
	local tool
	for tool in apt-get apt-cache dpkg-deb flock; do
		command -v "$tool" >/dev/null || die "$tool is missing: fetching kernels needs Debian, or Ubuntu"
	done
	[ -r "$KEYRING" ] || die "$KEYRING is missing: apt-get install debian-archive-keyring"
}

# Points the array "apt" at a private root for one suite, so that the machine's own apt state stays as it is.
use_suite() {
	local suite=$1 root=$cache/.apt/$1 deb="deb [arch=$ARCH signed-by=$KEYRING]"
	mkdir -p "$root"/{state/lists/partial,cache/archives/partial}
	: >"$root/status" # no package counts as installed
	echo "$deb $MIRROR $suite main" >"$root/sources.list"
	case $suite in
	sid | unstable | experimental | *-*) ;; # these have no security suite
	*) echo "$deb $SECURITY_MIRROR $suite-security main" >>"$root/sources.list" ;;
	esac
	apt=(-qq -o "Dir::Etc::SourceList=$root/sources.list" -o Dir::Etc::SourceParts=/dev/null
		-o "Dir::State=$root/state" -o "Dir::State::status=$root/status" -o "Dir::Cache=$root/cache"
		-o APT::Sandbox::User=root -o "APT::Architecture=$ARCH" -o "APT::Architectures::=$ARCH")
}

# Versions of a series, newest first, as they stand in package names: 6.1.0-56-cloud-amd64.
versions() {
	apt-cache "${apt[@]}" search --names-only "^linux-image-${1//./\\.}\\.[0-9].*-cloud-$ARCH\$" |
		sed -n 's/^linux-image-\([^ ]*\).*/\1/p' | sort -rV | head -n "$TRIES"
}

# The packages that hold a version: from 7.0 on the image is an empty one over binary, base (config) and modules.
packages() {
	local parts
	parts=$(apt-cache "${apt[@]}" depends "linux-image-$1" |
		sed -n "s/^ *Depends: \(linux-\(binary\|base\|modules\)-$1\)\$/\1/p")
	echo "${parts:-linux-image-$1}"
}

# Downloads and unpacks one version into $1. Modules go into one flat directory, their names being unique; only those
# that a test of sockets can want are kept, a fifth of the whole.
unpack() {
	local out=$1 version=$2 tree=$1.tree pkgs lib
	rm -rf "$out" "$tree"
	mkdir -p "$out/modules" "$tree/deb"
	mapfile -t pkgs < <(packages "$version")
	(cd "$tree/deb" && apt-get "${apt[@]}" download "${pkgs[@]}" 2>/dev/null) || return 1
	for deb in "$tree"/deb/*.deb; do dpkg-deb -x "$deb" "$tree"; done
	lib=$(find "$tree" -type d -path "*/lib/modules/$version" | head -n 1)
	[ -n "$lib" ] || return 1
	find "$lib/kernel/net" "$lib/kernel/lib" -name '*.ko*' -exec mv -t "$out/modules" {} +
	find "$lib/kernel/drivers/net" -maxdepth 1 -name '*.ko*' -exec mv -t "$out/modules" {} +
	mv "$lib/modules.builtin" "$out/" # tells a module that is missing from one that is built in
	find "$tree" -type f \( -name "config-$version" -o -name config \) -exec mv {} "$out/config" \;
	find "$tree" -type f -name 'vmlinuz*' -exec mv {} "$out/vmlinuz" \;
	rm -rf "$tree"
	[ -e "$out/vmlinuz" ]
}

# Finds the newest version that can be had and links it. Fails when there is none.
renew() {
	local suite=$1 series=$2 link=$3 version
	use_suite "$suite"
	apt-get "${apt[@]}" update >/dev/null 2>&1 || true # a part of it may be gone; what is left decides
	for version in $(versions "$series"); do
		if [ ! -e "$cache/$version/vmlinuz" ]; then
			unpack "$cache/.new" "$version" || { say "$version of $suite cannot be downloaded"; continue; }
			rm -rf "${cache:?}/$version"
			mv "$cache/.new" "$cache/$version"
		fi
		ln -sfn "$version" "$link"
		return 0
	done
	return 1
}

fetch() {
	local suite=${1%%:*} series=${1#*:} link
	link=$cache/$suite-$series
	if [ -z "$(find "$link" -mtime "-$DAYS_FRESH" 2>/dev/null)" ] || [ ! -e "$link/vmlinuz" ]; then
		renew "$suite" "$series" "$link" || say "no Linux $series to be had from $suite"
	fi
	[ ! -e "$link/vmlinuz" ] || echo "$1 $link"
}

[ $# -gt 0 ] || { sed -n '4,5s/^# *//p' "$0" >&2; exit 2; }
for kernel in "$@"; do
	[[ $kernel == ?*:?* ]] || { say "$kernel: want SUITE:SERIES, such as bookworm:6.1"; exit 2; }
done
check_machine
cache=${TCPTRAIL_KERNELS:-$(cd "$(dirname "$0")/../.." && pwd)/.kernels}
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
exec 9>"$cache/.lock" # two test runs may share the cache
flock 9
trap 'rm -rf "$cache"/.new{,.tree}' EXIT
for kernel in "$@"; do fetch "$kernel"; done
