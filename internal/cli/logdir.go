package cli

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/tcptrail/tcptrail/internal/archive"
	"github.com/tcptrail/tcptrail/internal/clock"
	"github.com/tcptrail/tcptrail/internal/kernel"
	"github.com/tcptrail/tcptrail/internal/leak"
	"github.com/tcptrail/tcptrail/internal/record"
	"github.com/tcptrail/tcptrail/internal/recorder"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// directoryOptions say how to keep a directory of recordings.
type directoryOptions struct {
	store  archive.Options // but for Now and Warn
	whole  bool            // one file for all processes
	limits leak.Limits     // of the hunt
	filter string          // as it was given; for the recording to say
	netns  []uint32        // likewise, by inode; none: all
}

// directory is a directory of recordings that a command keeps beside what else it does. That command
//
//   - opens it before the source, for the directory is the more likely not to be as it should;
//   - begins a session when the source is open, and gives it the hunt, which from then on records what it observes, loses
//     and looks at;
//   - records a baseline, once the source sees everything;
//   - calls flush after each Read of the source, and after each look: then all of it survives the death of the process;
//   - ends it when the source is stopped and the hunt is over.
//
// flush may be called from several goroutines.
type directory struct {
	env      *Env
	options  directoryOptions
	store    *archive.Archive
	recorder *recorder.Recorder // nil before begin
}

// openDirectory locks the directory and mends what a writer that was killed has left.
func openDirectory(env *Env, o directoryOptions) (*directory, error) {
	o.store.Now, o.store.Warn = time.Now, func(text string) {
		fmt.Fprintf(env.Stderr, "tcptrail: %s\n", oneLine(text))
	}
	store, err := archive.Open(o.store)
	if err != nil {
		return nil, err
	}
	return &directory{env: env, options: o, store: store}, nil
}

// begin begins a session, and lets a hunt record into it.
func (d *directory) begin(h *hunt) (err error) {
	fs := d.env.Proc
	d.recorder, err = recorder.New(d.store, recorder.Options{
		Whole: d.options.whole, Session: d.session(), Now: time.Now,
		Started: func(pid uint32) (time.Duration, bool) {
			since, err := fs.StartTime(pid)
			return since, err == nil
		},
	})
	if err != nil {
		return err
	}
	h.noted = &notedFacts{facts: h.facts}
	h.facts, h.recorder = h.noted, d.recorder
	return nil
}

func (d *directory) session() record.SessionInfo {
	s := record.SessionInfo{Version: d.env.Version, Limits: d.options.limits.String(), Filter: d.options.filter, NetNS: d.options.netns, PID: os.Getpid()}
	s.Host, _ = os.Hostname()
	if id, err := os.ReadFile("/proc/sys/kernel/random/boot_id"); err == nil {
		s.BootID = string(bytes.TrimSpace(id))
	}
	return s
}

// baseline records all sockets of where the source traces: from then on transitions tell the rest.
func (d *directory) baseline(source Source, where *selection, c *clock.Wall) error {
	o := kernel.SnapshotOptions{NetNS: where.snapshotOptions().NetNS}
	o.Tracer, _ = source.(*kernel.Tracer)
	snapshots, err := d.env.OpenSnapshots(o)
	if err != nil {
		return err
	}
	s, err := snapshots.Take()
	if err = errors.Join(err, snapshots.Close()); err != nil {
		return err
	}
	now := c.Refresh()
	return d.recorder.Look(c.At(now), s, &record.Look{Now: now, Baseline: true})
}

// flush hands what was recorded to the kernel.
func (d *directory) flush() { d.recorder.Flush() }

// end ends the session, if one has begun, and gives the directory up; nil has none.
func (d *directory) end() error {
	if d == nil {
		return nil
	}
	if d.recorder != nil {
		d.recorder.End()
	}
	return d.store.Close()
}

// account says what is in the directory.
func (d *directory) account() keptAccount {
	s := d.store.Stats()
	a := keptAccount{done: "recorded", undone: "not written", lost: s.Lost}
	if d.recorder != nil {
		a.kept = d.recorder.Written()
	}
	a.where = fmt.Sprintf("; %s of %d bytes", plural(s.Files, "file"), s.Disk)
	return a
}

// directoryKeeper is log into a directory: its hunt looks at what is stuck, as leaks does, for the recording to tell why.
type directoryKeeper struct {
	*directory
	selection *selection
	hunt      *hunt
}

func openDirectoryKeeper(env *Env, p *logPlan) (*directoryKeeper, error) {
	d, err := openDirectory(env, p.directory)
	if err != nil {
		return nil, err
	}
	return &directoryKeeper{directory: d, selection: p.selection}, nil
}

func (k *directoryKeeper) begin(source Source) error {
	h, err := newHunt(k.env, &leaksPlan{selection: k.selection, limits: k.options.limits}, source)
	if err != nil {
		return err
	}
	k.hunt = h
	return k.directory.begin(k.hunt)
}

// event is for the hunt, which records what it observes, in the same order.
func (k *directoryKeeper) event(e *tcp.Event) { k.hunt.observe(e) }

func (k *directoryKeeper) watch(source Source, ready func() error, stop <-chan struct{}) error {
	if _, err := source.Adopt(); err != nil { // first, so that the baseline has owners
		return err
	}
	if err := k.baseline(source, k.selection, k.hunt.clock); err != nil {
		return err
	}
	if err := ready(); err != nil {
		return err
	}
	told := func(*report) error {
		k.flush()
		return nil
	}
	return k.hunt.watch(source, told, nil, stop)
}

func (k *directoryKeeper) end(*kernel.Stats) (err error) {
	if k.hunt != nil {
		err = k.hunt.snapshots.Close()
	}
	return errors.Join(err, k.directory.end())
}
