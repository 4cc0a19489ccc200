package cli

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"
)

// confineEnv tells the test binary to become another program, with less than it had: see confine.
const confineEnv = "TCPTRAIL_CLI_CONFINE"

// sysBPF is the number of bpf(), which package syscall does not know.
var sysBPF = map[string]uint32{"amd64": 321, "arm64": 280}[runtime.GOARCH]

// confined returns a command that runs the tracer confined.
func confined(t *testing.T, how string) (*exec.Cmd, []string) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), confineEnv+"="+how)
	return cmd, []string{mustBinary(t)}
}

// confine takes something from the calling thread and executes argv on it. It returns only if that does not work.
//
//	errno N       bpf() fails with that
//	drop N        no capability N, not even for root
//	empty PATH    an empty directory lies over that one
//	files N       no more descriptors than that
//	proc OPTIONS  /proc is mounted anew, with these
//	mount proc    likewise, for others in this mount namespace, too
//	foreign /proc /proc is that of another PID namespace
func confine(how string, argv []string) error {
	runtime.LockOSThread()
	verb, value, _ := strings.Cut(how, " ")
	var err error
	switch verb {
	case "errno":
		err = refuseBPF(number(value))
	case "drop":
		err = prctl(syscall.PR_CAPBSET_DROP, number(value), 0)
	case "empty":
		err = coverDir(value, "tmpfs", "")
	case "files":
		limit := uint64(number(value))
		err = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: limit, Max: limit})
	case "proc":
		err = coverDir("/proc", "proc", value)
	case "foreign":
		err = coverByOther(argv[0])
	case "mount": // into the mount namespace as it is
		err = syscall.Mount("none", "/"+value, value, 0, "")
	default:
		err = fmt.Errorf("unknown: %q", how)
	}
	if err != nil {
		return err
	}
	if err := os.Unsetenv(confineEnv); err != nil {
		return err
	}
	return fmt.Errorf("exec %s: %w", argv[0], syscall.Exec(argv[0], argv, os.Environ()))
}

func number(text string) uintptr {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		panic(err)
	}
	return uintptr(n)
}

func prctl(option, a, b uintptr) error {
	if _, _, errno := syscall.RawSyscall6(syscall.SYS_PRCTL, option, a, b, 0, 0, 0); errno != 0 {
		return os.NewSyscallError("prctl", errno)
	}
	return nil
}

// refuseBPF installs a seccomp filter (linux/seccomp.h, linux/filter.h) as container runtimes do.
func refuseBPF(errno uintptr) error {
	const (
		modeFilter   = 2          // SECCOMP_MODE_FILTER
		returnAllow  = 0x7fff0000 // SECCOMP_RET_ALLOW
		returnErrno  = 0x00050000 // SECCOMP_RET_ERRNO
		numberOffset = 0          // nr in struct seccomp_data
	)
	program := []syscall.SockFilter{
		{Code: syscall.BPF_LD | syscall.BPF_W | syscall.BPF_ABS, K: numberOffset},
		{Code: syscall.BPF_JMP | syscall.BPF_JEQ | syscall.BPF_K, K: sysBPF, Jt: 0, Jf: 1},
		{Code: syscall.BPF_RET | syscall.BPF_K, K: returnErrno | uint32(errno)},
		{Code: syscall.BPF_RET | syscall.BPF_K, K: returnAllow},
	}
	filter := syscall.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	err := prctl(syscall.PR_SET_SECCOMP, modeFilter, uintptr(unsafe.Pointer(&filter)))
	runtime.KeepAlive(program)
	return err
}

// leaveMounts gives the calling thread a mount namespace of its own, of which others see nothing.
func leaveMounts() error {
	if err := syscall.Unshare(syscall.CLONE_NEWNS); err != nil {
		return os.NewSyscallError("unshare", err)
	}
	return os.NewSyscallError("mount /", syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""))
}

// coverDir mounts a new file system over a directory, for this process alone.
func coverDir(path, kind, options string) error {
	if err := leaveMounts(); err != nil {
		return err
	}
	return os.NewSyscallError("mount "+path, syscall.Mount("none", path, kind, 0, options))
}
