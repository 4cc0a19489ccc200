package nettest

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// fakeTB records how a test would have ended. Fatalf unwinds the goroutine, as the real one does, but by a panic that
// fatalOf knows.
type fakeTB struct {
	testing.TB
	fatal string
}

func (f *fakeTB) Helper() {}

func (f *fakeTB) Fatalf(format string, args ...any) {
	f.fatal = fmt.Sprintf(format, args...)
	panic(f)
}

// fatalOf runs a test's body and returns what it said at its early end, or "".
func fatalOf(t *testing.T, body func(tb testing.TB)) string {
	t.Helper()
	fake := &fakeTB{TB: t}
	func() {
		defer func() {
			if r := recover(); r != nil && r != any(fake) {
				panic(r)
			}
		}()
		body(fake)
	}()
	return fake.fatal
}

// Whatever does not go as the test says, ends it, with who did what and how it failed.
func TestPrivilegedFailureEndsTest(t *testing.T) {
	ns := NewNS(t)
	tests := []struct {
		name string
		body func(*Actor)
		want string
	}{
		{"unexpected failure", func(a *Actor) { a.Dial(Loopback4(1)) }, "connect: connection refused"},
		{
			"unexpected success", func(a *Actor) { a.Open(unix.AF_INET).Failing(unix.EPERM).State() },
			"state: succeeded, want operation not permitted",
		},
		{
			"another failure", func(a *Actor) { a.Open(unix.AF_INET).Failing(unix.EPERM).Shutdown() },
			"shutdown: transport endpoint is not connected, want operation not permitted",
		},
		{"closed", func(a *Actor) { c := a.Open(unix.AF_INET); c.Close(); c.Close() }, "not an open socket of this actor"},
		{"short read", shortRead, "read 1 bytes of 2: unexpected EOF"},
		{"no process", func(a *Actor) { a.Kill() }, "not a process of its own"},
		{"not its own", func(a *Actor) { a.Spawn("x", InProcess(t, ns).Open(unix.AF_INET)) }, "is test's, not test's"},
		{"nothing to quote", func(a *Actor) { (&TUN{tb: a.tb}).Peer(1).SendUnreachable(1) }, "no segment to answer"},
	}
	for _, test := range tests {
		got := fatalOf(t, func(tb testing.TB) { test.body(InProcess(tb, ns)) })
		if !strings.Contains(got, test.want) {
			t.Errorf("%s: %q, want …%s…", test.name, got, test.want)
		}
	}
}

func shortRead(a *Actor) {
	_, client, server := connect(a)
	client.Write(1)
	client.Shutdown()
	server.Read(2)
}

func TestPrivilegedFailingAccept(t *testing.T) {
	c := InProcess(t, NewNS(t)).Open(unix.AF_INET)
	if got := c.Failing(unix.EINVAL).Accept(); got != nil {
		t.Errorf("accepted %d", got.FD())
	}
	if got := c.State(); got != Close { // Failing was for that one call
		t.Errorf("state %v, want %v", got, Close)
	}
}

// A process whose TestMain does not call Main runs no test instead of all of them, and is said to have ended.
func TestPrivilegedActorThatIsNone(t *testing.T) {
	ends := mustMessagePair(t)
	h := &otherProcess{pid: 1, channel: ends[0]}
	var wg sync.WaitGroup
	wg.Go(func() {
		_, _, _ = receiveMessage(ends[1], make([]byte, messageBuffer))
		_ = unix.Shutdown(ends[1], unix.SHUT_RDWR)
	})
	_, err := h.perform(request{Op: opSetName})
	wg.Wait()
	if err == nil || !strings.Contains(err.Error(), "nettest.Main") {
		t.Errorf("error %v, want a hint at nettest.Main", err)
	}
}
