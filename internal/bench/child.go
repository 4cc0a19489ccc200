package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcptrail/tcptrail/internal/traffic"
)

// loadCommand makes this program the one that opens and closes connections, in a network namespace of its own.
const loadCommand = "load"

// load is what a run of the load came to.
type load struct {
	rate float64       // connections a second
	cpu  time.Duration // of processors, for a connection: programs in the kernel make it longer, other processes do not
}

// generate runs load in a child with a fresh network namespace and returns connections a second.
func generate(o options) (float64, error) {
	l, err := generateLoad(o)
	return l.rate, err
}

func generateLoad(o options) (l load, err error) {
	self, err := os.Executable()
	if err != nil {
		return l, err
	}
	cmd := exec.Command(self, "-seconds", o.seconds.String(), "-workers", strconv.Itoa(o.workers), loadCommand)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return l, fmt.Errorf("generate load: %w: %s", err, errs.String())
	}
	n, err := strconv.Atoi(strings.TrimSpace(out.String()))
	if err != nil || n == 0 {
		return l, fmt.Errorf("read number of connections: %q is none", out.String())
	}
	l.rate = float64(n) / o.seconds.Seconds()
	l.cpu = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()) / time.Duration(n)
	return l, nil
}

// runLoad is the child's side: it prints how many connections it made.
func runLoad(o options) error {
	if err := bringUpLoopback(); err != nil {
		return err
	}
	n, err := traffic.For(o.workers, o.seconds)
	if err != nil {
		return err
	}
	fmt.Println(n)
	return nil
}

func bringUpLoopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open control socket: %w", err)
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request); err != nil {
		return fmt.Errorf("bring up loopback: %w", err)
	}
	return nil
}
