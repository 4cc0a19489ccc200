package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"github.com/tcptrail/tcptrail/internal/traffic"
)

// countCommand makes this program one that makes a number of connections, in a network namespace of its own.
const countCommand = "make"

// replays are the ways to play a recording that are measured.
var replays = [][]string{{"replay", "count"}, {"replay", "leaks"}, {"replay"}, {"replay", "-o", "json"}}

// played is what one way took, round by round.
type played struct {
	args []string
	runs []figures
}

// measureReplay records transitions, and measures how fast the recording is played.
func measureReplay(o options) (err error) {
	d, err := startLog(o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.remove()) }()
	if err := makeConnections(o, o.events/traffic.TransitionsPerConnection); err != nil {
		return fmt.Errorf("%w: %s", err, d.kill())
	}
	said, err := d.stop()
	if err != nil {
		return err
	}
	fmt.Printf("%s%s", describeMachine(context.Background(), nil, nil), said)
	r, err := measureRecording(d.recording())
	if err != nil {
		return err
	}
	all := make([]played, len(replays))
	for range o.rounds {
		for i, args := range replays {
			ours := contender{argv: append(append([]string{o.binary}, args...), d.recording())}
			f, err := ours.run(context.Background(), netns{}, o.limit, nil)
			if err != nil {
				return err
			}
			all[i].args, all[i].runs = args, append(all[i].runs, f)
		}
	}
	reportReplay(os.Stdout, &r, all)
	return nil
}

func reportReplay(w io.Writer, r *recording, all []played) {
	fmt.Fprintf(w, "\nA recording of %s lines: %.1f MB, %.1f MB compressed, in files: %d\n\n", grouped(int(r.lines)),
		float64(r.plain)/1e6, float64(r.disk)/1e6, r.files)
	fmt.Fprintf(w, "| to /dev/null | wall time, median | lines/s | MB/s of lines | CPU | memory |\n|%s\n", strings.Repeat(" --- |", 6))
	for _, p := range all {
		wall := median(p.runs, figures.seconds)
		fmt.Fprintf(w, "| `tcptrail %s` | %s | %s | %.0f | %s | %s |\n", strings.Join(p.args, " "), wallCell(p.runs),
			grouped(int(float64(r.lines)/wall)), float64(r.plain)/1e6/wall, cpuCell(p.runs), memoryCell(p.runs))
	}
}

// makeConnections opens and closes so many, in a child with a fresh network namespace.
func makeConnections(o options, n int) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, "-workers", strconv.Itoa(o.workers), countCommand, strconv.Itoa(n))
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("make %d connections: %w: %s", n, err, errs.String())
	}
	return nil
}

// runCount is the child's side.
func runCount(o options) error {
	if len(o.args) != 2 {
		return fmt.Errorf("%s: %d arguments, want 1", countCommand, len(o.args)-1)
	}
	n, err := strconv.Atoi(o.args[1])
	if err != nil {
		return fmt.Errorf("%s: %w", countCommand, err)
	}
	if err := bringUpLoopback(); err != nil {
		return err
	}
	_, err = traffic.Count(o.workers, n/o.workers)
	return err
}
