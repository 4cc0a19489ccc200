package leak

import (
	"strings"
	"testing"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

func TestParseLimit(t *testing.T) {
	tests := []struct {
		text  string
		c     Condition
		limit Limit
	}{
		{"CLOSE_WAIT=60s", closeWait, Limit{time.Minute, 5 * time.Minute}},
		{"close-wait=90s:2h", closeWait, Limit{90 * time.Second, 2 * time.Hour}},
		{"fin-wait-2=off", finWait2, Limit{}},
		{"zombie=1s:1s", Zombie, Limit{time.Second, time.Second}},
		{"ZOMBIES=OFF", Zombie, Limit{}},
		{"estab=1h30m", Condition(tcp.Established), Limit{90 * time.Minute, 450 * time.Minute}},
		{" syn-sent = 5s ", Condition(tcp.SynSent), Limit{5 * time.Second, 25 * time.Second}},
		{"LAST_ACK=87600h", Condition(tcp.LastAck), Limit{maxLimit, maxLimit}},
	}
	for _, tt := range tests {
		c, limit, err := ParseLimit(tt.text)
		if c != tt.c || limit != tt.limit || err != nil {
			t.Errorf("ParseLimit(%q) = %v, %v, %v; want %v, %v", tt.text, c, limit, err, tt.c, tt.limit)
		}
	}
}

func TestParseLimitRefuses(t *testing.T) {
	tests := []struct{ text, want string }{
		{"CLOSE_WAIT", "STATE=DURATION"},
		{"", "STATE=DURATION"},
		{"CLOSE_WIAT=1s", "or ZOMBIE"},
		{"connected=1s", "is a group"},
		{"TIME_WAIT=1s", "by the kernel"},
		{"CLOSE=1s", "ZOMBIE"},
		{"LISTEN=1s", "meant to last"},
		{"NEW_SYN_RECV=1s", "SYN_RECV"},
		{"CLOSE_WAIT=60", "unit"},
		{"CLOSE_WAIT=0s", "above 0"},
		{"CLOSE_WAIT=-1s", "above 0"},
		{"CLOSE_WAIT=", "unit"},
		{"CLOSE_WAIT=2m:1m", "sooner"},
		{"CLOSE_WAIT=2m:", "unit"},
		{"CLOSE_WAIT=1m:off", "unit"},
		{"CLOSE_WAIT=1m:2m:3m", "unit"},
		{"CLOSE_WAIT=200000h", "ten years"},
	}
	for _, tt := range tests {
		_, _, err := ParseLimit(tt.text)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("ParseLimit(%q): %v; want %q in it", tt.text, err, tt.want)
		}
	}
}

func TestLimitsAreAFlag(t *testing.T) {
	l := DefaultLimits()
	if got, want := l.String(), "FIN_WAIT2=1m,CLOSE_WAIT=1m,ZOMBIE=1m"; got != want {
		t.Errorf("default: %q, want %q", got, want)
	}
	if err := l.Set("FIN_WAIT2=off,CLOSE_WAIT=5s:1h,LAST_ACK=10s"); err != nil {
		t.Fatal(err)
	}
	const want = "CLOSE_WAIT=5s:1h,LAST_ACK=10s,ZOMBIE=1m"
	if got := l.String(); got != want {
		t.Errorf("after Set: %q, want %q", got, want)
	}
	if err := l.Set("ESTABLISHED=1h,LISTEN=1s"); err == nil || l.String() != want {
		t.Errorf("a refused text: error %v, limits %q", err, l.String())
	}
	if got, want := l.Events(), tcp.SetOf(tcp.CloseWait, tcp.LastAck, tcp.Close); got != want {
		t.Errorf("events of %b, want %b", got, want)
	}
	if !l.Snapshot().Has(tcp.Listen) || !l.Snapshot().Has(tcp.FinWait2) {
		t.Error("no listeners or no other ends in snapshots")
	}
	if none := (&Limits{}); l.Shortest() != 5*time.Second || none.Shortest() != 0 {
		t.Errorf("shortest %v, of none %v", l.Shortest(), none.Shortest())
	}
	if l.Type() == "" {
		t.Error("help has no name for a value")
	}
}

func FuzzParseLimit(f *testing.F) {
	for _, seed := range []string{
		"CLOSE_WAIT=60s", "zombie=1m:2h", "fin-wait-2=off", "estab=1h0m0s", "=", "x=y:z", "CLOSE_WAIT=9223372036s",
		"LAST_ACK=1ns:1us", "syn_sent=1.5h:2h3m4.5s",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, limit, err := ParseLimit(text)
		if err != nil {
			if c != 0 || limit != (Limit{}) {
				t.Errorf("%q: refused, but %v %v", text, c, limit)
			}
			return
		}
		if limit != (Limit{}) && (limit.Warn <= 0 || limit.Critical < limit.Warn || limit.Critical > maxLimit) {
			t.Errorf("%q: %+v", text, limit)
		}
		again, same, err := ParseLimit(c.String() + "=" + limit.String())
		if err != nil || again != c || same != limit {
			t.Errorf("%q: %v=%v is read as %v %v, %v", text, c, limit, again, same, err)
		}
	})
}
