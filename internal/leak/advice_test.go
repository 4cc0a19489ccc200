package leak

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// advised has each condition with the causes that it may have.
var advised = map[Condition][]Cause{
	Condition(tcp.Established): {Idle, NeverAccepted}, Condition(tcp.SynSent): {Unanswered}, Condition(tcp.SynRecv): {Unanswered},
	Condition(tcp.FinWait1): {Unanswered}, Condition(tcp.LastAck): {Unanswered}, Condition(tcp.Closing): {Unanswered},
	finWait2: {HalfClosed, Orphan}, closeWait: {NeverAccepted, Inherited, Sending, UnreadData, UnreadFin, NotClosed},
	Zombie: {ZombieHeld},
}

func TestAdviceIsThereAndFits(t *testing.T) {
	for c, causes := range advised {
		for _, cause := range causes {
			a := Advice(c, cause)
			if a.Meaning == "" || a.Why == "" || a.Fix == "" || cause != Orphan && (len(a.Verify) == 0 || len(a.NoHelp) == 0) {
				t.Errorf("%v, %v: %+v", c, cause, a)
			}
			texts := slices.Concat([]string{a.Meaning, a.Why, a.Fix}, a.Verify, a.NoHelp)
			for _, text := range texts {
				for line := range strings.SplitSeq(text, "\n") {
					if len(line) > 100 || strings.TrimSpace(line) != line {
						t.Errorf("%v, %v: %d columns: %q", c, cause, len(line), line)
					}
				}
			}
		}
	}
	if a := Advice(closeWait, CauseNone); a.Why == "" || a.Meaning == "" {
		t.Errorf("%+v", a)
	}
}

func TestAdviceNamesTheSocket(t *testing.T) {
	s := stuckSocket(7, tcp.CloseWait, time.Hour)
	s.Local = addr("[2001:db8::1]:443")
	a := AdviceFor(&Stuck{Socket: s, Cause: NotClosed}, nil)
	want := []string{
		"nsenter -t 100 -n ss -tanepio 'src [2001:db8::1]:443 and dst 10.0.0.2:443'",
		"ls -l /proc/100/fd/7",
		"gdb -p 100 -batch -ex 'thread apply all bt'",
	}
	if !slices.Equal(a.Verify, want) {
		t.Errorf("%q, want %q", a.Verify, want)
	}
	a = AdviceFor(&Stuck{Socket: s, Cause: Inherited}, nil)
	if !slices.Contains(a.Verify, `find /proc/[0-9]*/fd -lname 'socket:\[77]' 2>/dev/null`) {
		t.Errorf("%q", a.Verify)
	}
}

func TestUnknownIsLeftOutOfCommands(t *testing.T) {
	s := stuckSocket(7, tcp.CloseWait, time.Hour)
	s.PID, s.Holders, s.Evidence = 0, nil, tcp.EvidenceNone
	a := AdviceFor(&Stuck{Socket: s, Cause: NotClosed}, nil)
	if len(a.Verify) != 0 {
		t.Errorf("%q, although nobody knows where", a.Verify)
	}
	for netns, way := range map[uint32]string{1: "", 2: "ip netns exec blue "} {
		s.NetNS = netns
		a = AdviceFor(&Stuck{Socket: s, Cause: NotClosed}, func(n uint32) (string, bool) { return way, n == netns })
		if want := []string{way + "ss -tanepio 'src 10.0.0.1:40007 and dst 10.0.0.2:443'"}; !slices.Equal(a.Verify, want) {
			t.Errorf("%q, want %q", a.Verify, want)
		}
	}
	for _, causes := range advised {
		for _, cause := range causes {
			for _, command := range AdviceFor(&Stuck{Socket: tcp.Socket{}, Cause: cause}, nil).Verify {
				if strings.Contains(command, "{") {
					t.Errorf("%v: %q", cause, command)
				}
			}
		}
	}
}
