package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"time"

	"github.com/tcptrail/tcptrail/internal/kernel"
	"github.com/tcptrail/tcptrail/internal/output"
	"github.com/tcptrail/tcptrail/internal/tcp"
	"github.com/tcptrail/tcptrail/internal/traffic"
)

// kernelCost is what the programs take, by the kernel's own statistics, and what the reader allocates.
type kernelCost struct {
	empty         time.Duration // one run of a program that does nothing, measured beside ours
	perTransition time.Duration // all our programs over one transition, less what empty ones would have taken
	allocsPerK    float64       // heap allocations per 1,000 events
	perStack      time.Duration // what --stacks adds to a connection, both of its ends' sockets and a user stack of this program
}

const bpfStats = "/proc/sys/kernel/bpf_stats_enabled"

// measureKernel takes the median of the rounds. Both programs run side by side, so what shakes one shakes the other.
func measureKernel(o options) (cost kernelCost, err error) {
	before, err := os.ReadFile(bpfStats)
	if err != nil {
		return kernelCost{}, fmt.Errorf("read kernel statistics switch: %w", err)
	}
	if err := os.WriteFile(bpfStats, []byte("1"), 0); err != nil {
		return kernelCost{}, fmt.Errorf("switch on kernel statistics: %w", err)
	}
	defer func() { err = errors.Join(err, os.WriteFile(bpfStats, before, 0)) }()
	var costs []kernelCost
	for range o.rounds {
		c, err := measureKernelOnce(o)
		if err != nil {
			return kernelCost{}, err
		}
		fmt.Printf("in kernel: empty %v, ours %v a transition over it, stacks %v a connection; %.2f allocations per 1,000 events\n",
			c.empty, c.perTransition, c.perStack, c.allocsPerK)
		costs = append(costs, c)
	}
	sort.Slice(costs, func(i, j int) bool { return costs[i].perTransition < costs[j].perTransition })
	return costs[len(costs)/2], nil
}

// measureKernelOnce measures with and without stacks, the one right after the other.
func measureKernelOnce(o options) (cost kernelCost, err error) {
	if cost, err = measureTracer(o, kernel.Options{}); err != nil {
		return cost, err
	}
	with, err := measureTracer(o, kernel.Options{Stacks: true})
	cost.perStack = (with.perTransition - cost.perTransition) * traffic.TransitionsPerConnection
	return cost, err
}

func measureTracer(o options, traced kernel.Options) (cost kernelCost, err error) {
	empty, err := kernel.OpenEmpty()
	if err != nil {
		return cost, err
	}
	defer empty.Close()
	tracer, err := kernel.Open(traced)
	if err != nil {
		return cost, err
	}
	defer tracer.Close()
	events, mallocs, err := readAside(o, tracer)
	if err != nil {
		return cost, err
	}
	emptyRuns, emptyTime, err := empty.Cost()
	if err != nil {
		return cost, err
	}
	runs, total, err := tracer.Cost()
	if err != nil {
		return cost, err
	}
	cost.empty = emptyTime / time.Duration(max(emptyRuns, 1))
	cost.perTransition = (total - time.Duration(runs)*cost.empty) / time.Duration(max(emptyRuns, 1))
	cost.allocsPerK = 1000 * float64(mallocs) / float64(max(events, 1))
	return cost, nil
}

// readAside reads and writes JSON as trace does while load runs, and returns how many events came and how many
// objects were allocated meanwhile, those of the load's start and end among them.
func readAside(o options, tracer *kernel.Tracer) (events, mallocs uint64, err error) {
	file, err := os.Create(filepath.Join(o.dir, fmt.Sprintf("tcptrail-bench-%d.json", os.Getpid())))
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, file.Close(), os.Remove(file.Name())) }()
	done := make(chan error, 1)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	go func() { done <- readJSON(tracer, file, &events) }()
	if _, err := generate(o); err != nil {
		return 0, 0, err
	}
	if err := tracer.Stop(); err != nil {
		return 0, 0, err
	}
	if err := <-done; err != nil {
		return 0, 0, err
	}
	runtime.ReadMemStats(&after)
	return events, after.Mallocs - before.Mallocs, nil
}

func readJSON(tracer *kernel.Tracer, w io.Writer, events *uint64) error {
	out := output.New(w, output.Options{Format: output.JSON})
	var writeErr error
	handle := func(e *tcp.Event) {
		*events++
		writeErr = errors.Join(writeErr, out.Event(e))
	}
	for {
		err := tracer.Read(handle)
		if err := errors.Join(writeErr, out.Flush()); err != nil {
			return err
		}
		if errors.Is(err, kernel.ErrStopped) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
