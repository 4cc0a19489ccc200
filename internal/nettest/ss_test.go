package nettest

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
)

func addrPort(text string) netip.AddrPort { return netip.MustParseAddrPort(text) }

func TestParseSS(t *testing.T) {
	tests := []struct {
		name, line string
		want       SSRow
	}{
		{
			"listener", `LISTEN 0      128    0.0.0.0:2024 0.0.0.0:* users:(("sshd",pid=17,fd=3)) ino:621 sk:9e935 cgroup:/ <->`,
			SSRow{
				SocketInfo: SocketInfo{
					State: Listening, Local: addrPort("0.0.0.0:2024"), Remote: addrPort("0.0.0.0:0"), Cookie: 0x9e935, Inode: 621,
					WQueue: 128,
				},
				Users: []SSUser{{"sshd", 17, 3}}, Cgroup: "/", Arrow: "<->",
			},
		},
		{
			"dual stack listener", `LISTEN 2 64 *:80 *:* ino:1 sk:1 v6only:0 <->`,
			SSRow{
				SocketInfo: SocketInfo{
					State: Listening, Local: addrPort("[::]:80"), Remote: addrPort("[::]:0"), Cookie: 1, Inode: 1,
					RQueue: 2, WQueue: 64,
				},
				Arrow: "<->",
			},
		},
		{
			"minisock", `TIME-WAIT 0 0 [::1]:80 [::1]:40000 timer:(timewait,59sec,0) ino:0 sk:a`,
			SSRow{
				SocketInfo: SocketInfo{State: TimeWait, Local: addrPort("[::1]:80"), Remote: addrPort("[::1]:40000"), Cookie: 10},
				Timer:      SSTimer{"timewait", 59 * time.Second, 0},
			},
		},
		{
			"devices, mapped, several users, uid",
			`CLOSE-WAIT 101 1000 [::ffff:127.0.0.1]%lo:80 [fe80::1]%eth0:40000 users:(("a b",pid=1,fd=3),("Web Content",pid=22,fd=44)) ` +
				`timer:(on,1.234ms,5) uid:1000 ino:7 sk:ffffffffffffffff cgroup:unreachable:1a2 -->`,
			SSRow{
				SocketInfo: SocketInfo{
					State: CloseWait, Local: addrPort("[::ffff:127.0.0.1]:80"), Remote: addrPort("[fe80::1]:40000"),
					Cookie: 1<<64 - 1, Inode: 7, UID: 1000, RQueue: 101, WQueue: 1000,
				},
				Timer: SSTimer{"on", 1234 * time.Millisecond, 5}, Users: []SSUser{{"a b", 1, 3}, {"Web Content", 22, 44}},
				Cgroup: "unreachable:1a2", Arrow: "-->",
			},
		},
		{
			"asked for one state", `0 5 127.0.0.1:1 127.0.0.1:2 sk:1`,
			SSRow{SocketInfo: SocketInfo{Local: addrPort("127.0.0.1:1"), Remote: addrPort("127.0.0.1:2"), Cookie: 1, WQueue: 5}},
		},
		{
			"hostile name", `ESTAB 0 0 127.0.0.1:1 127.0.0.1:2 users:(("x\")) ino:9",pid=1,fd=3)) ino:7 sk:1 <->`,
			SSRow{
				SocketInfo: SocketInfo{
					State: Established, Local: addrPort("127.0.0.1:1"), Remote: addrPort("127.0.0.1:2"), Cookie: 1, Inode: 7,
				},
				Users: []SSUser{{`x\")) ino:9`, 1, 3}}, Arrow: "<->",
			},
		},
	}
	for _, test := range tests {
		got, err := parseSS(test.line + "\n")
		if err != nil || len(got) != 1 || !reflect.DeepEqual(got[0], test.want) {
			t.Errorf("%s: got %+v, %v, want %+v", test.name, got, err, test.want)
		}
	}
	if got, err := parseSS(""); len(got) != 0 || err != nil {
		t.Errorf("nothing: %v, %v", got, err)
	}
}

func TestParseSSMalformed(t *testing.T) {
	const good = "ESTAB 0 0 127.0.0.1:1 127.0.0.1:2 "
	for _, line := range []string{
		"\n", "ESTABLISHED 0 0 127.0.0.1:1 127.0.0.1:2", "ESTAB", "ESTAB -1 0 127.0.0.1:1 127.0.0.1:2",
		"ESTAB 0 x 127.0.0.1:1 127.0.0.1:2", "ESTAB 0 0 127.0.0.1 127.0.0.1:2", "ESTAB 0 0 127.0.0.1:1 127.0.0.1:65536",
		"ESTAB 0 0 localhost:1 127.0.0.1:2", "0 0 127.0.0.1:1", good + "ino:x", good + "sk:xyz", good + "uid:-1", good + "timer:(on,1sec)",
		good + "timer:(on,soon,1)", good + "timer:(on,1sec,x)", good + "users:((", good + `users:(("a",pid=1,fd=3)`,
		good + `users:(("a",pid=x,fd=3))`, good + `users:(("a",pid=1,fd=3)x`, good + `users:("a",pid=1,fd=3))`,
	} {
		if got, err := parseSS(line); err == nil {
			t.Errorf("%q: got %+v, want an error", line, got)
		}
	}
	_, err := parseSS(good + "\nwhat\n")
	if err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("error %v, want one that names the line", err)
	}
}

func TestParseSSTime(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"": 0, "200ms": 200 * time.Millisecond, "042ms": 42 * time.Millisecond, "42sec": 42 * time.Second,
		"2min": 2 * time.Minute, "1min23sec": 83 * time.Second, "1.234ms": 1234 * time.Millisecond,
		"1.050ms": 1050 * time.Millisecond,
	} {
		if got, err := parseSSTime(text); err != nil || got != want {
			t.Errorf("%q: %v, %v, want %v", text, got, err, want)
		}
	}
}

func FuzzParseSS(f *testing.F) {
	f.Add("LISTEN 0 128 0.0.0.0:2024 *:* users:((\"sshd\",pid=17,fd=3),(\"a\",pid=1,fd=2)) ino:621 sk:9e935 cgroup:/ <->\n")
	f.Add("TIME-WAIT 0 0 [::1]%lo:80 [::1]:40000 timer:(timewait,1min59sec,0) ino:0 sk:a\n")
	f.Fuzz(func(t *testing.T, text string) {
		rows, err := parseSS(text)
		if err != nil {
			return
		}
		if want := strings.Count(text, "\n"); len(rows) != want && len(rows) != want+1 {
			t.Errorf("%d rows of %d lines", len(rows), want)
		}
		for _, row := range rows {
			if !row.Local.IsValid() || !row.Remote.IsValid() {
				t.Errorf("row without address: %+v", row)
			}
		}
	})
}
