package nettest

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestPrivilegedEveryState(t *testing.T) {
	ns := NewNS(t)
	s := EveryState(t, ns)
	seen := make(map[State]bool)
	names := make(map[string]bool)
	for _, one := range s.All {
		if names[one.Name] {
			t.Errorf("two specimens %q", one.Name)
		}
		names[one.Name] = true
		seen[one.State] = true
		checkSpecimen(t, one)
		if one.Cookie == 0 || one.Local.Port() == 0 && one.Kind != Untabled {
			t.Errorf("%s: no cookie or no port: %+v", one.Name, one.SocketInfo)
		}
	}
	for state := Established; state <= Closing; state++ {
		if !seen[state] {
			t.Errorf("nothing in %v", state)
		}
	}
	for name, want := range map[string][2]uint32{ // what is unread, and what is not acknowledged
		"LISTEN queue":                  {2, specimenBacklog},
		"LISTEN IPv4":                   {0, specimenBacklog},
		"ESTABLISHED unread server":     {unreadBytes, 0},
		"FIN_WAIT1 held":                {0, 1},
		"LAST_ACK orphan":               {0, 1},
		"CLOSING held":                  {1, 1},
		"CLOSE_WAIT unread data":        {unreadBytes + 1, 0},
		"CLOSE_WAIT unread FIN":         {1, 0},
		"CLOSE_WAIT not closed":         {0, 0},
		"CLOSE_WAIT sending":            {0, unackedBytes},
		"CLOSE_WAIT unaccepted":         {1, 0},
		"ESTABLISHED unread client":     {0, 0},
		"FIN_WAIT2 orphan":              {0, 0},
		"ESTABLISHED shut":              {0, unackedBytes},
		"SYN_SENT":                      {0, 1},
		"ESTABLISHED mapped client":     {0, 0},
		"ESTABLISHED dual server":       {0, 0},
		"ESTABLISHED unaccepted client": {0, 0},
	} {
		if got := s.Named(name); got.RQueue != want[0] || got.WQueue != want[1] {
			t.Errorf("%s: queues %d, %d, want %d, %d", name, got.RQueue, got.WQueue, want[0], want[1])
		}
	}
	both := []int{s.Server.PID(), s.Heir.PID()}
	slices.Sort(both)
	if got := s.Named("CLOSE_WAIT inherited").PIDs(); !slices.Equal(got, both) {
		t.Errorf("inherited: holders %d, want %d", got, both)
	}
	if got := s.Named("CLOSE_WAIT passed").PIDs(); !slices.Equal(got, []int{s.Receiver.PID()}) {
		t.Errorf("passed: holders %d, want %d", got, s.Receiver.PID())
	}
	if got := s.Named("ESTABLISHED duplicate client"); len(got.Holders) != 2 || len(got.PIDs()) != 1 {
		t.Errorf("duplicate: %d descriptors of %d processes, want 2 of 1", len(got.Holders), len(got.PIDs()))
	}
	checkTables(t, ns, s)
}

// checkSpecimen compares what a specimen says of its holders with their descriptors and with its addresses.
func checkSpecimen(t *testing.T, one *Specimen) {
	t.Helper()
	if (len(one.Holders) == 0) != (one.Kind == Minisock || one.Kind == RequestSocket || one.Orphan || one.Unaccepted) {
		t.Errorf("%s: %v with %d holders", one.Name, one.Kind, len(one.Holders))
	}
	if len(one.Holders) == 0 && one.Inode != 0 {
		t.Errorf("%s: inode %d, and no holder", one.Name, one.Inode)
	}
	for _, c := range one.Holders {
		if c.Inode() != one.Inode || c.Cookie() != one.Cookie {
			t.Errorf("%s: descriptor of inode %d, cookie %#x, want %d, %#x", one.Name, c.Inode(), c.Cookie(), one.Inode, one.Cookie)
		}
		wantRemote := one.Remote
		if one.State == Listening {
			wantRemote = netip.AddrPort{}
		}
		if c.Local() != one.Local || c.Remote() != wantRemote {
			t.Errorf("%s: %v -> %v, in the tables %v -> %v", one.Name, c.Local(), c.Remote(), one.Local, one.Remote)
		}
		link, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", c.Actor().PID(), c.FD()))
		if want := "socket:[" + strconv.Itoa(int(one.Inode)) + "]"; err != nil || link != want {
			t.Errorf("%s: descriptor leads to %q (%v), want %q", one.Name, link, err, want)
		}
	}
}

// checkTables compares the specimens with the kernel's tables in two views.
func checkTables(t *testing.T, ns *NS, s *States) {
	t.Helper()
	var want []SocketInfo
	for _, one := range s.All {
		if one.Kind != Untabled {
			want = append(want, one.SocketInfo)
		}
	}
	if got := mustSockets(t, ns); !sameSockets(got, want) {
		t.Errorf("sock_diag:\n%+v\nspecimens:\n%+v", got, want)
	}
	if counts, err := ns.CountStates(); err != nil || !maps.Equal(counts, s.Count()) {
		t.Errorf("count %v (%v), specimens %v", counts, err, s.Count())
	}
	for i := range want {
		want[i] = comparableInfo(want[i])
	}
	got, err := ns.ProcNet()
	if err != nil || !sameSockets(got, want) {
		t.Errorf("/proc/net/tcp (%v):\n%+v\nspecimens:\n%+v", err, got, want)
	}
}

// sameSockets says whether a and b are the same but for their order, in which they are not left.
func sameSockets(a, b []SocketInfo) bool {
	slices.SortFunc(a, bySocket)
	slices.SortFunc(b, bySocket)
	return slices.Equal(a, b)
}

// ss, a third view, knows the holders and the timers, too.
func TestPrivilegedEveryStateMatchesSS(t *testing.T) {
	ns := NewNS(t)
	s := EveryState(t, ns)
	rows, err := ns.SS()
	if errors.Is(err, exec.ErrNotFound) {
		t.Skip("there is no ss on this machine")
	}
	if err != nil {
		t.Fatal(err)
	}
	byCookie := make(map[uint64]SSRow)
	for _, row := range rows {
		byCookie[row.Cookie] = row
	}
	tabled := 0
	for _, one := range s.All {
		if one.Kind == Untabled {
			continue
		}
		tabled++
		row := byCookie[one.Cookie]
		if row.SocketInfo != one.SocketInfo {
			t.Errorf("%s: ss %+v, specimen %+v", one.Name, row.SocketInfo, one.SocketInfo)
		}
		if one.Name == "ESTABLISHED shut" && row.Timer.Name != "persist" {
			t.Errorf("%s: timer %q, want persist", one.Name, row.Timer.Name)
		}
		if (row.Timer.Name == "timewait") != (one.Kind == Minisock) {
			t.Errorf("%s: %v with timer %q", one.Name, one.Kind, row.Timer.Name)
		}
		var holders []SSUser
		for _, c := range one.Holders {
			holders = append(holders, SSUser{c.Actor().Name(), c.Actor().PID(), c.FD()})
		}
		if !sameUsers(row.Users, holders) {
			t.Errorf("%s: ss says users %v, want %v", one.Name, row.Users, holders)
		}
	}
	if len(rows) != tabled {
		t.Errorf("ss has %d sockets, want %d", len(rows), tabled)
	}
}

func sameUsers(a, b []SSUser) bool {
	byText := func(a, b SSUser) int { return slices.Compare([]int{a.PID, a.FD}, []int{b.PID, b.FD}) }
	slices.SortFunc(a, byText)
	slices.SortFunc(b, byText)
	return slices.Equal(a, b)
}

func TestStatesUnknownName(t *testing.T) {
	if got := fatalOf(t, func(tb testing.TB) { (&States{tb: tb}).Named("CLOSE_WAIT forgotten") }); got == "" {
		t.Error("found a specimen that there is not")
	}
}

// Arguments are ss's own: a filter here, and what it refuses, with its words.
func TestPrivilegedSSArguments(t *testing.T) {
	if _, err := exec.LookPath("ss"); err != nil {
		t.Skip("there is no ss on this machine")
	}
	ns := NewNS(t)
	_, client, server := connect(InProcess(t, ns))
	client.Shutdown()
	server.WaitState(CloseWait)
	rows, err := ns.SS("state", "close-wait")
	if err != nil || len(rows) != 1 || rows[0].Cookie != server.Cookie() || rows[0].Arrow != "-->" {
		t.Errorf("close-wait: %+v, %v", rows, err)
	}
	if rows, err := ns.SS("nonsense"); err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("nonsense: %+v, %v, want what ss says", rows, err)
	}
}
