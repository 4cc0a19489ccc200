// Package traffic opens and closes TCP connections on loopback as fast as the kernel can, for benchmarks and tests.
package traffic

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// TransitionsPerConnection is what the kernel makes of one connection: five on each side.
const TransitionsPerConnection = 10

// For opens and closes connections with the given number of workers for the given time, and returns how many. It runs
// in the network namespace of the calling thread, which must have lo up.
func For(workers int, d time.Duration) (int, error) {
	deadline := time.Now().Add(d)
	return run(workers, func(n int) bool { return n%clockStride == 0 && time.Now().After(deadline) })
}

// Count opens and closes n connections for each of the workers, and returns how many were made. As For otherwise.
func Count(workers, n int) (int, error) {
	return run(workers, func(done int) bool { return done == n })
}

// clockStride is how many connections pass between two looks at the clock.
const clockStride = 64

func run(workers int, isOver func(n int) bool) (int, error) {
	here, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return 0, fmt.Errorf("open network namespace: %w", err)
	}
	defer here.Close()
	var (
		wg    sync.WaitGroup
		total = make([]int, workers)
		errs  = make([]error, workers)
	)
	for i := range workers {
		wg.Go(func() {
			runtime.LockOSThread() // and never unlocked: the thread ends with its namespace
			if errs[i] = unix.Setns(int(here.Fd()), unix.CLONE_NEWNET); errs[i] == nil {
				total[i], errs[i] = work(i, isOver)
			}
		})
	}
	wg.Wait()
	sum := 0
	for _, n := range total {
		sum += n
	}
	return sum, errors.Join(errs...)
}

// work is one worker: client and server in one thread, so that every connection runs to its end before the next.
func work(worker int, isOver func(n int) bool) (int, error) {
	listener, port, err := listen()
	if err != nil {
		return 0, err
	}
	defer unix.Close(listener)
	for n := 0; ; n++ {
		if isOver(n) {
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

// connection makes one and closes it.
func connection(listener int, to *unix.SockaddrInet4) error {
	client, server, err := meet(listener, to)
	if err != nil {
		return err
	}
	unix.Close(client)
	unix.Close(server)
	return nil
}

// meet makes a connection: connect(2) on loopback returns with the handshake done, and accept(2) takes this very one.
func meet(listener int, to *unix.SockaddrInet4) (client, server int, err error) {
	client, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, 0, fmt.Errorf("open socket: %w", err)
	}
	if err := unix.Connect(client, to); err != nil {
		unix.Close(client)
		return 0, 0, fmt.Errorf("connect: %w", err)
	}
	server, _, err = unix.Accept4(listener, unix.SOCK_CLOEXEC)
	if err != nil {
		unix.Close(client)
		return 0, 0, fmt.Errorf("accept: %w", err)
	}
	return client, server, nil
}
