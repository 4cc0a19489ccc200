package nettest

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// messageBuffer holds any request or response: a few hundred bytes and a few kilobytes of error text at most.
const messageBuffer = 64 << 10

// maxPassed is how many descriptors go with one message; one is needed.
const maxPassed = 4

// messagePair makes two ends of a channel for messages with descriptors beside them. SOCK_SEQPACKET keeps messages
// apart, and says when the other end is closed.
func messagePair() (ends [2]int, err error) {
	ends, err = unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	return ends, os.NewSyscallError("socketpair", err)
}

// sendMessage sends one message and copies of the descriptors (SCM_RIGHTS). An empty message is sent as one byte:
// nothing at all would read as a closed channel.
func sendMessage(fd int, p []byte, fds ...int) error {
	if len(p) == 0 {
		p = []byte{0}
	}
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	return restart("sendmsg", func() error {
		_, err := unix.SendmsgN(fd, p, rights, nil, unix.MSG_NOSIGNAL)
		return err
	})
}

// receiveMessage waits for one message, in buf if that is long enough, and the descriptors with it, which are then
// this process's to close. It returns io.EOF when the other end is closed.
func receiveMessage(fd int, buf []byte) (p []byte, fds []int, err error) {
	if buf == nil {
		buf = make([]byte, 1)
	}
	rights := make([]byte, unix.CmsgSpace(4*maxPassed))
	n, nRights := 0, 0
	err = restart("recvmsg", func() (err error) {
		n, nRights, _, _, err = unix.Recvmsg(fd, buf, rights, unix.MSG_CMSG_CLOEXEC)
		return err
	})
	if err == nil && n == 0 {
		err = io.EOF
	}
	if err != nil {
		return nil, nil, err
	}
	fds, err = parseRights(rights[:nRights])
	return buf[:n], fds, err
}

func parseRights(b []byte) (fds []int, err error) {
	messages, err := unix.ParseSocketControlMessage(b)
	if err != nil {
		return nil, os.NewSyscallError("control message", err)
	}
	for i := range messages {
		some, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			return fds, os.NewSyscallError("control message", err)
		}
		fds = append(fds, some...)
	}
	return fds, nil
}
