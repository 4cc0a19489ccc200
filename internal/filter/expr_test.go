package filter

import (
	"slices"
	"testing"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

func mustParse(tb testing.TB, text string) *Expr {
	tb.Helper()
	x, err := Parse(text, testNames{})
	if err != nil {
		tb.Fatalf("%q: %v", text, err)
	}
	return x
}

func TestNilExpr(t *testing.T) {
	var x *Expr
	e, s := sample(), tcp.Socket{}
	if !x.MatchEvent(&e, nil) || !x.MatchSocket(&s, nil) {
		t.Error("nil does not match")
	}
	if x.Push(&Filter{}) != nil || x.String() != "" || x.NeedsExe() || x.SocketStates() != everyState {
		t.Error("nil asks for something")
	}
	if _, _, ok := x.NeedsSocket(); ok {
		t.Error("nil needs a socket")
	}
	if _, ok := x.SocketNetNS(); ok {
		t.Error("nil has namespaces")
	}
}

func TestEveryState(t *testing.T) {
	if all, _ := tcp.ParseStates("all"); all != everyState {
		t.Errorf("all is %b, want %b", all, everyState)
	}
}

func TestSocketStates(t *testing.T) {
	requests := tcp.SetOf(tcp.SynRecv, tcp.NewSynRecv)
	tests := []struct {
		text string
		want tcp.StateSet
	}{
		{"sport 22", everyState},
		{"state close-wait", tcp.SetOf(tcp.CloseWait)},
		{"state close-wait or sport 22", everyState},
		{"state close-wait sport 22 or sport 80", tcp.SetOf(tcp.CloseWait)},
		{"exclude close-wait", everyState &^ tcp.SetOf(tcp.CloseWait)},
		{"not ( state close-wait or sport 22 )", everyState &^ tcp.SetOf(tcp.CloseWait)},
		{"not ( state close-wait and sport 22 )", everyState},
		{"state close-wait and not state close-wait", 0},
		{"state syn-recv", requests},
		{"state new-syn-recv", requests},
		{"exclude syn-recv", everyState &^ requests},
		{"exclude new-syn-recv", everyState &^ tcp.SetOf(tcp.NewSynRecv)},
		{"state zombie", tcp.SetOf(tcp.Close)},
		{"exclude zombie", everyState},
		{"state close exclude zombie", tcp.SetOf(tcp.Close)},
	}
	for _, test := range tests {
		if got := mustParse(t, test.text).SocketStates(); got != test.want {
			t.Errorf("%q: %b, want %b", test.text, got, test.want)
		}
	}
}

func TestSocketNetNS(t *testing.T) {
	const self, blue = 4026531840, 4026532000
	tests := []struct {
		text string
		want []uint32
		ok   bool
	}{
		{"sport 22", nil, false},
		{"netns self", []uint32{self}, true},
		{"netns != self", nil, false},
		{"not netns self", nil, false},
		{"netns self or netns blue", []uint32{self, blue}, true},
		{"netns self or sport 22", nil, false},
		{"netns self and sport 22", []uint32{self}, true},
		{"netns self and netns blue", nil, true},
	}
	for _, test := range tests {
		got, ok := mustParse(t, test.text).SocketNetNS()
		if ok != test.ok || ok && !slices.Equal(got, test.want) {
			t.Errorf("%q: %v, %t, want %v, %t", test.text, got, ok, test.want, test.ok)
		}
	}
}

func TestNeeds(t *testing.T) {
	tests := []struct {
		text   string
		word   string
		column int
		exe    bool
	}{
		{"sport 22 and uid 0 and age > 5m", "", 0, false},
		{"sport 22 and not ( pid 1 or recvq > 0 ) sendq > 0", "recvq", 29, false},
		{"comm é dev lo", "dev", 8, false},
		{"comm 'exe '", "", 0, false},
		{"not ( sport 22 or exe != b )", "", 0, true},
		{"exe é", "", 0, true},
		{"state listen,zombie", "zombie", 1, false},
		{"state close exclude zombie", "zombie", 13, false},
		{"state close", "", 0, false},
		{"fwmark 1", "fwmark", 1, false},
		{"autobound", "autobound", 1, false},
	}
	for _, test := range tests {
		x := mustParse(t, test.text)
		word, column, ok := x.NeedsSocket()
		if word != test.word || column != test.column || ok != (word != "") || x.NeedsExe() != test.exe {
			t.Errorf("%q: %q, %d, %t, exe %t", test.text, word, column, ok, x.NeedsExe())
		}
	}
}

const everyTerm = "( state all exclude listen or src 10/8 or dst [2001:db8::/32] or sport < 5 or dport 9 or dev 5 or fwmark 1 or" +
	" cgroup /a or autobound or pid 7 or comm 'x*' or exe '*x' or uid 5 or netns blue or age > 9d or recvq > 1G or sendq > 1G )"

func TestExprAllocatesNothing(t *testing.T) {
	x := mustParse(t, everyTerm+" or sport 443")
	e := sample()
	e.Old, e.New = tcp.Listen, tcp.Listen
	s := tcp.Socket{
		State: tcp.Listen, Local: e.Local, Remote: e.Remote, Family: e.Family, PID: 2, Comm: comm("nginx"),
		Holders: []tcp.Holder{{PID: 1, Comm: comm("init")}}, CgroupID: 77,
	}
	f := fullFilter(t)
	var h Host = testHost{}
	if got := testing.AllocsPerRun(100, func() {
		if x.MatchEvent(&e, h) != true || x.MatchSocket(&s, h) != true {
			t.Fatal("does not match")
		}
		f.MatchSocket(&s, h)
	}); got != 0 {
		t.Errorf("%v allocations", got)
	}
}

func BenchmarkExprMatchEvent(b *testing.B) {
	x := mustParse(b, "state close-wait ( dport = :ssh or sport = :https ) dst 198.51.100/24 comm ngin*")
	e := sample()
	b.ReportAllocs()
	for b.Loop() {
		x.MatchEvent(&e, nil)
	}
}
