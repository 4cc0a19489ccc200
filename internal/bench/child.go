package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/tcptrail/tcptrail/internal/traffic"
)

// loadCommand makes this program the one that opens and closes connections, in a network namespace of its own.
const loadCommand = "load"

// generate runs load in a child with a fresh network namespace and returns connections a second.
func generate(o options) (float64, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	cmd := exec.Command(self, "-seconds", o.seconds.String(), "-workers", strconv.Itoa(o.workers), loadCommand)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("generate load: %w: %s", err, errs.String())
	}
	n, err := strconv.Atoi(strings.TrimSpace(out.String()))
	if err != nil {
		return 0, fmt.Errorf("read number of connections: %w", err)
	}
	return float64(n) / o.seconds.Seconds(), nil
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
