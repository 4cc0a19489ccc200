#!/usr/bin/env bash
# Runs the privileged tests of Go packages in several kernels under qemu, one boot for each kernel and package.
#
#   matrix.sh [-r PATTERN] [-t SECONDS] "SUITE:SERIES..." PACKAGE...
#
#     -r PATTERN        which tests (default: Privileged)
#     -t SECONDS        time limit for each boot (default 600)
#
#   matrix.sh "bookworm:6.1 sid:7" ./internal/kernel ./internal/cli
#
# The tests are built here, as static programs, and run in the guest beside their testdata and the tool itself, which
# TCPTRAIL_BINARY names to them. A package without privileged tests and a kernel that cannot be had are passed over with
# a line. A table at the end says what became of each.
#
# Exit status: 0 all that ran has passed, 1 something failed or nothing ran, 2 wrong use.
set -euo pipefail

readonly GRACE=20 # seconds between the test binary's own limit, which prints its goroutines, and the guest's

# Tests that say the same on every kernel and take minutes under emulation, or need what a guest of busybox lacks.
readonly HOST_ONLY='Privileged(Needs|Holds|FileCapabilities|ProcChurn|OtherClocks|ExtremeAddresses|.*WithoutStorage|SmallestRing|TooFewDescriptors'\
'|HostileNamesEverywhere|FullOutput|ClosedOutput|FullStderr|FullFiles|DiskFills|Head|WithoutProc|HidePID|UnprivilegedContainer'\
'|PrivilegedContainer|ServeReaders.*|ServeScrapesUnderLoad|ServeSurvivesARestart|ServeRecords|LogReadOnly|LogFullDisk|LogTrap'\
'|LogToJournald|History)$'

here=$(cd "$(dirname "$0")" && pwd)
pattern=Privileged limit=600

usage() { sed -n '4,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }

# Builds the tool and the tests of packages that have some for us; sets "tested".
build_tests() {
	local package
	export CGO_ENABLED=0 GOOS=linux GOARCH=amd64
	go build -buildvcs=false -trimpath -o "$work/tcptrail" ./cmd/tcptrail
	tested=()
	for package in "$@"; do
		if ! grep -qs '^func TestPrivileged' "$package"/*_test.go; then
			echo "matrix.sh: no privileged tests in $package"
			continue
		fi
		go test -c -trimpath -ldflags=-s -o "$work/$(test_name "$package")" "$package"
		tested+=("$package")
	done
}

# internal/kernel -> internal-kernel.test
test_name() {
	local name=${1#./}
	echo "${name//\//-}.test"
}

count() { grep -ac -- "^--- $1: " "$work/log" || true; }

# Runs one package in one kernel and adds its row to the table.
run_tests() {
	local name=$1 kernel=$2 package=$3 code=0 start=$SECONDS result passed failed skipped testdata=()
	[ ! -d "$package/testdata" ] || testdata=(-f "$package/testdata:/test/testdata")
	printf '\n=== %s: %s\n' "$name" "$package"
	"$here/boot.sh" -t "$limit" -e TCPTRAIL_BINARY=/test/tcptrail -f "$work/tcptrail:/test/tcptrail" \
		"${testdata[@]}" "$kernel" "$work/$(test_name "$package")" -test.v \
		-test.run "$pattern" -test.skip "$HOST_ONLY" -test.timeout "$((limit - GRACE))s" 2>&1 | tee "$work/log" || code=${PIPESTATUS[0]}
	passed=$(count PASS) failed=$(count FAIL) skipped=$(count SKIP)
	case $code in
	0) result=pass ;;
	124) result=TIMEOUT ;;
	125) result=CRASH ;;
	*) result=FAIL ;;
	esac
	[ "$code$passed" != 00 ] || result=NOTHING # all skipped is no proof
	[ $result = pass ] || status=1
	printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$name ($(basename "$(readlink -f "$kernel")"))" "$package" $result \
		"$passed" "$failed" "$skipped" "$((SECONDS - start)) s" >>"$work/table"
}

print_table() {
	printf '\n'
	awk -F '\t' '
		{ for (i = 1; i <= NF; i++) { cell[NR, i] = $i; if (length($i) > width[i]) width[i] = length($i) } }
		END { for (r = 1; r <= NR; r++) { line = ""
			for (i = 1; i <= NF; i++) line = line sprintf(i > 3 ? "%" width[i] "s  " : "%-" width[i] "s  ", cell[r, i])
			sub(/ +$/, "", line); print line } }' "$work/table"
}

while getopts r:t:h option; do
	case $option in
	r) pattern=$OPTARG ;;
	t) limit=$OPTARG ;;
	*) usage ;;
	esac
done
shift $((OPTIND - 1))
[ $# -ge 2 ] || usage
[ "$limit" -gt $GRACE ] || { echo "matrix.sh: -t $limit: want more than $GRACE seconds" >&2; exit 2; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
status=0
printf 'kernel\tpackage\tresult\tpassed\tfailed\tskipped\ttime\n' >"$work/table"
build_tests "${@:2}"
[ ${#tested[@]} -gt 0 ] || { echo "matrix.sh: nothing to run"; exit 0; }
read -ra wanted <<<"$1"
"$here/fetch.sh" "${wanted[@]}" >"$work/kernels"
[ -s "$work/kernels" ] || { echo "matrix.sh: none of the kernels can be had: $1" >&2; exit 1; }
while read -r name kernel <&3; do
	for package in "${tested[@]}"; do run_tests "$name" "$kernel" "$package"; done
done 3<"$work/kernels"
print_table
exit $status
