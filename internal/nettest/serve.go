package nettest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// Main runs the tests, or, in a process started by [StartActor] or [Actor.Spawn], plays the actor instead. It returns
// the exit code.
func Main(m *testing.M) int {
	// Keeps the main thread away from tests: /proc/self/ns/net is the main thread's, and another test may look at it
	// while one is inside a namespace. An actor, for its part, makes all its calls on one thread.
	runtime.LockOSThread()
	inherited, ok := os.LookupEnv(actorEnv)
	if !ok {
		return m.Run()
	}
	if err := serve(inherited); err != nil {
		fmt.Fprintf(os.Stderr, "actor %s: %v\n", os.Args[0], err)
		return 1
	}
	return 0
}

// serve plays an actor until it is told to exit or the test is gone. Sockets still open are left to the end of the
// process.
func serve(inherited string) error {
	n, err := strconv.Atoi(inherited)
	if err != nil {
		return fmt.Errorf("%s: %w", actorEnv, err)
	}
	if err := os.Unsetenv(actorEnv); err != nil {
		return err
	}
	// The kernel buries the actors that this one spawns.
	signal.Ignore(unix.SIGCHLD)
	p := newPerformer()
	unix.CloseOnExec(channelFD)
	for fd := firstFD; fd < firstFD+n; fd++ {
		unix.CloseOnExec(fd)
		p.sockets[fd] = &Socket{fd}
	}
	buf := make([]byte, messageBuffer)
	for {
		message, passed, err := receiveMessage(channelFD, buf)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var req request
		if err := json.Unmarshal(message, &req); err != nil {
			return fmt.Errorf("request: %w", err)
		}
		if req.Op == opExit {
			return nil
		}
		if err := p.answer(req, passed); err != nil {
			return err
		}
	}
}

func (p *performer) answer(req request, passed []int) error {
	resp, err := p.perform(req, passed)
	if err != nil {
		resp.setErr(err)
	}
	message, err := json.Marshal(resp)
	if err != nil {
		return fmt.Errorf("response: %w", err)
	}
	return sendMessage(channelFD, message)
}
