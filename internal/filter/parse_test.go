package filter

import (
	"errors"
	"strings"
	"testing"
)

// Lines of ss's manual and of iproute2's old doc/ss.sgml, then what is ours.
var canonicalForms = []struct{ text, want string }{
	{"", ""},
	{" \t\n", ""},
	{"state established ( dport = :ssh or sport = :ssh )", "state ESTABLISHED and ( dport = :22 or sport = :22 )"},
	{"state fin-wait-1 ( sport = :http or sport = :https ) dst 193.233.7/24", "state FIN_WAIT1 and ( sport = :80 or sport = :443 ) and dst 193.233.7.0/24"},
	{"fwmark = 0x01/0x03", "fwmark = 0x1/0x3"},
	{"exclude SYN-RECV", "not state SYN_RECV"},
	{"excl fin-wait-1", "not state FIN_WAIT1"},
	{"state fin-wait-1 ( sport neq :http and sport neq :https ) or not dst 193.233.7/24", "state FIN_WAIT1 and ( ( sport != :80 and sport != :443 ) or not dst 193.233.7.0/24 )"},
	{"dst 10.0.0.1", "dst 10.0.0.1"},
	{"dst 10.0.0.1:", "dst 10.0.0.1"},
	{"dst 10.0.0.1/32:", "dst 10.0.0.1"},
	{"dst 10.0.0.1:*", "dst 10.0.0.1"},
	{"dst [10.0.0.1]", "dst 10.0.0.1"},
	{"dst 10.0.0.0/24:22", "dport = :22 and dst 10.0.0.0/24"},
	{"dst [::1]", "dst [::1]"},
	{"dst ::1/128", "dst [::1]"},
	{"dport >= :1024", "dport >= :1024"},
	{"dport != :22", "dport != :22"},
	{"sport < :32000", "sport < :32000"},
	{"not dst 10.0.0.1:22", "not ( dport = :22 and dst 10.0.0.1 )"},
	{"autobound", "autobound"},
	{"state all", "state all"},

	{"state established state close-wait", "state ESTABLISHED,CLOSE_WAIT"},
	{"state connected exclude established", "state ESTABLISHED,SYN_SENT,SYN_RECV,FIN_WAIT1,FIN_WAIT2,TIME_WAIT,CLOSE_WAIT,LAST_ACK,CLOSING,NEW_SYN_RECV and not state ESTABLISHED"},
	{"exclude listening state established", "not state LISTEN or state ESTABLISHED"},
	{"state CLOSE_WAIT,tcp_last_ack", "state CLOSE_WAIT,LAST_ACK"},
	{"state zombie,listen", "state LISTEN,zombie"},
	{"state ZOMBIE,close", "state CLOSE"},
	{"state listen sport 22 or sport 80", "state LISTEN and ( sport = :22 or sport = :80 )"},
	{"state listen and sport 22 or sport 80", "( state LISTEN and sport = :22 ) or sport = :80"},
	{"sport 22 or sport 80 and dport 1", "( sport = :22 or sport = :80 ) and dport = :1"},
	{"sport 22 or sport 80 dport 1", "( sport = :22 or sport = :80 ) and dport = :1"},
	{"sport 22 or (sport 80 and dport 1)", "sport = :22 or ( sport = :80 and dport = :1 )"},
	{"not state listen sport 22", "not state LISTEN and sport = :22"},
	{"not ! sport 22", "sport = :22"},
	{"!sport=22", "not sport = :22"},
	{"! ( sport = 22 )", "not sport = :22"},
	{"sport==22&&dport!=80||sport>=0x50", "( sport = :22 and dport != :80 ) or sport >= :80"},
	{"sport le 22 & sport gt 1 | dport geq http", "( sport <= :22 and sport > :1 ) or dport >= :80"},
	{"dport lt 22 and dport leq 22 and dport ge 1 and dport eq 1 and dport ne 2", "dport < :22 and dport <= :22 and dport >= :1 and dport = :1 and dport != :2"},
	{"dport = *", "dst *"},
	{"dport != :*", "not dst *"},
	{"dport inet6::443", "dport = :443 and dst inet6:*"},
	{"sport 80,https", "sport = :80 or sport = :443"},
	{"sport != :80,443 dport 1", "not ( sport = :80 or sport = :443 ) and dport = :1"},
	{"dport 8000-8100", "dport >= :8000 and dport <= :8100"},
	{"dport ne 22,8000-8100", "not ( dport = :22 or ( dport >= :8000 and dport <= :8100 ) )"},
	{"dport inet:80,443", "( dport = :80 or dport = :443 ) and dst inet:*"},
	{"dport != inet:80,443", "not ( ( dport = :80 or dport = :443 ) and dst inet:* )"},
	{"dport != inet:80", "not ( dport = :80 and dst inet:* )"},
	{"src *22", "sport = :22"},
	{"src any", "src *"},
	{"src default:22", "sport = :22"},
	{"src *:22", "sport = :22"},
	{"src 10/8", "src 10.0.0.0/8"},
	{"src != 10/8", "not src 10.0.0.0/8"},
	{"src 0/0", "src 0.0.0.0/0"},
	{"src ::/0", "src [::/0]"},
	{"src ::", "src [::]"},
	{"src 2001:db8::1", "src [2001:db8::1]"},
	{"src ::ffff:10.0.0.1", "src [::ffff:10.0.0.1]"},
	{"src [::ffff:10.0.0.0]/104", "src [::ffff:10.0.0.0/104]"},
	{"src [::ffff:10.0.0.0/104]:22", "sport = :22 and src [::ffff:10.0.0.0/104]"},
	{"src [fe80::1]/64:22", "sport = :22 and src [fe80::/64]"},
	{"src fe80::1:22", "sport = :22 and src [fe80::1]"},
	{"src fe80::1:8", "sport = :8 and src [fe80::1]"},
	{"src fe80::1:08", "src [fe80::1:8]"}, // no number, so no port
	{"src 1:2:3:4:5:6:7:8", "src [1:2:3:4:5:6:7:8]"},
	{"src 10.8", "src 10.8.0.0"},
	{"src 10.8:22", "sport = :22 and src 10.8.0.0"},
	{"src 10.1.2.3/255.0.0.0", "src 10.0.0.0/8"},
	{"src 10.1/255.255.0.0:22", "sport = :22 and src 10.1.0.0/16"},
	{"src 10.1.2.3/0.0.0.0", "src 0.0.0.0/0"},
	{"sport 026", "sport = :22"},
	{"sport 0X16", "sport = :22"},
	{"src :026", "sport = :22"},
	{"fwmark 010/0xFF", "fwmark = 0x8/0xff"},
	{"src inet:*", "src inet:*"},
	{"src inet:10/8", "src inet:10.0.0.0/8"},
	{"src inet6:[::1]:22", "sport = :22 and src inet6:[::1]"},
	{"dst localhost", "dst 127.0.0.1 or dst [::1]"},
	{"dst inet:localhost:http", "dport = :80 and dst inet:127.0.0.1"},
	{"dst != localhost", "not ( dst 127.0.0.1 or dst [::1] )"},
	{"dst mapped", "dst 10.0.0.1"},
	{"dev lo", "dev = 1"},
	{"dev != 3", "dev != 3"},
	{"fwmark 5", "fwmark = 0x5"},
	{"cgroup /a", "cgroup = /a"},
	{`cgroup != /c\x2d`, `cgroup != /c\x2d`},
	{"pid 1,2", "pid = 1,2"},
	{"pid != self,7", "pid != 1,7"},
	{"pid > 1", "pid > 1"},
	{"comm nginx", "comm = nginx"},
	{"comm != 'my proc'", "comm != 'my proc'"},
	{`comm "it's"`, `comm = "it's"`},
	{`comm 'a"'"b'"`, `comm = "a"'"'"b'"`},
	{"comm 'and'", "comm = 'and'"},
	{"exe=/usr/bin/*", "exe = /usr/bin/*"},
	{"uid www-data", "uid = 33"},
	{"uid >= 1000", "uid >= 1000"},
	{"netns self", "netns = self"},
	{"netns != 'my ns'", "netns != 'my ns'"},
	{"age > 5m", "age > 5m0s"},
	{"age>1d12h", "age > 36h0m0s"},
	{"age < 500ms and age >= 2d", "age < 500ms and age >= 48h0m0s"},
	{"recvq > 64K", "recvq > 65536"},
	{"recvq < 6464646K", "recvq < 6619797504"},
	{"sendq >= 1m", "sendq >= 1048576"},
}

func TestParseCanonical(t *testing.T) {
	for _, test := range canonicalForms {
		x := mustParse(t, test.text)
		if got := x.String(); got != test.want {
			t.Errorf("%q is %q, want %q", test.text, got, test.want)
		}
		if again := mustParse(t, x.String()).String(); again != test.want {
			t.Errorf("%q, written %q, becomes %q", test.text, test.want, again)
		}
	}
}

func TestParseAsksOnlyWhenWellFormed(t *testing.T) {
	asked := 0
	names := countingNames{asked: &asked}
	if _, err := Parse("dst localhost and sprt 1", names); err == nil || asked != 0 {
		t.Errorf("asked %d times: %v", asked, err)
	}
	if _, err := Parse("dst localhost and src 10.0.0.1", names); err != nil || asked != 1 {
		t.Errorf("asked %d times: %v", asked, err)
	}
}

func TestParseWithoutNames(t *testing.T) {
	if _, err := Parse("dport 443 dst 10/8 uid 0 pid 1 dev 2 comm x", nil); err != nil {
		t.Error(err)
	}
	for _, text := range []string{"dport https", "dst localhost", "uid root", "pid self", "dev lo", "netns self", "cgroup /a"} {
		if _, err := Parse(text, nil); err == nil || !strings.Contains(err.Error(), "not looked up") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(everyTerm, testNames{}); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, form := range canonicalForms {
		f.Add(form.text)
	}
	f.Add(everyTerm)
	f.Fuzz(func(t *testing.T, text string) {
		x, err := Parse(text, testNames{})
		if err != nil {
			var syntax *SyntaxError
			if !errors.As(err, &syntax) || x != nil {
				t.Fatalf("%q: %v is no SyntaxError", text, err)
			}
			if printable(err.Error()) != err.Error() || strings.Count(syntax.Caret(), "\n") != 1 {
				t.Errorf("%q: %q is not printable", text, err)
			}
			return
		}
		again, err := Parse(x.String(), testNames{})
		if err != nil || again.String() != x.String() {
			t.Errorf("%q is written %q, and that %q: %v", text, x, again, err)
		}
		if printable(x.String()) != x.String() {
			t.Errorf("%q is written %q, which is not printable", text, x.String())
		}
	})
}
