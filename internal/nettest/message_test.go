package nettest

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"reflect"
	"testing"

	"golang.org/x/sys/unix"
)

func mustMessagePair(t *testing.T) [2]int {
	t.Helper()
	ends, err := messagePair()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, fd := range ends {
			_ = unix.Close(fd)
		}
	})
	return ends
}

func TestMessages(t *testing.T) {
	ends := mustMessagePair(t)
	for _, text := range []string{"one", "two", ""} {
		if err := sendMessage(ends[0], []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"one", "two", "\x00"} {
		got, fds, err := receiveMessage(ends[1], make([]byte, 10))
		if string(got) != want || len(fds) != 0 || err != nil {
			t.Errorf("got %q, %d descriptors, %v, want %q", got, len(fds), err, want)
		}
	}
	if err := unix.Shutdown(ends[0], unix.SHUT_RDWR); err != nil {
		t.Fatal(err)
	}
	if _, _, err := receiveMessage(ends[1], nil); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v, want %v", err, io.EOF)
	}
	if err := sendMessage(ends[0], nil); !errors.Is(err, unix.EPIPE) {
		t.Errorf("send to nobody: %v, want %v", err, unix.EPIPE)
	}
}

// A descriptor arrives as another of the same file, closed on exec.
func TestMessageDescriptor(t *testing.T) {
	ends, other := mustMessagePair(t), mustMessagePair(t)
	if err := sendMessage(ends[0], nil, other[0]); err != nil {
		t.Fatal(err)
	}
	_, fds, err := receiveMessage(ends[1], nil)
	if err != nil || len(fds) != 1 {
		t.Fatalf("received %d descriptors, %v, want 1", len(fds), err)
	}
	defer func() { _ = unix.Close(fds[0]) }()
	var sent, received unix.Stat_t
	if err := errors.Join(unix.Fstat(other[0], &sent), unix.Fstat(fds[0], &received)); err != nil {
		t.Fatal(err)
	}
	if fds[0] == other[0] || sent.Ino != received.Ino {
		t.Errorf("sent %d (inode %d), received %d (inode %d)", other[0], sent.Ino, fds[0], received.Ino)
	}
	if flags, err := unix.FcntlInt(uintptr(fds[0]), unix.F_GETFD, 0); flags&unix.FD_CLOEXEC == 0 || err != nil {
		t.Errorf("flags %#x, %v, want FD_CLOEXEC", flags, err)
	}
}

func TestRequestRoundTrip(t *testing.T) {
	for _, want := range []request{
		{Op: opExit},
		{Op: opConnect, FD: 5, Addr: Mapped4(443)},
		{Op: opSpawn, Name: []byte("ctrl\n\x1b\x9b"), Inherit: []int{4, 7}},
		{Op: opWaitState, FD: 1, N: -1, State: Closing},
	} {
		text, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got request
		if err := json.Unmarshal(text, &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v, want %+v", text, got, err, want)
		}
	}
}

// What went wrong in an actor goes wrong in the same way here, as far as errnos tell.
func TestResponseRoundTrip(t *testing.T) {
	const cookie = 1<<63 + 1 // a float64 would lose the end
	for _, cause := range []error{nil, os.NewSyscallError("connect", unix.ECONNREFUSED), io.ErrUnexpectedEOF} {
		sent := response{FD: 4, Identity: Identity{Cookie: cookie, Local: Loopback6(1)}}
		if cause != nil {
			sent.setErr(cause)
		}
		text, err := json.Marshal(sent)
		if err != nil {
			t.Fatal(err)
		}
		var got response
		if err := json.Unmarshal(text, &got); err != nil || got != sent {
			t.Errorf("%s: got %+v, %v, want %+v", text, got, err, sent)
		}
		switch err := got.err(); {
		case cause == nil && err != nil:
			t.Errorf("success became %v", err)
		case cause != nil && err.Error() != cause.Error():
			t.Errorf("%v became %v", cause, err)
		case errors.Is(cause, unix.ECONNREFUSED) != errors.Is(err, unix.ECONNREFUSED):
			t.Errorf("%v became %v, another errno", cause, err)
		}
	}
}
