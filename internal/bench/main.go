// Command bench measures what tracing costs: connections opened and closed on loopback as fast as two workers can,
// untraced and traced in turn, so that a drift of the machine's speed hits both. It prints ratios and a Markdown table.
//
// With -snapshot it measures what a look at all sockets costs instead: whole commands, ours and those of others, in turn.
//
// With -deadline it measures how late a stuck socket is told of, while leaks watches many others.
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

	args []string // what a child is to do
}

func main() {
	var o options
	flag.StringVar(&o.binary, "binary", "bin/tcptrail", "tracer to measure")
	flag.IntVar(&o.rounds, "rounds", 5, "pairs of untraced and traced runs; runs of each command of -snapshot")
	flag.DurationVar(&o.seconds, "seconds", 4*time.Second, "length of one run")
	flag.IntVar(&o.workers, "workers", 2, "threads that open and close connections")
	flag.StringVar(&o.dir, "dir", memoryDir, "where the traced runs write their JSON; in memory, not to measure a disk")
	flag.BoolVar(&o.snapshot, "snapshot", false, "compare commands that show the sockets of now, instead")
	flag.BoolVar(&o.deadline, "deadline", false, "measure how late leaks tells of a socket, instead")
	flag.StringVar(&o.sizes, "sizes", defaultSizes, "of -snapshot and -deadline: numbers of sockets")
	flag.DurationVar(&o.limit, "limit", time.Minute, "of -snapshot: longest run of a command, which is cut then")
	flag.Parse()
	o.args = flag.Args()
	run := measure
	switch {
	case flag.Arg(0) == loadCommand:
		run = runLoad
	case flag.Arg(0) == holdCommand:
		run = runHold
	case o.deadline:
		run = measureDeadline
	case o.snapshot:
		run = measureSnapshot
	}
	if err := run(o); err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
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
