package leak

import (
	"slices"
	"testing"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// TestClassify has each row of DESIGN's "Why a socket is stuck", and who wins when several signs hold.
func TestClassify(t *testing.T) {
	two := []tcp.Holder{{PID: 1, FD: 3}, {PID: 2, FD: 3}}
	dup := []tcp.Holder{{PID: 1, FD: 3}, {PID: 1, FD: 4}}
	probe := tcp.Timer{Kind: tcp.TimerProbe}
	tests := []struct {
		name  string
		s     tcp.Socket
		cause Cause
		signs Signs
	}{
		{"never accepted", tcp.Socket{State: tcp.CloseWait, Unaccepted: true, RecvQ: 6}, NeverAccepted, SignUnaccepted | SignUnreadData},
		{"inherited", tcp.Socket{State: tcp.CloseWait, Holders: two, SendQ: 1, RecvQ: 9}, Inherited, SignSeveralHolders | SignSendQueue | SignUnreadData | SignHeld},
		{"not inherited, but duplicated", tcp.Socket{State: tcp.CloseWait, Holders: dup}, NotClosed, SignEOFRead | SignHeld},
		{"sending", tcp.Socket{State: tcp.CloseWait, SendQ: 1, RecvQ: 9, Timer: probe}, Sending, SignSendQueue | SignUnreadData | SignWindowShut},
		{"unread data", tcp.Socket{State: tcp.CloseWait, RecvQ: 2}, UnreadData, SignUnreadData},
		{"unread FIN", tcp.Socket{State: tcp.CloseWait, RecvQ: 1}, UnreadFin, SignUnreadFin},
		{"not closed", tcp.Socket{State: tcp.CloseWait}, NotClosed, SignEOFRead},
		{"half closed", tcp.Socket{State: tcp.FinWait2, Holders: dup}, HalfClosed, SignHeld},
		{"orphan", tcp.Socket{State: tcp.FinWait2, Orphan: true}, Orphan, SignOrphan},
		{"minisock", tcp.Socket{State: tcp.FinWait2, Kind: tcp.Minisock}, Orphan, SignMinisock},
		{"zombie", tcp.Socket{State: tcp.Close, Zombie: true, Errno: 104, Holders: dup}, ZombieHeld, SignConnected | SignError | SignHeld},
		{"unconnected", tcp.Socket{State: tcp.Close}, CauseNone, 0},
		{"idle", tcp.Socket{State: tcp.Established, RecvQ: 1}, Idle, SignUnreadData},
		{"never accepted and not ended", tcp.Socket{State: tcp.Established, Unaccepted: true}, NeverAccepted, SignUnaccepted},
		{"unanswered", tcp.Socket{State: tcp.SynSent, Timer: tcp.Timer{Kind: tcp.TimerRetransmit, Retries: 1}}, Unanswered, SignRetransmitting},
		{"listener", tcp.Socket{State: tcp.Listen, RecvQ: 3, SendQ: 4}, CauseNone, 0},
	}
	for _, tt := range tests {
		if cause, signs := Classify(&tt.s); cause != tt.cause || signs != tt.signs {
			t.Errorf("%s: %v (%v), want %v (%v)", tt.name, cause, signs, tt.cause, tt.signs)
		}
	}
}

func TestNamesAreThoseOfTheDesign(t *testing.T) {
	want := []string{
		"never_accepted", "inherited", "sending", "unread_data", "unread_fin", "not_closed", "half_closed", "orphan", "zombie",
	}
	if got := causeNames[NeverAccepted : ZombieHeld+1]; !slices.Equal(got, want) {
		t.Errorf("causes %v, want %v", got, want)
	}
	if Cause(99).String() != "" || Level(9).String() != "" || Status(9).String() != "" || Direction(9).String() != "" {
		t.Error("a number that is nothing has a name")
	}
	if (SignHeld | SignEOFRead).String() != "eof_read,held" {
		t.Errorf("signs: %v", SignHeld|SignEOFRead)
	}
}

func TestHalfCloseAtWorkIsQuiet(t *testing.T) {
	const age = 10 * time.Minute
	retransmit := tcp.Timer{Kind: tcp.TimerRetransmit, Retries: 3}
	tests := []struct {
		name  string
		state tcp.State
		edit  func(*tcp.Socket)
		quiet bool
	}{
		{"CLOSE_WAIT that sends", tcp.CloseWait, func(s *tcp.Socket) { s.LastSent = 59 * time.Second }, true},
		{"CLOSE_WAIT that sent", tcp.CloseWait, func(s *tcp.Socket) { s.LastSent = 60 * time.Second }, false},
		{"CLOSE_WAIT that sends again and again", tcp.CloseWait, func(s *tcp.Socket) { s.LastSent, s.Timer = time.Second, retransmit }, false},
		{"FIN_WAIT2 that receives", tcp.FinWait2, func(s *tcp.Socket) { s.LastReceived = time.Second }, true},
		{"FIN_WAIT2 that received", tcp.FinWait2, func(s *tcp.Socket) { s.LastReceived = age }, false},
		{"nothing known", tcp.FinWait2, func(*tcp.Socket) {}, false},
	}
	for _, tt := range tests {
		r := newReports(ReportOptions{})
		s := stuckSocket(1, tt.state, age)
		tt.edit(&s)
		found := len(r.Report(1000*second, snapshot(s), nil)) > 0
		if found == tt.quiet || (r.Tally().Quiet == 1) != tt.quiet {
			t.Errorf("%s: found %v, tally %+v", tt.name, found, r.Tally())
		}
	}
}

func TestCountersThatMoveAreFlow(t *testing.T) {
	r := newReports(ReportOptions{})
	now := 1000 * second
	s := stuckSocket(1, tcp.CloseWait, 10*time.Minute)
	s.RecvQ = 1000
	look := func(read uint32) int {
		now += 10 * second
		s.RecvQ -= read
		s.Age = tcp.ExactAge(tcp.AgeTraced, 10*time.Minute+time.Duration(now-1000*second))
		n := 0
		for _, f := range r.Report(now, snapshot(s), nil) {
			if !f.Status.IsOver() {
				n++
			}
		}
		return n
	}
	if look(0) != 1 {
		t.Error("nothing moves: no finding")
	}
	if look(100) != 0 {
		t.Error("the process reads, and there is a finding")
	}
	if n, next := r.watcher.Due(now); n != 0 || next != now+60*second {
		t.Errorf("%d due, next %d; want the next look a minute after the last movement at %d", n, next, now)
	}
	now += 50 * second
	if look(0) != 1 {
		t.Error("it has not read for a minute: no finding")
	}
}
