// Package privilege holds least privilege as data: which capabilities a command needs, which of them the process
// lacks, and how it lets go of all others.
package privilege

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Cap is a capability by its kernel number (include/uapi/linux/capability.h).
type Cap uint8

// The capabilities that this program speaks of; String knows the names of all.
const (
	DACReadSearch Cap = unix.CAP_DAC_READ_SEARCH
	Kill          Cap = unix.CAP_KILL
	SetPCap       Cap = unix.CAP_SETPCAP
	NetAdmin      Cap = unix.CAP_NET_ADMIN
	SysPtrace     Cap = unix.CAP_SYS_PTRACE
	SysAdmin      Cap = unix.CAP_SYS_ADMIN
	SysResource   Cap = unix.CAP_SYS_RESOURCE
	Perfmon       Cap = unix.CAP_PERFMON // Linux 5.8
	BPF           Cap = unix.CAP_BPF     // Linux 5.8
)

// capNames is indexed by Cap; the kernel's names without CAP_.
var capNames = [...]string{
	"CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
	"LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER", "SYS_MODULE",
	"SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME",
	"SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG",
	"WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF", "CHECKPOINT_RESTORE",
}

// String returns the kernel's name, as CAP_BPF; for a number newer than this program, CAP_41.
func (c Cap) String() string {
	if int(c) >= len(capNames) {
		return fmt.Sprintf("CAP_%d", uint8(c))
	}
	return "CAP_" + capNames[c]
}

// Set is a set of capabilities, bit n for capability n, as the hexadecimal numbers in /proc/PID/status. The zero value
// is the empty set.
type Set uint64

// SetOf returns the set of the given capabilities.
func SetOf(caps ...Cap) Set {
	var set Set
	for _, c := range caps {
		set |= 1 << c
	}
	return set
}

// Has says whether c is in the set.
func (set Set) Has(c Cap) bool { return set>>c&1 == 1 }

// Caps returns the capabilities of the set, sorted by name; none for the empty set.
func (set Set) Caps() []Cap {
	caps := make([]Cap, 0, bits.OnesCount64(uint64(set)))
	for rest := set; rest != 0; rest &= rest - 1 {
		caps = append(caps, Cap(bits.TrailingZeros64(uint64(rest))))
	}
	slices.SortFunc(caps, func(a, b Cap) int { return strings.Compare(a.String(), b.String()) })
	return caps
}

// String returns the names sorted and separated by comma and space, as "CAP_BPF, CAP_PERFMON"; "none" when empty.
func (set Set) String() string {
	if set == 0 {
		return "none"
	}
	return set.join(", ", Cap.String)
}

func (set Set) join(separator string, name func(Cap) string) string {
	var names []string
	for _, c := range set.Caps() {
		names = append(names, name(c))
	}
	return strings.Join(names, separator)
}
