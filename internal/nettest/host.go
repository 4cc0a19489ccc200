package nettest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// answerTimeout bounds the wait for an actor's answer. An actor answers by itself when a call of its own has taken
// Timeout; one that is silent for longer is stopped or lost.
const answerTimeout = 2 * Timeout

// host is the process that an actor's requests are carried out in.
type host interface {
	// perform carries out a request and returns when the system call has. The descriptors passed are closed.
	perform(req request, passed ...int) (response, error)
}

// ownProcess carries requests out in the test's process.
type ownProcess struct {
	ns *NS
	p  *performer
}

func (h ownProcess) perform(req request, passed ...int) (resp response, err error) {
	err = h.ns.Do(func() error {
		resp, err = h.p.perform(req, passed)
		return err
	})
	return resp, err
}

// otherProcess sends requests to an actor's process.
type otherProcess struct {
	pid     int
	pidfd   int
	channel int
	gone    bool
}

func openOtherProcess(pid, channel int) (*otherProcess, error) {
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, os.NewSyscallError("pidfd_open", err)
	}
	return &otherProcess{pid: pid, pidfd: pidfd, channel: channel}, nil
}

func (h *otherProcess) perform(req request, passed ...int) (response, error) {
	if err := h.send(req, passed); err != nil {
		return response{}, err
	}
	message, _, err := receiveMessage(h.channel, make([]byte, messageBuffer))
	switch {
	case errors.Is(err, io.EOF):
		return response{}, fmt.Errorf("process %d ended instead of answering: does TestMain call nettest.Main?", h.pid)
	case errors.Is(err, unix.EAGAIN):
		return response{}, fmt.Errorf("process %d is silent: %w", h.pid, os.ErrDeadlineExceeded)
	case err != nil:
		return response{}, err
	}
	var resp response
	if err := json.Unmarshal(message, &resp); err != nil {
		return response{}, fmt.Errorf("response: %w", err)
	}
	return resp, resp.err()
}

func (h *otherProcess) send(req request, passed []int) (err error) {
	defer func() {
		for _, fd := range passed {
			err = errors.Join(err, unix.Close(fd))
		}
	}()
	if h.gone {
		return fmt.Errorf("process %d has ended", h.pid)
	}
	message, err := json.Marshal(req)
	if err != nil {
		return fmt.Errorf("request: %w", err)
	}
	return sendMessage(h.channel, message, passed...)
}

// exit makes the process end by itself and waits.
func (h *otherProcess) exit() error {
	if err := h.send(request{Op: opExit}, nil); err != nil {
		return err
	}
	return h.wait()
}

// kill ends the process by SIGKILL, unless it has ended, and waits.
func (h *otherProcess) kill() error {
	if h.gone {
		return nil
	}
	if err := unix.PidfdSendSignal(h.pidfd, unix.SIGKILL, nil, 0); err != nil && err != unix.ESRCH {
		return os.NewSyscallError("pidfd_send_signal", err)
	}
	return h.wait()
}

// wait waits for the end of the process. Its descriptors are closed then: do_exit in kernel/exit.c runs exit_files and
// exit_task_work before exit_notify, which is what makes the pidfd readable.
func (h *otherProcess) wait() error {
	if err := waitFD(h.pidfd, unix.POLLIN); err != nil {
		return fmt.Errorf("wait for process %d: %w", h.pid, err)
	}
	h.gone = true
	var reaped error
	// An actor's child is not ours to bury: ECHILD.
	if _, err := unix.Wait4(h.pid, nil, 0, nil); err != nil && err != unix.ECHILD {
		reaped = os.NewSyscallError("wait4", err)
	}
	return errors.Join(reaped, unix.Close(h.pidfd), unix.Close(h.channel))
}
