package privilege

import (
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

func TestCapNamesCoverTheKernelsList(t *testing.T) {
	if got, want := len(capNames), unix.CAP_LAST_CAP+1; got != want {
		t.Fatalf("%d names for %d capabilities", got, want)
	}
	names := map[Cap]string{
		unix.CAP_CHOWN: "CAP_CHOWN", DACReadSearch: "CAP_DAC_READ_SEARCH", SetPCap: "CAP_SETPCAP",
		NetAdmin: "CAP_NET_ADMIN", SysPtrace: "CAP_SYS_PTRACE", SysAdmin: "CAP_SYS_ADMIN",
		unix.CAP_SYS_TIME: "CAP_SYS_TIME", unix.CAP_SYSLOG: "CAP_SYSLOG", SysResource: "CAP_SYS_RESOURCE",
		Perfmon: "CAP_PERFMON", BPF: "CAP_BPF", unix.CAP_CHECKPOINT_RESTORE: "CAP_CHECKPOINT_RESTORE", 63: "CAP_63",
	}
	for c, want := range names {
		if got := c.String(); got != want {
			t.Errorf("capability %d is %s, want %s", uint8(c), got, want)
		}
	}
}

func TestSet(t *testing.T) {
	tests := []struct {
		name  string
		set   Set
		bits  Set
		caps  []Cap
		words string
	}{
		{"empty", SetOf(), 0, nil, "none"},
		{"one", SetOf(DACReadSearch), 4, []Cap{DACReadSearch}, "CAP_DAC_READ_SEARCH"},
		{"trace", Trace, 0xc000000000, []Cap{BPF, Perfmon}, "CAP_BPF, CAP_PERFMON"},
		{"optional", TraceOptional, 0x280000, []Cap{SysAdmin, SysPtrace}, "CAP_SYS_ADMIN, CAP_SYS_PTRACE"},
		{"newest", SetOf(63, BPF), 1<<63 | 1<<39, []Cap{63, BPF}, "CAP_63, CAP_BPF"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.set != test.bits {
				t.Errorf("bits %#x, want %#x", uint64(test.set), uint64(test.bits))
			}
			if got := test.set.Caps(); !slices.Equal(got, test.caps) {
				t.Errorf("caps %v, want %v", got, test.caps)
			}
			if got := test.set.String(); got != test.words {
				t.Errorf("words %q, want %q", got, test.words)
			}
			for _, c := range test.caps {
				if !test.set.Has(c) {
					t.Errorf("has no %s", c)
				}
			}
			if test.set.Has(NetAdmin) {
				t.Error("has CAP_NET_ADMIN")
			}
		})
	}
}

func TestTraceAsksForNoMoreThanItSays(t *testing.T) {
	if want := SetOf(BPF, Perfmon); Trace != want {
		t.Errorf("trace needs %s, want %s", Trace, want)
	}
	if Trace&TraceOptional != 0 {
		t.Errorf("%s is both needed and optional", Trace&TraceOptional)
	}
}
