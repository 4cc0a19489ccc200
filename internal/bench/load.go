package main

import (
	"fmt"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// transitionsPerConnection is what the kernel makes of one connection of load: five on each side.
const transitionsPerConnection = 10

// load opens and closes loopback connections as fast as the given number of workers can, for the given time, and
// returns how many. It runs in the network namespace of the calling process, which must have lo up.
func load(workers int, d time.Duration) (int, error) {
	var (
		wg    sync.WaitGroup
		total = make([]int, workers)
		errs  = make([]error, workers)
	)
	deadline := time.Now().Add(d)
	for i := range workers {
		wg.Go(func() {
			runtime.LockOSThread()
			total[i], errs[i] = work(i, deadline)
		})
	}
	wg.Wait()
	sum := 0
	for i := range workers {
		if errs[i] != nil {
			return 0, errs[i]
		}
		sum += total[i]
	}
	return sum, nil
}

// deadlineStride is how many connections pass between two looks at the clock.
const deadlineStride = 64

// work is one worker: client and server in one thread, so that every connection runs to its end before the next.
func work(worker int, deadline time.Time) (int, error) {
	listener, port, err := listen()
	if err != nil {
		return 0, err
	}
	defer unix.Close(listener)
	for n := 0; ; n++ {
		if n%deadlineStride == 0 && time.Now().After(deadline) {
			return n, nil
		}
		// A new destination each time, so that TIME_WAIT never leaves a worker without a free pair of ports.
		to := &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, byte(worker + 1), byte(n >> 8), byte(n)}}
		if err := connection(listener, to); err != nil {
			return n, err
		}
	}
}

func listen() (fd, port int, err error) {
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, 0, fmt.Errorf("open listener: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{}); err != nil {
		return 0, 0, fmt.Errorf("bind listener: %w", err)
	}
	if err := unix.Listen(fd, 16); err != nil {
		return 0, 0, fmt.Errorf("listen: %w", err)
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return 0, 0, fmt.Errorf("ask for the listener's port: %w", err)
	}
	return fd, sa.(*unix.SockaddrInet4).Port, nil
}

func connection(listener int, to *unix.SockaddrInet4) error {
	client, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open socket: %w", err)
	}
	if err := unix.Connect(client, to); err != nil {
		unix.Close(client)
		return fmt.Errorf("connect: %w", err)
	}
	server, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC)
	if err != nil {
		unix.Close(client)
		return fmt.Errorf("accept: %w", err)
	}
	unix.Close(client)
	unix.Close(server)
	return nil
}
