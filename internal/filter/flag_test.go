package filter

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// value is pflag.Value, written out so that this package needs no flags library.
type value interface {
	String() string
	Set(string) error
	Type() string
}

var (
	_ value = PortsFlag{}
	_ value = PrefixesFlag{}
	_ value = StatesFlag{}
	_ value = CommsFlag{}
)

func TestFlags(t *testing.T) {
	tests := []struct {
		flag  func() value
		kind  string
		sets  []string // accepted, one after the other
		want  string   // after them
		wrong string   // refused as a whole, although it begins well
		token string   // what the refusal must name
	}{
		{
			flag: func() value { return PortsFlag{new(*Ports)} }, kind: "ports",
			sets: []string{"443", "80,8000-8100", "81"}, want: "80-81,443,8000-8100",
			wrong: "22,x", token: `"x"`,
		},
		{
			flag: func() value { return PrefixesFlag{new([]netip.Prefix)} }, kind: "cidr",
			sets: []string{"10/8", "[::1],10.1.2.3/24"}, want: "10.0.0.0/8,::1/128,10.1.2.0/24",
			wrong: "192.0.2.1,10/33", token: `"10/33"`,
		},
		{
			flag: func() value { return StatesFlag{new(tcp.StateSet)} }, kind: "state",
			sets: []string{"time-wait", "CLOSE_WAIT,estab"}, want: "ESTABLISHED,TIME_WAIT,CLOSE_WAIT",
			wrong: "listen,x", token: `"x"`,
		},
		{
			flag: func() value { return CommsFlag{new([]string)} }, kind: "name",
			sets: []string{"nginx", "php*,envoy"}, want: "nginx,php*,envoy",
			wrong: "sshd,[", token: `"["`,
		},
	}
	for _, test := range tests {
		flag := test.flag()
		if flag.Type() != test.kind || flag.String() != "" {
			t.Errorf("%s: Type() = %q, String() = %q at first", test.kind, flag.Type(), flag.String())
		}
		for _, text := range test.sets {
			if err := flag.Set(text); err != nil {
				t.Errorf("%s: Set(%q): %v", test.kind, text, err)
			}
		}
		for _, wrong := range []string{test.wrong, "", ","} {
			err := flag.Set(wrong)
			if err == nil || wrong == test.wrong && !strings.Contains(err.Error(), test.token) {
				t.Errorf("%s: Set(%q) = %v, want a refusal that names %s", test.kind, wrong, err, test.token)
			}
		}
		if got := flag.String(); got != test.want {
			t.Errorf("%s: String() = %q, want %q", test.kind, got, test.want)
		}
		again := test.flag()
		if err := again.Set(flag.String()); err != nil || again.String() != flag.String() {
			t.Errorf("%s: %q comes back as %q, %v", test.kind, flag, again, err)
		}
	}
}

// Flags libraries ask zero values for their text.
func TestFlagsZeroValue(t *testing.T) {
	for _, flag := range []value{PortsFlag{}, PrefixesFlag{}, StatesFlag{}, CommsFlag{}} {
		if got := flag.String(); got != "" {
			t.Errorf("%T: String() = %q, want nothing", flag, got)
		}
	}
}

func TestFlagsFillFilter(t *testing.T) {
	var f Filter
	for text, flag := range map[string]value{
		"443":           PortsFlag{&f.LocalPorts},
		"32768-60999":   PortsFlag{&f.RemotePorts},
		"10/8":          PrefixesFlag{&f.Local},
		"198.51.100/24": PrefixesFlag{&f.Remote},
		"close-wait":    StatesFlag{&f.States},
		"connected":     StatesFlag{&f.Old},
		"last-ack":      StatesFlag{&f.New},
		"nginx":         CommsFlag{&f.Comms},
	} {
		if err := flag.Set(text); err != nil {
			t.Error(err)
		}
	}
	e := sample()
	if !f.Match(&e) {
		t.Errorf("%+v does not match", f)
	}
	e.New = tcp.Close
	if f.Match(&e) {
		t.Error("a transition to CLOSE matches")
	}
}

// A default that other filters may share stays what it was.
func TestPortsFlagLeavesDefaultAlone(t *testing.T) {
	standard := mustPorts(t, "80")
	chosen := standard
	if err := (PortsFlag{&chosen}).Set("443"); err != nil {
		t.Fatal(err)
	}
	if standard.String() != "80" || chosen.String() != "80,443" {
		t.Errorf("default is now %s, choice %s", standard, chosen)
	}
}

func FuzzStatesFlag(f *testing.F) {
	for _, seed := range []string{"close-wait", "estab,TIME_WAIT", "all", "big,", "", ","} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var set, again tcp.StateSet
		if err := (StatesFlag{&set}).Set(text); err != nil {
			if set != 0 {
				t.Fatalf("%q: refused, and yet %v", text, StatesFlag{&set})
			}
			return
		}
		if err := (StatesFlag{&again}).Set(StatesFlag{&set}.String()); err != nil || again != set {
			t.Fatalf("%q: %v comes back as %v, %v", text, StatesFlag{&set}, StatesFlag{&again}, err)
		}
		words := strings.Split(text, ",")
		slices.Reverse(words)
		var reversed tcp.StateSet
		if err := (StatesFlag{&reversed}).Set(strings.Join(words, ",")); err != nil || reversed != set {
			t.Fatalf("%q: order matters: %v, %v", text, StatesFlag{&reversed}, err)
		}
	})
}
