package filter

import (
	"net/netip"
	"testing"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

func TestAge(t *testing.T) {
	const minute = time.Minute
	exact := tcp.ExactAge(tcp.AgeTraced, 5*minute)
	between := tcp.Age{Source: tcp.AgeLastAck, AtLeast: minute, AtMost: 9 * minute}
	atLeast := tcp.Age{Source: tcp.AgeLastAck, AtLeast: minute, AtMost: tcp.Unknown}
	tests := []struct {
		text string
		age  tcp.Age
		want bool
	}{
		{"age > 5m", exact, false},
		{"age >= 5m", exact, true},
		{"age = 5m", exact, true},
		{"age != 5m", exact, false},
		{"age != 4m", exact, true},
		{"age < 6m", exact, true},
		{"age > 5m", between, false},
		{"age <= 5m", between, false},
		{"age != 5m", between, false},
		{"age > 59s", between, true},
		{"age < 10m", between, true},
		{"age != 10m", between, true},
		{"age > 59s", atLeast, true},
		{"age < 100d", atLeast, false},
		{"not age < 100d", atLeast, true},
		{"age >= 0s", tcp.Age{}, false},
		{"age != 5m", tcp.Age{}, false},
		{"not age >= 0s", tcp.Age{}, true},
	}
	for _, test := range tests {
		if got := mustParse(t, test.text).MatchSocket(&tcp.Socket{Age: test.age}, nil); got != test.want {
			t.Errorf("%q of %+v: %t", test.text, test.age, got)
		}
	}
}

func TestProcesses(t *testing.T) {
	unknown := tcp.Socket{}
	owned := tcp.Socket{PID: 2, Comm: comm("nginx")}
	held := tcp.Socket{Holders: []tcp.Holder{{PID: 2, Comm: comm("nginx")}, {PID: 1, Comm: comm("init")}}}
	nameless := tcp.Socket{PID: 9, Comm: comm("x")}
	deleted := tcp.Socket{PID: 3}
	tests := []struct {
		text                                     string
		unknown, owned, held, nameless, upgraded bool
	}{
		{"pid 1", false, false, true, false, false},
		{"pid != 1", false, true, false, true, true},
		{"not pid 1", true, true, false, true, true},
		{"pid > 1", false, true, true, true, true},
		{"comm nginx", false, true, true, false, false},
		{"comm i*", false, false, true, false, false},
		{"comm != init", false, true, false, true, true},
		{"exe nginx", false, true, true, false, true},
		{"exe /usr/*/nginx", false, true, true, false, true},
		{"exe sbin/nginx", false, false, false, false, false},
		{"exe != init", false, true, false, false, true},
		{"not exe init", true, true, false, true, true},
	}
	for _, test := range tests {
		x := mustParse(t, test.text)
		for _, c := range []struct {
			name   string
			socket *tcp.Socket
			want   bool
		}{
			{"unknown", &unknown, test.unknown},
			{"owned", &owned, test.owned},
			{"held", &held, test.held},
			{"nameless", &nameless, test.nameless},
			{"upgraded", &deleted, test.upgraded},
		} {
			if got := x.MatchSocket(c.socket, testHost{}); got != c.want {
				t.Errorf("%q of %s: %t", test.text, c.name, got)
			}
		}
	}
}

func TestAddresses(t *testing.T) {
	inet := tcp.Socket{Family: tcp.Inet, Local: netip.MustParseAddrPort("10.0.0.1:22")}
	mapped := tcp.Socket{Family: tcp.Inet6, Local: netip.MustParseAddrPort("10.0.0.1:22")}
	inet6 := tcp.Socket{Family: tcp.Inet6, Local: netip.MustParseAddrPort("[2001:db8::1]:22")}
	tests := []struct {
		text                string
		inet, mapped, inet6 bool
	}{
		{"src 10/8", true, true, false},
		{"src 0/0", true, true, false},
		{"src ::/0", false, true, true},
		{"src [::ffff:10.0.0.0/104]", false, true, false},
		{"src [2001:db8::/32]:22", false, false, true},
		{"src inet:10/8", true, false, false},
		{"src inet:*", true, false, false},
		{"src inet6:*:22", false, true, true},
		{"src != 10/8", false, false, true},
	}
	for _, test := range tests {
		x := mustParse(t, test.text)
		a, b, c := x.MatchSocket(&inet, nil), x.MatchSocket(&mapped, nil), x.MatchSocket(&inet6, nil)
		if a != test.inet || b != test.mapped || c != test.inet6 {
			t.Errorf("%q: inet %t, mapped %t, inet6 %t", test.text, a, b, c)
		}
	}
}
