// Command bench measures what tracing costs: connections opened and closed on loopback as fast as two workers can,
// untraced and traced in turn, so that a drift of the machine's speed hits both. It prints ratios and a Markdown table.
//
// With -snapshot it measures what a look at all sockets costs instead: whole commands, ours and those of others, in turn.
//
// With -deadline it measures how late a stuck socket is told of, while leaks watches many others.
//
// With -serve it measures what serve and log cost the connections; with -scrape, what serve takes to tell of many processes;
// with -replay, how fast recordings are played.
//
// It needs root and bin/tcptrail. All traffic stays in network namespaces that it makes.
package main

import (
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/tcptrail/tcptrail/internal/traffic"
)

// memoryDir is a tmpfs on every Linux.
const memoryDir = "/dev/shm"

// runLength is the length of a run unless it is given.
const runLength = 4 * time.Second

// options are the flags.
type options struct {
	binary  string
	rounds  int
	seconds time.Duration
	workers int
	dir     string

	snapshot bool
	deadline bool
	sizes    string
	limit    time.Duration

	serve     bool
	only      string
	scrape    bool
	processes int
	replay    bool
	events    int

	args []string // what a child is to do
}

func main() {
	var o options
	flag.StringVar(&o.binary, "binary", "bin/tcptrail", "tracer to measure")
	flag.IntVar(&o.rounds, "rounds", 5, "pairs of untraced and traced runs; runs of each command of -snapshot and -replay")
	flag.DurationVar(&o.seconds, "seconds", 0, fmt.Sprintf("length of one run (default %v; %v with -serve)", runLength, serveLength))
	flag.IntVar(&o.workers, "workers", 2, "threads that open and close connections")
	flag.StringVar(&o.dir, "dir", memoryDir, "where the traced runs write their JSON; in memory, not to measure a disk")
	flag.BoolVar(&o.snapshot, "snapshot", false, "compare commands that show the sockets of now, instead")
	flag.BoolVar(&o.deadline, "deadline", false, "measure how late leaks tells of a socket, instead")
	flag.StringVar(&o.sizes, "sizes", defaultSizes, "of -snapshot and -deadline: numbers of sockets")
	flag.DurationVar(&o.limit, "limit", time.Minute, "of -snapshot and -replay: longest run of a command, which is cut then")
	flag.BoolVar(&o.serve, "serve", false, "measure what serve and log cost the connections, instead")
	flag.StringVar(&o.only, "only", "", "of -serve: only rows with this in their names, as log")
	flag.BoolVar(&o.scrape, "scrape", false, "measure what serve takes to tell of many processes, instead")
	flag.IntVar(&o.processes, "processes", 10_000, "of -scrape: how many")
	flag.BoolVar(&o.replay, "replay", false, "measure how fast a recording is played, instead")
	flag.IntVar(&o.events, "events", 1_000_000, "of -replay: transitions to record")
	flag.Parse()
	o.args = flag.Args()
	if o.seconds == 0 {
		if o.seconds = runLength; o.serve {
			o.seconds = serveLength
		}
	}
	run := measure
	switch {
	case flag.Arg(0) == loadCommand:
		run = runLoad
	case flag.Arg(0) == holdCommand:
		run = runHold
	case flag.Arg(0) == populateCommand:
		run = runPopulate
	case flag.Arg(0) == countCommand:
		run = runCount
	case o.serve:
		run = measureServe
	case o.scrape:
		run = measureScrape
	case o.replay:
		run = measureReplay
	case o.deadline:
		run = measureDeadline
	case o.snapshot:
		run = measureSnapshot
	}
	if err := o.check(); err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(2)
	}
	if err := run(o); err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
}

// check refuses numbers that nothing can be measured with.
func (o *options) check() error {
	for name, n := range map[string]int{"rounds": o.rounds, "workers": o.workers, "processes": o.processes, "events": o.events} {
		if n < 1 {
			return fmt.Errorf("-%s: give at least 1", name)
		}
	}
	return nil
}

func measure(o options) error {
	fmt.Printf("%d rounds of %v, %d workers, %d transitions a connection\n\n", o.rounds, o.seconds, o.workers,
		traffic.TransitionsPerConnection)
	saturation, err := measureSaturation(o)
	if err != nil {
		return err
	}
	inKernel, err := measureKernel(o)
	if err != nil {
		return err
	}
	report(os.Stdout, saturation, inKernel)
	return nil
}
