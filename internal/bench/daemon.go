package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// daemon is a running tcptrail that goes on until it is stopped.
type daemon struct {
	cmd    *exec.Cmd
	stderr bytes.Buffer
	dir    string // its files, until remove
	client *http.Client
	exited chan error // of Wait
}

// stopLimit is how long a daemon may take to end: log compresses what it has.
const stopLimit = time.Minute

// startServe starts serve on a unix socket, and returns when its numbers are right.
func startServe(o options, args ...string) (*daemon, error) {
	d, err := newDaemon(o)
	if err != nil {
		return nil, err
	}
	socket := filepath.Join(d.dir, "socket")
	d.client = &http.Client{Transport: &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", socket) },
	}}
	return d, d.start(o, func() bool {
		_, err := d.get("/readyz")
		return err == nil
	}, append([]string{"serve", "--listen", "unix:" + socket}, args...)...)
}

// startLog starts log, and returns when it records.
func startLog(o options, args ...string) (*daemon, error) {
	d, err := newDaemon(o)
	if err != nil {
		return nil, err
	}
	ready := filepath.Join(d.dir, "ready")
	return d, d.start(o, func() bool {
		_, err := os.Stat(ready)
		return err == nil
	}, append([]string{"log", "--dir", d.recording(), "--max-bytes", logBytes, "--ready-file", ready}, args...)...)
}

// logBytes is the most that --max-bytes takes: enough for the load of some minutes when it is compressed.
const logBytes = "1G"

// recording is the directory of log.
func (d *daemon) recording() string { return filepath.Join(d.dir, "log") }

func newDaemon(o options) (*daemon, error) {
	dir, err := os.MkdirTemp(o.dir, "tcptrail-bench-")
	return &daemon{dir: dir}, err
}

func (d *daemon) start(o options, isReady func() bool, args ...string) error {
	d.cmd = exec.Command(o.binary, args...)
	d.cmd.Stderr = &d.stderr
	err := d.cmd.Start()
	if err == nil {
		d.exited = make(chan error, 1)
		go func() { d.exited <- d.cmd.Wait() }()
		if err = d.await(isReady); err == nil {
			return nil
		}
		err = fmt.Errorf("%w: %s", err, d.kill())
	}
	return errors.Join(fmt.Errorf("start %s: %w", args[0], err), d.remove())
}

func (d *daemon) await(isReady func() bool) error {
	for deadline := time.Now().Add(readyLimit); !isReady(); {
		select {
		case err := <-d.exited:
			d.exited <- err // for kill
			return fmt.Errorf("it has ended: %v", err)
		case <-time.After(readyPoll):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("not ready after %v", readyLimit)
		}
	}
	return nil
}

// kill ends a daemon that is of no use, and returns what it said.
func (d *daemon) kill() string {
	_ = d.cmd.Process.Kill() // no-op after Wait
	if err := <-d.exited; err == nil {
		return "it has ended" // which is what went wrong
	}
	return strings.TrimSpace(d.stderr.String())
}

// stop ends it and returns what it said. Its files stay until remove.
func (d *daemon) stop() (said string, err error) {
	if d.client != nil {
		d.client.CloseIdleConnections()
	}
	late := time.AfterFunc(stopLimit, func() { _ = d.cmd.Process.Kill() })
	defer late.Stop()
	err = d.cmd.Process.Signal(unix.SIGTERM)
	if err := errors.Join(err, <-d.exited); err != nil {
		return "", fmt.Errorf("stop %s: %w: %s", d.cmd.Args[1], err, d.stderr.String())
	}
	return d.stderr.String(), nil
}

func (d *daemon) remove() error { return os.RemoveAll(d.dir) }

// get returns the body of an answer.
func (d *daemon) get(path string) ([]byte, error) {
	answer, err := d.client.Get("http://localhost" + path)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("ask for %s: %s: %s", path, answer.Status, body)
	}
	return body, err
}

// cpu returns what the daemon has used of processors, threads that have ended included.
func (d *daemon) cpu() (time.Duration, error) { return processTime(d.cmd.Process.Pid) }

// processTime reads a process's CPU clock, whose number the kernel makes of the pid (include/linux/posix-timers_types.h).
func processTime(pid int) (time.Duration, error) {
	const scheduler = 2 // CPUCLOCK_SCHED, of the whole process
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|scheduler), &t); err != nil {
		return 0, fmt.Errorf("read CPU clock of process %d: %w", pid, err)
	}
	return time.Duration(t.Nano()), nil
}
