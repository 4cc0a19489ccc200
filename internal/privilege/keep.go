package privilege

import (
	"errors"
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ErrCgo says that the binary holds C code: the Go runtime does not know all of its threads and so cannot change them
// (syscall.AllThreadsSyscall). The race detector brings C code along, too.
var ErrCgo = errors.New("a binary with C code cannot drop capabilities on every thread: build with CGO_ENABLED=0")

// Keep lets go of every capability that is not in keep, on all threads, for good. Effective and permitted set become
// what they were, limited to keep; inheritable and ambient set become empty, as nothing that this program starts needs
// any. Keep raises nothing. When it has returned, threads yet to be made inherit the new sets. Calling it again does no
// harm.
//
// It also sets no_new_privs, and this is why root stays without: at exec by uid 0, or of a setuid file or one with
// file capabilities, the kernel cuts the new permitted set to the old one (security/commoncap.c,
// cap_bprm_creds_from_file). Securebits would add nothing: a change of uid fills the effective set from the permitted
// one at most (cap_emulate_setxuid). Nor would the bounding set, which limits what an exec may give, and to drop forty
// capabilities from it on each thread takes longer than everything else that happens at the start.
//
// On a binary with C code it changes nothing and returns ErrCgo. Any other error may leave a part undone, yet never
// more capabilities than before. The Go runtime ends the program if a thread answers unlike the others, as when it was
// stripped by itself before. Every thread must be able to take a signal: do not call it while one hangs in the kernel.
func Keep(keep Set) error {
	have, err := held()
	if err != nil {
		return err
	}
	// First, since it needs no capability, and tells of C code before anything has changed.
	if errno := prctl(unix.PR_SET_NO_NEW_PRIVS, 1); errno == unix.ENOTSUP {
		return ErrCgo
	} else if errno != 0 {
		return fmt.Errorf("set no_new_privs: %w", errno)
	}
	return capset(holding{effective: have.effective & keep, permitted: have.permitted & keep})
}

// capset sets effective and permitted set on all threads and empties the inheritable one; the kernel cuts the ambient
// set to what is both permitted and inheritable (security/commoncap.c, cap_capset), so that it becomes empty too.
func capset(to holding) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3} // pid 0: each thread its own
	data := [2]unix.CapUserData{
		{Effective: uint32(to.effective), Permitted: uint32(to.permitted)},
		{Effective: uint32(to.effective >> 32), Permitted: uint32(to.permitted >> 32)},
	}
	_, _, errno := syscall.AllThreadsSyscall(unix.SYS_CAPSET,
		uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&data[0])), 0)
	if errno != 0 {
		return fmt.Errorf("set capabilities: %w", errno)
	}
	return nil
}

// prctl calls prctl(2) on all threads. The kernel wants the unused arguments of PR_SET_NO_NEW_PRIVS to be zero.
func prctl(option int, argument uintptr) syscall.Errno {
	_, _, errno := syscall.AllThreadsSyscall6(unix.SYS_PRCTL, uintptr(option), argument, 0, 0, 0, 0)
	return errno
}
