package kernel

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// Program is what one of our programs has cost since it was attached, over all CPUs.
type Program struct {
	Name string
	Time time.Duration
	Runs uint64
}

// MeasurePrograms lets the kernel measure how long programs run, all of this host, until the result is closed. It takes
// two looks at the clock for each run, about 40 ns. Linux 5.8.
func MeasurePrograms() (io.Closer, error) {
	c, err := ebpf.EnableStats(unix.BPF_STATS_RUN_TIME)
	if err != nil {
		if errors.Is(err, unix.EPERM) {
			err = fmt.Errorf("%w: it needs CAP_SYS_ADMIN, or sysctl kernel.bpf_stats_enabled=1 instead", err)
		}
		return nil, fmt.Errorf("measure programs: %w", err)
	}
	return c, nil
}

// Programs says what the programs have cost that see transitions, by name. Those that were not measured are left out:
// see MeasurePrograms, or kernel.bpf_stats_enabled of sysctl(8). It may be called from any goroutine until Close.
func (t *Tracer) Programs() ([]Program, error) {
	loaded := map[string]*ebpf.Program{
		bpfProgInetSockSetState: t.programs.SetState, bpfProgTcpDestroySock: t.programs.DestroySock,
		bpfProgTcpReceiveReset: t.programs.ReceiveReset, bpfProgTcpSendReset: t.programs.SendReset,
	}
	for name, p := range t.optional {
		loaded[name] = p
	}
	if t.accept != nil {
		for name, p := range t.accept.Programs {
			loaded[name] = p
		}
	}
	var programs []Program
	for name, p := range loaded {
		s, err := p.Stats()
		if err != nil {
			return nil, fmt.Errorf("read what %s costs: %w", name, err)
		}
		if s.RunCount > 0 {
			programs = append(programs, Program{Name: name, Time: s.Runtime, Runs: s.RunCount})
		}
	}
	slices.SortFunc(programs, func(a, b Program) int { return strings.Compare(a.Name, b.Name) })
	return programs, nil
}
