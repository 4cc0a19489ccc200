package cli

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tcptrail/tcptrail/internal/kernel"
	"github.com/tcptrail/tcptrail/internal/privilege"
	"github.com/tcptrail/tcptrail/internal/proc"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// patience is how long a test waits for what ought to happen at once.
const patience = 30 * time.Second

// soon is how long tests let a session wait that has nothing to wait for: long for whatever does not block.
const soon = 300 * time.Millisecond

// receive returns what comes from the channel within patience, and whether something came. A test process that stood
// still meanwhile gets to look once more.
func receive[T any](from <-chan T) (value T, ok bool) {
	for _, limit := range []time.Duration{patience, time.Second} {
		select {
		case value = <-from:
			return value, true
		case <-time.After(limit):
		}
	}
	return value, false
}

// world is everything outside of a command, all of it fake.
type world struct {
	*testing.T
	env     *Env
	source  *fakeSource
	look    *fakeLook
	stdout  *screen
	stderr  *screen
	signals chan os.Signal
	gone    chan struct{}
	environ map[string]string
	width   int // of the terminal; 0 for none
	height  int
	openErr error
	keepErr error
	opened  []kernel.Options // by each call of Open
	kept    []privilege.Set  // by each call of Keep
	exit    chan int
}

func newWorld(t *testing.T) *world {
	w := &world{
		T: t, source: newFakeSource(), look: &fakeLook{}, stdout: newScreen(), stderr: newScreen(), environ: map[string]string{},
		signals: make(chan os.Signal, 8), gone: make(chan struct{}), exit: make(chan int, 1),
	}
	w.env = &Env{
		Stdout: w.stdout, Stderr: w.stderr, Signals: w.signals, Gone: w.gone, Version: "v1.2.3",
		Getenv:        func(name string) string { return w.environ[name] },
		TerminalWidth: func() int { return w.width }, TerminalHeight: func() int { return w.height },
		Proc: proc.FS{Root: procTree(t)},
		Keep: func(set privilege.Set) error { w.kept = append(w.kept, set); return w.keepErr },
		Open: func(o kernel.Options) (Source, error) {
			w.opened = append(w.opened, o)
			if w.openErr != nil {
				return nil, w.openErr
			}
			return w.source, nil
		},
		OpenSnapshots: func(o kernel.SnapshotOptions) (Snapshots, error) {
			w.look.opened("snapshots", w.kept, o)
			return fakeSnapshots{w.look}, w.look.openErr
		},
		OpenCounter: func(o kernel.SnapshotOptions) (Counter, error) {
			w.look.opened("counter", w.kept, o)
			return fakeCounter{w.look}, w.look.openErr
		},
		CountStates: func(o kernel.SnapshotOptions) (tcp.Counts, error) {
			w.look.opened("diag", w.kept, o)
			tally, err := w.look.tally(), w.look.quickErr
			return tally.Counts(), err
		},
	}
	t.Cleanup(func() {
		w.stdout.release()
		w.stderr.release()
	})
	return w
}

// namedNetNS is what a namespace that ip netns made looks like in mountinfo.
const namedNetNS = "60 25 0:4 net:[4026532001] /run/netns/blue rw - nsfs none rw\n"

// procTree is a proc file system with the processes 1 and 4242, a thread 4243 of the latter, and one network namespace.
func procTree(t *testing.T) string {
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "self"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "self", "mountinfo"), []byte(namedNetNS), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, task := range []struct{ id, status string }{
		{"1", "Name:\tinit\nTgid:\t1\n"}, {"4242", "Name:\tweb\nTgid:\t4242\n"}, {"4243", "Name:\tweb\nTgid:\t4242\n"},
	} {
		dir := filepath.Join(root, task.id, "ns")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, task.id, "status"), []byte(task.status), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("net:[4026532001]", filepath.Join(dir, "net")); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// start runs the command line until wait.
func (w *world) start(args ...string) { go func() { w.exit <- Main(w.env, args) }() }

// wait returns the exit code.
func (w *world) wait() int {
	w.Helper()
	code, ok := receive(w.exit)
	if !ok {
		w.Fatalf("still running\nstdout: %s\nstderr: %s", w.stdout, w.stderr)
	}
	if w.source.misused() {
		w.Errorf("source closed while in use")
	}
	return code
}

// run runs the command line to its end.
func (w *world) run(args ...string) int {
	w.Helper()
	w.start(args...)
	return w.wait()
}

// wants compares the exit code, and stderr with what times leave of it.
func (w *world) wants(code, want int, stderr string) {
	w.Helper()
	got := elapsed.ReplaceAllString(w.stderr.String(), "in T\n")
	if code != want || got != stderr {
		w.Errorf("exit %d, want %d\nstderr: %swant:   %s", code, want, got, stderr)
	}
}

var elapsed = regexp.MustCompile(`(?m)in [0-9.]+[mµ]?s$\n`)

// screen is an output that remembers, and can be made to block or to fail.
type screen struct {
	mu      sync.Mutex
	grown   *sync.Cond
	text    bytes.Buffer
	accept  int           // bytes until err; negative: no end
	err     error         // of the Write that exceeds accept
	hold    chan struct{} // while not nil and open, writes block
	entered chan struct{} // holds one once a write has blocked
}

func newScreen() *screen {
	s := &screen{accept: -1, entered: make(chan struct{}, 1)}
	s.grown = sync.NewCond(&s.mu)
	return s
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if hold := s.hold; hold != nil {
		s.mu.Unlock()
		select {
		case s.entered <- struct{}{}:
		default:
		}
		<-hold
		s.mu.Lock()
	}
	n := len(b)
	if s.accept >= 0 {
		n = min(n, s.accept)
		s.accept -= n
	}
	s.text.Write(b[:n])
	s.grown.Broadcast()
	if n < len(b) {
		return n, s.err
	}
	return n, nil
}

// block makes writes block until release.
func (s *screen) block() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hold = make(chan struct{})
}

// letOne lets the write that blocks, if any, go on, and makes the next one block.
func (s *screen) letOne() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.hold)
	s.hold = make(chan struct{})
}

func (s *screen) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hold != nil {
		close(s.hold)
		s.hold = nil
	}
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// await waits until the text has n times what, and returns the text.
func (s *screen) await(t *testing.T, what string, n int) string {
	t.Helper()
	late := time.AfterFunc(patience, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		n = 0
		s.grown.Broadcast()
	})
	defer late.Stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for strings.Count(s.text.String(), what) < n {
		s.grown.Wait()
	}
	if n == 0 {
		t.Fatalf("never said %q: %s", what, s.text.String())
	}
	return s.text.String()
}

// event returns a transition of a connection of process 4242.
func event(from, to tcp.State) tcp.Event {
	e := tcp.Event{
		Time: 1_700_000_000_000_000_000, InOld: time.Millisecond, Cookie: 7, NetNS: 4026532001, PID: 4242,
		Evidence: tcp.EvidenceConnect, Family: tcp.Inet, Old: from, New: to, SRTT: tcp.Unknown,
		Local:  netip.MustParseAddrPort("10.0.0.1:40000"),
		Remote: netip.MustParseAddrPort("10.0.0.2:443"),
	}
	copy(e.Comm[:], "web")
	return e
}

// events returns n transitions.
func events(n int) []tcp.Event {
	all := make([]tcp.Event, n)
	for i := range all {
		all[i] = event(tcp.SynSent, tcp.Established)
	}
	return all
}

// inPIDNamespace makes a proc file system one of a container's.
func inPIDNamespace(t *testing.T, root string) {
	t.Helper()
	dir := filepath.Join(root, "self", "ns")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("pid:[4026531999]", filepath.Join(dir, "pid")); err != nil {
		t.Fatal(err)
	}
}
