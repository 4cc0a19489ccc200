package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestMain makes the test binary a child when it is started as one.
func TestMain(m *testing.M) {
	flag.Parse()
	run, ok := map[string]func(options) error{holdCommand: runHold, populateCommand: runPopulate}[flag.Arg(0)]
	if !ok {
		os.Exit(m.Run())
	}
	if err := run(options{args: flag.Args()}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func TestParseSizes(t *testing.T) {
	if got, err := parseSizes("20,1000,200000"); err != nil || !slices.Equal(got, []int{20, 1000, 200_000}) {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := parseSizes(defaultSizes); err != nil {
		t.Error(err)
	}
	for _, text := range []string{"", "x", "1e3", "18", "21", "1000001", "100,100", "200,100", "100,"} {
		if got, err := parseSizes(text); err == nil {
			t.Errorf("%q: %v, want an error", text, got)
		}
	}
}

func shell(script string) *contender {
	return &contender{argv: []string{"sh", "-c", script}, debian: "dash", least: linePerSocket}
}

func TestRun(t *testing.T) {
	var out bytes.Buffer
	f, err := shell("echo shown").run(t.Context(), netns{}, time.Minute, &out)
	if err != nil || out.String() != "shown\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
	if f.wall <= 0 || f.rss <= 0 || f.cut {
		t.Errorf("figures %+v", f)
	}
}

// A run that is too long is cut, and no failure.
func TestRunCut(t *testing.T) {
	const limit = 20 * time.Millisecond
	f, err := shell("exec sleep 600").run(t.Context(), netns{}, limit, nil)
	if err != nil || !f.cut || f.wall < limit {
		t.Errorf("figures %+v, %v", f, err)
	}
	slow := shell("exec sleep 600")
	slow.debian = ""
	if _, err := slow.run(t.Context(), netns{}, limit, nil); err == nil || !strings.Contains(err.Error(), "raise -limit") {
		t.Errorf("ours took too long: %v", err)
	}
}

func TestRunFails(t *testing.T) {
	_, err := shell("echo no such thing >&2; exit 3").run(t.Context(), netns{}, time.Minute, nil)
	if err == nil || !strings.Contains(err.Error(), "exit status 3: no such thing") {
		t.Errorf("%v", err)
	}
	if _, err := (&contender{argv: []string{"/nonexistent"}}).run(t.Context(), netns{}, time.Minute, nil); err == nil {
		t.Error("ran what is not there")
	}
}

func TestRunInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	started := startedWriter(cancel)
	if f, err := shell("echo; exec sleep 600").run(ctx, netns{}, time.Minute, started); !errors.Is(err, context.Canceled) || f.cut {
		t.Errorf("figures %+v, %v", f, err)
	}
}

// startedWriter is called when something is written.
type startedWriter func()

func (w startedWriter) Write(p []byte) (int, error) {
	w()
	return len(p), nil
}

// Memory that is less than ours is not known, and large memory is.
func TestRunMemory(t *testing.T) {
	f, err := shell(":").run(t.Context(), netns{}, time.Minute, nil)
	if err != nil || !f.rssBound {
		t.Errorf("a small process: %+v, %v", f, err)
	}
	const size = 100 << 20
	f, err = shell(fmt.Sprintf("exec dd if=/dev/zero of=/dev/null count=1 bs=%d 2>/dev/null", size)).run(t.Context(), netns{}, time.Minute, nil)
	if err != nil || f.rssBound || f.rss < size {
		t.Errorf("a large process: %+v, %v", f, err)
	}
}

func TestCheck(t *testing.T) {
	c := &crowd{connections: 2}
	if _, n, err := shell("printf '1\n2\n3\n4\n5\n'").check(t.Context(), c, time.Minute); n != 5 || err != nil {
		t.Errorf("%d lines, %v", n, err)
	}
	if _, _, err := shell("printf '1\n2\n3\n'").check(t.Context(), c, time.Minute); err == nil {
		t.Error("three lines for four sockets")
	}
}

func TestInstalled(t *testing.T) {
	all := []contender{*shell(""), {argv: []string{"no-such-peer"}, debian: "peers"}}
	there, missing, err := installed(all)
	if len(there) != 1 || !slices.Equal(missing, []string{"no-such-peer (Debian package peers)"}) || err != nil {
		t.Errorf("%v, %v, %v", there, missing, err)
	}
	if _, _, err := installed([]contender{{argv: []string{"bin/no-such-tracer"}}}); err == nil {
		t.Error("no tracer, no error")
	}
}

func TestContenders(t *testing.T) {
	all := contenders("bin/tcptrail")
	if got := all[base].String(); got != "tcptrail list" {
		t.Errorf("base is %s", got)
	}
	for i := range all {
		if all[i].inside == all[i].ours() {
			t.Errorf("%v: in the namespace of the sockets: %t", &all[i], all[i].inside)
		}
	}
}

func TestFirstWithDigit(t *testing.T) {
	for text, want := range map[string]string{
		"": "of unknown version", "no digits\n": "of unknown version", "version information:\n    revision: 4.95.0\nx 1": "revision: 4.95.0",
	} {
		if got := firstWithDigit(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestModelName(t *testing.T) {
	if got := modelName("processor\t: 0\nmodel\t\t: 1\nmodel name\t: Some CPU: 3 GHz\n"); got != " (Some CPU: 3 GHz)" {
		t.Errorf("%q", got)
	}
	if got := modelName("processor\t: 0\n"); got != "" {
		t.Errorf("%q", got)
	}
}

func TestHead(t *testing.T) {
	h := &head{}
	for range 3 {
		if n, err := h.Write(make([]byte, maxErrorText-1)); n != maxErrorText-1 || err != nil {
			t.Errorf("wrote %d, %v", n, err)
		}
	}
	if len(h.text) != maxErrorText {
		t.Errorf("kept %d", len(h.text))
	}
}

func TestRunHoldRefuses(t *testing.T) {
	for _, args := range [][]string{{holdCommand}, {holdCommand, "1", "x", "0"}, {holdCommand, "256", "1", "0"}, {holdCommand, "1", "1", "2"}} {
		if err := runHold(options{args: args}); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
}

// A crowd grows by processes, in a namespace that has nothing else.
func TestPrivilegedCrowd(t *testing.T) {
	c, err := newCrowd()
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	c.perHolder = 30
	for _, connections := range []int{10, 75} {
		if err := c.grow(t.Context(), connections); err != nil {
			t.Fatal(err)
		}
		if got, want := inUse(t, c.ns), 2*connections; got != want || c.sockets() != want {
			t.Errorf("%d sockets, said to be %d, want %d", got, c.sockets(), want)
		}
	}
	if len(c.holders) != 4 || c.halfClosed != 1+3+3+0 {
		t.Errorf("%d processes, %d half closed", len(c.holders), c.halfClosed)
	}
}

// inUse returns how many TCP sockets a namespace has.
func inUse(t *testing.T, ns netns) (n int) {
	t.Helper()
	if err := ns.within(func() error {
		text, err := os.ReadFile("/proc/thread-self/net/sockstat")
		if err != nil {
			return err
		}
		_, after, _ := strings.Cut(string(text), "TCP: inuse ")
		_, err = fmt.Sscan(after, &n)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestPrivilegedCrowdFails(t *testing.T) {
	c, err := newCrowd()
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	if err := c.add(t.Context(), 1<<20); err == nil || !strings.Contains(err.Error(), "connection ") {
		t.Errorf("more connections than ports and descriptors: %v", err)
	}
}
