package cli

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// One tracer for each filter, all at once over the same traffic, against what an unfiltered one says of it.
func TestPrivilegedFilters(t *testing.T) {
	cgroup, cgroupID := mustCgroup(t)
	s := newStage(t)
	if err := os.WriteFile(filepath.Join(cgroup, "cgroup.procs"), []byte(strconv.Itoa(s.client.PID())), 0o644); err != nil {
		t.Fatal(err)
	}
	v4, v6 := s.v4.Local().Port(), s.v6.Local().Port()
	is := func(port *uint16, want uint16) bool { return port != nil && *port == want }
	isV4 := func(r *row) bool { return netip.MustParseAddr(r.LAddr).Is4() }
	filters := []struct {
		args   string
		choose func(*row) bool
	}{
		{fmt.Sprintf("-p %d", s.client.PID()), func(r *row) bool { return *r.PID == s.client.PID() }},
		{"-c serv*,nobody", func(r *row) bool { return *r.Comm == "server" }},
		{fmt.Sprintf("-L %d", v4), func(r *row) bool { return is(r.LPort, v4) }},
		{fmt.Sprintf("-D 1,%d", v6), func(r *row) bool { return is(r.RPort, v6) }},
		{fmt.Sprintf("-L 32768-60999 -D %d", v4), func(r *row) bool { return is(r.RPort, v4) }}, // birth included
		{"--local ::1", func(r *row) bool { return r.LAddr == "::1" }},
		{"--remote 127.0.0.0/8", func(r *row) bool { return strings.HasPrefix(r.RAddr, "127.") }},
		{"-4", isV4},
		{"-6", func(r *row) bool { return !isV4(r) }},
		{"--state close-wait", func(r *row) bool { return r.Old == "CLOSE_WAIT" || r.New == "CLOSE_WAIT" }},
		{"--old SYN_SENT,listen", func(r *row) bool { return r.Old == "SYN_SENT" || r.Old == "LISTEN" }},
		{"--new CLOSE", func(r *row) bool { return r.New == "CLOSE" }},
		{"--cgroup " + cgroup, func(r *row) bool { return r.Cgroup != nil && *r.Cgroup == cgroupID }},
		{"--cgroup " + strconv.FormatUint(cgroupID, 10), func(r *row) bool { return *r.Comm == "client" }},
		{fmt.Sprintf("-4 -L %d --new CLOSE", v6), func(r *row) bool { return is(r.LPort, v6) && isV4(r) && r.New == "CLOSE" }},
	}
	var tracers []*tracer
	for _, f := range filters {
		args := append(s.netns(), "-o", "json", "--buffer", "64K")
		tracers = append(tracers, trace(t, nil, append(args, strings.Fields(f.args)...)...))
	}
	all := trace(t, nil, append(s.netns(), "-o", "json")...)
	s.talk()
	all.stop()
	rows := parseRows(t, all.stdout.String())
	if len(rows) != 10*connections {
		t.Fatalf("%d transitions, want %d:\n%s", len(rows), 10*connections, all.stdout)
	}
	for i, f := range filters {
		tracers[i].stop()
		got, want := names(parseRows(t, tracers[i].stdout.String()), nil), names(rows, f.choose)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) || len(want) == 0 || len(want) == len(rows) {
			t.Errorf("%s:\n got %q\nwant %q", f.args, got, want)
		}
		// Missed ones may be anybody's on this host, and ours show in the rows.
		if b := tracers[i].summary(); b.seen < len(rows) || b.delivered != len(want) || b.lost+b.left != 0 {
			t.Errorf("%s: %+v, want %d delivered", f.args, b, len(want))
		}
	}
}

// Every way to name a network namespace.
func TestPrivilegedNetNS(t *testing.T) {
	s := newStage(t)
	client := strconv.Itoa(s.client.PID())
	var tracers []*tracer
	for _, name := range []string{
		s.ns.Path(), client, "/proc/" + client + "/ns/net", fmt.Sprint(s.ns.Inode()), fmt.Sprintf("net:[%d]", s.ns.Inode()),
	} {
		tracers = append(tracers, trace(t, nil, "--netns", name, "-o", "csv", "--no-header", "-4"))
	}
	self := trace(t, nil, "--netns", "self", "-L", fmt.Sprint(s.v4.Local().Port()))
	s.talk()
	for _, r := range tracers {
		r.stop()
		if got := strings.Count(r.stdout.String(), "\n"); got != 20 {
			t.Errorf("%v: %d transitions, want 20", r.cmd.Args, got)
		}
	}
	self.stop()
	if got := strings.Count(self.stdout.String(), "\n"); got != 1 {
		t.Errorf("our own namespace: %d lines, want the header", got)
	}
}

// mustCgroup makes a cgroup v2 and returns its path and id.
func mustCgroup(t *testing.T) (path string, id uint64) {
	t.Helper()
	mounts, err := os.ReadFile("/proc/mounts")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if fields := strings.Fields(line); fields[2] == "cgroup2" {
			path = filepath.Join(fields[1], "tcptrail-test-"+strconv.Itoa(os.Getpid()))
		}
	}
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // after those who are in it have ended
		if err := os.Remove(path); err != nil {
			t.Error(err)
		}
	})
	var st syscall.Stat_t
	if err := syscall.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	return path, st.Ino
}
