// Package kernel is the one package that talks to BPF: it loads the programs of bpf/, attaches them, reads their
// records and counters, and walks descriptors and sockets. It hands out the words of package tcp and keeps the
// kernel's own to itself.
package kernel

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/tcptrail/tcptrail/internal/filter"
)

// Options say what to trace. The zero value traces everything with the ring's built-in size.
type Options struct {
	// Filter is what the kernel decides of it; Filter.MatchRest is left to the caller.
	Filter filter.Filter
	// RingBytes is the most that the rings between kernel and reader may take, over all CPUs, though each has room
	// for 2,048 records at least; 0 is 16 MiB.
	RingBytes int
	// Gauges makes Counter.Watch possible.
	Gauges bool
	// Pin is a directory in bpffs, such as PinDir, in which what is known of sockets is kept: Snapshots of other processes
	// read it, and the next tracer goes on with it. "" keeps nothing.
	Pin string
	// Stacks makes Tracer.Stacks possible, and lets sockets and events name the stack that opened them. Linux 5.15.
	Stacks bool
	// Family narrows stacks and what LeftOnly is about to descendants of this process, which has to be a subreaper
	// (prctl(2)) so that those whose parents have ended stay descendants. 0 does not.
	Family uint32
	// LeftOnly lets only what ending processes leave open become events, see tcp.Event.Left, and what is closed after
	// Overdue or more in CLOSE_WAIT, FIN_WAIT2 or as a zombie; 0 is never. The rest counts as filtered.
	LeftOnly bool
	Overdue  time.Duration
	// Durations makes Tracer.Durations possible.
	Durations bool
	// Silent is for who wants Stats alone: no transition becomes an event, and all count as filtered.
	Silent bool
}

// Tracer follows every TCP socket of the host. Read and Stop may run in different goroutines, and Stats in any; all
// else is for one goroutine. It needs Linux 5.12 with BTF, CAP_BPF and CAP_PERFMON.
type Tracer struct {
	programs *requiredPrograms
	maps     *requiredMaps
	sleeps   *ebpf.Variable
	walker   *ebpf.Variable
	accept   *ebpf.Collection         // nil where the kernel refuses trampolines
	optional map[string]*ebpf.Program // by name, those that Options and this kernel ask for
	links    []link.Link              // of the programs that serve those which follow transitions
	follows  []link.Link              // of those
	ends     []link.Link              // of the one that sees sockets freed
	reader   *reader
	stacks   *Stacks // nil unless asked for
	pin      *pin    // nil unless asked for
	notes    []string
}

type requiredPrograms struct {
	SetState      *ebpf.Program `ebpf:"inet_sock_set_state"`
	DestroySock   *ebpf.Program `ebpf:"tcp_destroy_sock"`
	ReceiveReset  *ebpf.Program `ebpf:"tcp_receive_reset"`
	SendReset     *ebpf.Program `ebpf:"tcp_send_reset"`
	Walk          *ebpf.Program `ebpf:"walk_descriptors"`
	AdoptSubflows *ebpf.Program `ebpf:"adopt_subflows"`
	_             struct{}
}

type requiredMaps struct {
	Rings         *ebpf.Map `ebpf:"rings"`
	Doorbell      *ebpf.Map `ebpf:"doorbell"`
	Entries       *ebpf.Map `ebpf:"entries"`
	Cells         *ebpf.Map `ebpf:"cells"`
	Counts        *ebpf.Map `ebpf:"counts"`
	Stays         *ebpf.Map `ebpf:"stays"`
	Subflows      *ebpf.Map `ebpf:"subflows"`
	Stacks        *ebpf.Map `ebpf:"stacks"`
	Drafts        *ebpf.Map `ebpf:"drafts"`
	FreshStacks   *ebpf.Map `ebpf:"fresh_stacks"`
	TargetPids    *ebpf.Map `ebpf:"target_pids"`
	TargetNetns   *ebpf.Map `ebpf:"target_netns"`
	TargetCgroups *ebpf.Map `ebpf:"target_cgroups"`
}

// Open loads the programs and attaches them: from its return on, every transition is seen. Sockets older than that
// have no owner until Adopt has run. A kernel that cannot do it, or a process that may not, is an *UnsupportedError.
func Open(o Options) (_ *Tracer, err error) {
	if err := checkHost(tracerRoom); err != nil {
		return nil, err
	}
	t := &Tracer{}
	defer func() {
		if err != nil {
			t.Close()
		}
	}()
	if o.Pin != "" {
		if t.pin, err = openPin(o.Pin); err != nil {
			return nil, err
		}
	}
	spec, err := loadBpf()
	if err != nil {
		return nil, fmt.Errorf("read programs: %w", err)
	}
	cache := btf.NewCache()
	if err := t.load(spec.Copy(), o, cache); err != nil {
		return nil, explain("load", err)
	}
	if t.reader, err = newReader(t.maps, t.sleeps); err != nil {
		return nil, err
	}
	if o.Stacks {
		if t.stacks, err = openStacks(t.maps); err != nil {
			return nil, err
		}
	}
	if err := t.attach(); err != nil {
		return nil, explain("attach", err)
	}
	if err := t.attachAccept(spec, &o, cache); err != nil {
		t.notes = append(t.notes, acceptNote(err))
	}
	return t, nil
}

// load shapes the spec, which it may change, as the options and this kernel ask for, and loads it.
func (t *Tracer) load(spec *ebpf.CollectionSpec, o Options, cache *btf.Cache) error {
	var variables bpfVariableSpecs
	if err := spec.Assign(&variables); err != nil {
		return err
	}
	if err := configure(&variables, &o.Filter); err != nil {
		return err
	}
	if err := errors.Join(choose(&variables, &o), variables.Silent.Set(o.Silent || o.LeftOnly),
		variables.OverdueNs.Set(uint64(o.Overdue))); err != nil {
		return err
	}
	if !o.Stacks {
		spec.Maps[bpfMapStacks].MaxEntries = 1
		spec.Maps[bpfMapFreshStacks].MaxEntries = uint32(unix.Getpagesize())
	}
	spec.Maps[bpfMapCells].MaxEntries = 1
	if hasCells(&o) {
		cpus, err := ebpf.PossibleCPU()
		if err != nil {
			return err
		}
		spec.Maps[bpfMapCells].MaxEntries = cells + desks*uint32(cpus)
	}
	if err := shape(spec, &variables, o.RingBytes, runtime.GOARCH == "amd64"); err != nil {
		return err
	}
	delete(spec.Programs, bpfProgInetCskAcceptArg)
	delete(spec.Programs, bpfProgInetCskAcceptFlags)
	for name, wanted := range optionalPrograms(&o) {
		if !wanted {
			delete(spec.Programs, name)
		}
	}
	if err := t.takePinned(spec, &variables, cache); err != nil {
		return err
	}
	return fillTargets(t.maps, &o.Filter)
}

// cells is CELLS of bpf/cell.h, desks its DESKS.
const (
	cells = 1 << 16
	desks = 3
)

// hasCells says whether entries may be in cells: see bpf/cell.h.
func hasCells(o *Options) bool { return o.Pin == "" && hasSettledChildren(Release()) }

// choose sets what every program has to know.
func choose(v *bpfVariableSpecs, o *Options) error {
	return errors.Join(v.Preemptible.Set(isPreemptible(Release())), v.WithStacks.Set(o.Stacks), v.WithStays.Set(o.Durations),
		v.WithCells.Set(hasCells(o)), v.Family.Set(o.Family))
}

// takePinned is take with what a tracer before us has left, where entries are kept.
func (t *Tracer) takePinned(spec *ebpf.CollectionSpec, v *bpfVariableSpecs, cache *btf.Cache) error {
	options := ebpf.CollectionOptions{Cache: cache}
	if t.pin == nil {
		return t.take(spec, options)
	}
	if err := v.Session.Set(newSession()); err != nil {
		return err
	}
	release, err := t.pin.take(spec, &options)
	if err != nil {
		return err
	}
	err = t.take(spec, options)
	if err = errors.Join(err, release()); err != nil {
		return err
	}
	return t.pin.keep(t.maps.Entries)
}

// take loads what is in the spec and makes it ours.
func (t *Tracer) take(spec *ebpf.CollectionSpec, options ebpf.CollectionOptions) error {
	loaded, err := ebpf.NewCollectionWithOptions(spec, options)
	if err != nil {
		return err
	}
	defer loaded.Close()
	var objects struct {
		requiredPrograms
		requiredMaps
		Sleeps *ebpf.Variable `ebpf:"reader_sleeps"`
		Walker *ebpf.Variable `ebpf:"walker_pid"`
	}
	if err := loaded.Assign(&objects); err != nil {
		return err
	}
	t.programs, t.maps = &objects.requiredPrograms, &objects.requiredMaps
	t.sleeps, t.walker = objects.Sleeps, objects.Walker
	t.optional = map[string]*ebpf.Program{}
	for name := range optionalPrograms(&Options{}) {
		if p := loaded.DetachProgram(name); p != nil {
			t.optional[name] = p
		}
	}
	return nil
}

// optionalPrograms says which programs are wanted of those that not every tracer has.
func optionalPrograms(o *Options) map[string]bool {
	return map[string]bool{
		bpfProgSecondLook:     isPreemptible(Release()),
		bpfProgWatchSockets:   o.Gauges,
		bpfProgNoteStack:      o.Stacks,
		bpfProgNoteExec:       o.Stacks && o.Family != 0,
		bpfProgTellLeftOpen:   o.LeftOnly,
		bpfProgTellLeftZombie: o.LeftOnly,
	}
}

// attach arms the programs that note signs before those that use them.
func (t *Tracer) attach() error {
	first := []*ebpf.Program{t.programs.ReceiveReset, t.programs.SendReset}
	for _, name := range []string{bpfProgNoteExec, bpfProgNoteStack, bpfProgTellLeftOpen, bpfProgTellLeftZombie} {
		if p := t.optional[name]; p != nil {
			first = append(first, p)
		}
	}
	if err := arm(&t.links, first...); err != nil {
		return err
	}
	if err := arm(&t.ends, t.programs.DestroySock); err != nil {
		return err
	}
	return t.follow()
}

// follow arms the programs that follow transitions. Those attached first run first.
func (t *Tracer) follow() error {
	if second := t.optional[bpfProgSecondLook]; second != nil {
		return arm(&t.follows, t.programs.SetState, second)
	}
	return arm(&t.follows, t.programs.SetState)
}

func arm(links *[]link.Link, programs ...*ebpf.Program) error {
	for _, p := range programs {
		l, err := link.AttachTracing(link.TracingOptions{Program: p})
		if err != nil {
			return fmt.Errorf("%v: %w", p, err)
		}
		*links = append(*links, l)
	}
	return nil
}

// Notes says, a sentence each, what is less exact on this host than it could be.
func (t *Tracer) Notes() []string { return t.notes }

// Stacks returns the stacks from which sockets are opened, nil unless Options ask for them.
func (t *Tracer) Stacks() *Stacks { return t.stacks }

// Stop detaches the programs and lets Read return what is still in the ring, and then ErrStopped. It may be called
// more than once and from any goroutine, though not while Open runs.
func (t *Tracer) Stop() error {
	return errors.Join(t.detach(), settle(), t.reader.stop(), t.stacks.stop())
}

// settle waits until no program runs any more: they run with preemption disabled, so a grace period of RCU is enough,
// and MEMBARRIER_CMD_GLOBAL is one (kernel/sched/membarrier.c).
func settle() error {
	const membarrierCmdGlobal = 1
	if _, _, errno := unix.Syscall(unix.SYS_MEMBARRIER, membarrierCmdGlobal, 0, 0); errno != 0 && errno != unix.ENOSYS {
		return fmt.Errorf("wait for the programs to end: %w", errno)
	}
	return nil
}

// detach takes first the program off that closes the books of a missed end: while it outlives those that see ends, each
// socket that ends is a miss of our own making.
func (t *Tracer) detach() error {
	return errors.Join(closeAll(t.ends...), closeAll(t.follows...), closeAll(t.links...))
}

// Close detaches and frees everything. Nothing is left behind in the kernel.
func (t *Tracer) Close() error {
	errs := []error{t.detach()}
	if t.reader != nil {
		errs = append(errs, t.reader.close())
	}
	errs = append(errs, t.stacks.close())
	if t.accept != nil {
		t.accept.Close()
	}
	if t.programs != nil {
		errs = append(errs, closeAll(t.programs.SetState, t.programs.DestroySock, t.programs.ReceiveReset,
			t.programs.SendReset, t.programs.Walk, t.programs.AdoptSubflows))
	}
	for _, p := range t.optional {
		errs = append(errs, p.Close())
	}
	if t.maps != nil {
		errs = append(errs, closeAll(t.maps.Rings, t.maps.Doorbell, t.maps.Entries, t.maps.Cells, t.maps.Counts, t.maps.Stays, t.maps.Subflows,
			t.maps.Stacks, t.maps.Drafts, t.maps.FreshStacks, t.maps.TargetPids, t.maps.TargetNetns, t.maps.TargetCgroups))
	}
	if t.pin != nil { // last, so that nobody else writes before our programs have ended
		errs = append(errs, t.pin.close())
	}
	return errors.Join(errs...)
}

func closeAll[C interface{ Close() error }](closers ...C) error {
	var errs []error
	for _, c := range closers {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}
