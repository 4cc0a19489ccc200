#!/usr/bin/env bash
# Boots a kernel in qemu with one static program, prints what the program prints, and exits with its code.
#
#   boot.sh [OPTIONS] KERNEL PROGRAM [ARGS...]
#
#     KERNEL            SUITE:SERIES (fetched if need be, see fetch.sh) or a directory with vmlinuz and modules/
#     -e KEY=VALUE      environment for the program; repeatable
#     -f SOURCE:PATH    a file or directory to put into the guest at PATH; repeatable
#     -M "NAME..."      modules to load, their dependencies included (default: MODULES below)
#     -m MIB            guest memory (default 512)
#     -c CPUS           guest processors (default 2)
#     -t SECONDS        time limit for the whole, boot included (default 300)
#     -k                print the kernel's console to stderr at the end
#
#   boot.sh bookworm:6.1 ./kernel.test -test.v -test.run Privileged
#
# The guest: busybox applets in PATH; /proc /sys /dev, tracefs, bpffs, securityfs and cgroup2 mounted; tmpfs on /tmp and
# /run; lo up; uid 0 with all capabilities; no network card; /test as working directory; TCPTRAIL_SLOW=1, because
# everything runs in software and about 25 times slower than outside. KVM is never used, not even where /dev/kvm opens:
# some hosts offer one that cannot boot these kernels.
#
# Exit status: the program's own; 2 wrong use; 124 time limit; 125 the guest ended without the program having ended,
# as by a panic (the end of the console then goes to stderr); 126 the machine lacks something.
set -euo pipefail

readonly MODULES="veth tun dummy inet_diag tcp_diag unix_diag sch_netem"
readonly OPEN_FILES=20000   # init starts with a hard limit of 4096, and tests open sockets by the thousand
readonly MARK=tcptrail-vm   # begins the console line that carries the exit code
readonly EX_TIMEOUT=124 EX_DIED=125 EX_MACHINE=126

memory=512 cpus=2 limit=300 modules=$MODULES console=false
env=(TCPTRAIL_SLOW=1) files=()

die() { echo "boot.sh: ${*:2}" >&2; exit "$1"; }

usage() { sed -n '4,14s/^# \{0,1\}//p' "$0" >&2; exit 2; }

# Writes each argument in single quotes, for the guest's shell.
quote() {
	local word
	for word in "$@"; do printf " '%s'" "${word//\'/\'\\\'\'}"; done
}

check_machine() {
	local tool
	for tool in qemu-system-x86_64 busybox cpio xz zstd; do
		command -v "$tool" >/dev/null || die $EX_MACHINE "$tool is missing: make vm-tools"
	done
	# The dynamic one would look for a libc that the guest has not.
	! ldd "$(command -v busybox)" >/dev/null 2>&1 || die $EX_MACHINE "busybox is not static: make vm-tools"
}

# Turns KERNEL into a directory.
find_kernel() {
	if [ -e "$1/vmlinuz" ]; then
		echo "$1"
	elif [[ $1 == ?*:?* ]]; then
		"$(dirname "$0")/fetch.sh" "$1" | cut -d ' ' -f 2
	fi
}

# Puts a module into the guest as plain .ko, after the modules that it depends on, and notes it in load_order. The
# guest loads them with insmod: the packages bring no modules.dep.
add_module() {
	local name=${1//-/_} file out=$root/lib/modules/${1//-/_}.ko need
	[ ! -e "$out" ] || return 0
	file=$(find "$kernel/modules/" -name "${name//_/[-_]}.ko*" | head -n 1)
	case $file in
	*.xz) xz -dc "$file" >"$out" ;;
	*.zst) zstd -qdc "$file" >"$out" ;;
	*.ko) cp "$file" "$out" ;;
	*)
		grep -qs "/${name//_/[-_]}\.ko" "$kernel/modules.builtin" || echo "boot.sh: this kernel has no module $name" >&2
		return 0
		;;
	esac
	for need in $(tr '\0' '\n' <"$out" | LC_ALL=C sed -n 's/^depends=//p' | tr ',' ' '); do add_module "$need"; done
	load_order+=("$name")
}

# The program gets the second serial port for itself, in raw mode, so its output arrives byte for byte and as it comes.
# Setting the port's mode afterwards waits until the last byte is out. The exit code goes through the kernel log, where
# nothing can tear the line apart.
write_init() {
	cat <<-INIT
		#!/bin/sh
		/bin/busybox --install -s /bin
		export PATH=/bin HOME=/tmp
		mount -t proc proc /proc
		mount -t sysfs sysfs /sys
		mount -t devtmpfs devtmpfs /dev
		ln -s /proc/self/fd /dev/fd
		mkdir -p /dev/shm
		for target in /tmp /run /dev/shm; do mount -t tmpfs tmpfs \$target; done
		mount -t tracefs tracefs /sys/kernel/tracing
		mount -t securityfs securityfs /sys/kernel/security
		mount -t bpf bpf /sys/fs/bpf
		mount -t cgroup2 cgroup2 /sys/fs/cgroup
		ip link set lo up
		for module in ${load_order[*]}; do insmod /lib/modules/\$module.ko; done
		ulimit -n $OPEN_FILES
		export$(quote "${env[@]}")
		cd /test
		stty -F /dev/ttyS1 raw 115200
		($(quote /test/program "$@") </dev/null >/dev/ttyS1 2>&1)
		code=\$?
		stty -F /dev/ttyS1 raw 115200
		echo "<0>$MARK exit \$code" >/dev/kmsg
		reboot -f
	INIT
}

# Not compressed: unpacking takes the guest longer than reading.
build_initramfs() {
	local program=$1 file
	shift
	mkdir -p "$root"/{bin,dev,etc,lib/modules,proc,run,sys,test,tmp}
	cp "$(command -v busybox)" "$root/bin/busybox"
	ln -s busybox "$root/bin/sh"
	install -m 755 "$program" "$root/test/program"
	printf 'root:x:0:0:root:/tmp:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' >"$root/etc/passwd"
	printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
	printf '127.0.0.1 localhost\n::1 localhost\n' >"$root/etc/hosts"
	for file in "${files[@]}"; do
		mkdir -p "$root/$(dirname "${file#*:}")"
		cp -r "${file%%:*}" "$root/${file#*:}"
	done
	load_order=()
	for file in $modules; do add_module "$file"; done
	write_init "$@" >"$root/init"
	chmod 755 "$root/init"
	(cd "$root" && find . | cpio -o -H newc --quiet --owner 0:0) >"$work/initramfs"
}

# Leaves qemu's exit status (timeout's, if it struck) in $status. The pipe keeps qemu from setting our stdout to
# non-blocking, which would outlive it. One host thread runs both processors: with one for each, a processor can run
# into code that the other has just patched back, and qemu 7.2 shows it the stale breakpoint (one boot of 7.2 in fifty).
run_guest() {
	status=0
	timeout --foreground -k 5 "$limit" qemu-system-x86_64 \
		-machine pc -accel tcg,thread=single -cpu max -m "$memory" -smp "$cpus" \
		-nodefaults -no-user-config -display none -no-reboot -kernel "$kernel/vmlinuz" -initrd "$work/initramfs" \
		-append "console=ttyS0 loglevel=4 panic=-1 oops=panic reboot=t tsc=reliable mitigations=off" \
		-serial "file:$work/console" -chardev stdio,id=program,signal=off -serial chardev:program \
		</dev/null 2>"$work/qemu" | cat || status=${PIPESTATUS[0]}
}

while getopts e:f:M:m:c:t:kh option; do
	case $option in
	e) env+=("$OPTARG") ;;
	f) files+=("$OPTARG") ;;
	M) modules=$OPTARG ;;
	m) memory=$OPTARG ;;
	c) cpus=$OPTARG ;;
	t) limit=$OPTARG ;;
	k) console=true ;;
	*) usage ;;
	esac
done
shift $((OPTIND - 1))
[ $# -ge 2 ] || usage
check_machine
kernel=$(find_kernel "$1")
[ -n "$kernel" ] || die 2 "$1: neither a kernel's directory nor a SUITE:SERIES that can be had"
[ -r "$2" ] || die 2 "$2: cannot be read"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
build_initramfs "${@:2}"
run_guest
code=$(tr -d '\r' <"$work/console" | sed -n "s/.*$MARK exit \([0-9]*\)\$/\1/p" | tail -n 1)
if [ -z "$code" ]; then
	code=$EX_DIED
	[ "$status" -ne 124 ] && [ "$status" -ne 137 ] || code=$EX_TIMEOUT
	{ tail -n 80 "$work/console" | tr -d '\r'; cat "$work/qemu"; } >&2
	[ $code = $EX_DIED ] || echo "boot.sh: not done after $limit s" >&2
elif $console; then
	tr -d '\r' <"$work/console" >&2
fi
exit "$code"
