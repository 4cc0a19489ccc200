package kernel

import (
	"errors"
	"fmt"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
)

// Empty is a program that does nothing on the tracepoint that the tracer uses: what it costs is the price of looking,
// and of the kernel's own measuring of it.
type Empty struct {
	program *ebpf.Program
	link    link.Link
}

// OpenEmpty loads and attaches it. Close takes it away.
func OpenEmpty() (*Empty, error) {
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name:         "empty",
		Type:         ebpf.Tracing,
		AttachType:   ebpf.AttachTraceRawTp,
		AttachTo:     "inet_sock_set_state",
		License:      "GPL",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
	})
	if err != nil {
		return nil, fmt.Errorf("load empty program: %w", err)
	}
	l, err := link.AttachTracing(link.TracingOptions{Program: program})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("attach empty program: %w", err), program.Close())
	}
	return &Empty{program: program, link: l}, nil
}

// Cost returns how often it ran and for how long in all, since kernel.bpf_stats_enabled was set (Linux 5.1).
func (e *Empty) Cost() (runs uint64, total time.Duration, err error) { return cost(e.program) }

// Close detaches and frees it.
func (e *Empty) Close() error { return errors.Join(e.link.Close(), e.program.Close()) }

// Cost returns how often the programs of the tracer ran and for how long in all, since kernel.bpf_stats_enabled was
// set (Linux 5.1). The descriptor walk is not in it.
func (t *Tracer) Cost() (runs uint64, total time.Duration, err error) {
	programs := []*ebpf.Program{
		t.programs.SetState, t.programs.DestroySock, t.programs.ReceiveReset, t.programs.SendReset,
	}
	for _, name := range []string{bpfProgSecondLook, bpfProgNoteStack} {
		if p := t.optional[name]; p != nil {
			programs = append(programs, p)
		}
	}
	if t.accept != nil {
		for _, p := range t.accept.Programs {
			programs = append(programs, p)
		}
	}
	return cost(programs...)
}

func cost(programs ...*ebpf.Program) (runs uint64, total time.Duration, err error) {
	for _, p := range programs {
		stats, err := p.Stats()
		if err != nil {
			return 0, 0, fmt.Errorf("read statistics of %v: %w", p, err)
		}
		runs += stats.RunCount
		total += stats.Runtime
	}
	return runs, total, nil
}
