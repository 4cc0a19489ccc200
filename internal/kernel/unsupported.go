package kernel

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/tcptrail/tcptrail/internal/privilege"
)

const kernelBTF = "/sys/kernel/btf/vmlinux"

// UnsupportedError is what this kernel lacks, or what this process may not do, with the remedy.
type UnsupportedError struct {
	What string // one line: the thing and what to do about it
	Err  error  // cause; nil when it was found before trying
}

// Error returns the one line.
func (e *UnsupportedError) Error() string { return e.What }

// Unwrap returns the cause.
func (e *UnsupportedError) Unwrap() error { return e.Err }

// checkHost finds what would fail, before anything is loaded that needs room for so many descriptors.
func checkHost(room int) error {
	release := Release()
	if isTooOld(release) {
		return &UnsupportedError{What: fmt.Sprintf(
			"kernel %s is too old: Linux %v or newer is needed (bpf_get_socket_cookie for tracing)", release, oldest)}
	}
	if _, err := os.Stat(kernelBTF); err != nil {
		return &UnsupportedError{
			What: fmt.Sprintf(
				"kernel %s has no BTF at %s: run a kernel built with CONFIG_DEBUG_INFO_BTF=y, and mount /sys", release, kernelBTF),
			Err: err,
		}
	}
	if missing := privilege.Missing(privilege.Trace); missing != 0 {
		return &UnsupportedError{What: privilege.Describe(privilege.Trace, missing)}
	}
	if err := checkRoom(room); err != nil {
		return err
	}
	return explainCall(callBPF())
}

// callBPF makes a bpf() call that asks for nothing: a kernel that answers at all says EINVAL. Whoever stands in the way
// is heard here in their own words; a library's probes take their refusal for a missing feature.
func callBPF() error {
	const noCommand = 1 << 16
	if _, _, errno := unix.Syscall(unix.SYS_BPF, noCommand, 0, 0); errno != unix.EINVAL {
		return errno
	}
	return nil
}

// explainCall turns the refusal of the system call itself into an UnsupportedError.
func explainCall(err error) error {
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return &UnsupportedError{What: "kernel refuses bpf() although the capabilities are there: " + refusal(), Err: err}
	case errors.Is(err, unix.ENOSYS):
		return &UnsupportedError{What: "kernel has no bpf(), or a seccomp filter hides it: allow the bpf system call", Err: err}
	}
	return nil // what else it says, loading will say better
}

// Release returns the kernel's release, as uname -r prints it; "" when it does not say.
func Release() string {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return ""
	}
	return unix.ByteSliceToString(name.Release[:])
}

// isTooOld says whether release, as uname prints it, is surely too old; a spelling that it cannot read is not.
func isTooOld(release string) bool {
	version, ok := parseRelease(release)
	return ok && version.before(oldest)
}

// isPreemptible says whether tracepoints of that release may run programs with preemption enabled.
func isPreemptible(release string) bool {
	version, ok := parseRelease(release)
	return ok && !version.before(preemptible)
}

// hasSettledChildren says whether a child has its cookie at its first transition in that release.
func hasSettledChildren(release string) bool {
	version, ok := parseRelease(release)
	return ok && !version.before(settledChildren)
}

// release is the version of a kernel.
type release struct{ major, minor int }

var (
	// oldest has all that the programs call: the last to come was bpf_get_socket_cookie() for tracing (c5dbb89fc2ac).
	oldest = release{5, 12}
	// preemptible is the first that guards tracepoints by SRCU and not by disabling preemption.
	preemptible = release{7, 0}
	// settledChildren is the first in which a child has its cookie when it comes to SYN_RECV (a3a128f611a9).
	settledChildren = release{6, 15}
)

func (r release) before(other release) bool {
	return r.major < other.major || r.major == other.major && r.minor < other.minor
}

func (r release) String() string { return fmt.Sprintf("%d.%d", r.major, r.minor) }

func parseRelease(text string) (r release, ok bool) {
	_, err := fmt.Sscanf(text, "%d.%d", &r.major, &r.minor)
	return r, err == nil
}

// explain turns an error of the kernel's refusal into an UnsupportedError and leaves others as they are.
func explain(operation string, err error) error {
	if isOutOfFiles(err) { // first, because the library wraps it as if the verifier had refused
		return tooManyFiles(err)
	}
	var verifier *ebpf.VerifierError
	if refused := explainCall(err); refused != nil && !errors.As(err, &verifier) {
		return refused
	}
	switch {
	case errors.As(err, &verifier):
		return &UnsupportedError{What: fmt.Sprintf("kernel %s rejects a program: %v; please report it with the output of uname -a",
			Release(), verifier), Err: err}
	case errors.Is(err, ebpf.ErrNotSupported):
		return &UnsupportedError{What: fmt.Sprintf("kernel %s lacks a feature: %s", Release(), firstCause(err)), Err: err}
	}
	return fmt.Errorf("%s programs: %w", operation, err)
}

const lockdownFile = "/sys/kernel/security/lockdown"

// refusal guesses, from what can be read, who said no.
func refusal() string {
	if state, err := os.ReadFile(lockdownFile); err == nil && strings.Contains(string(state), "[confidentiality]") {
		return "lockdown is in confidentiality mode: boot with lockdown=integrity or less"
	}
	return "a seccomp filter, an LSM or a container policy says no: allow the bpf system call, or run outside of it"
}

// firstCause is the innermost error's text without the advice that libraries add.
func firstCause(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}
