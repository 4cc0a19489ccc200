package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// round is one untraced run and the traced one after it.
type round struct {
	untraced, traced float64 // connections a second
	tracer           tracerRun
}

// tracerRun is what the tracer's own process used and saw.
type tracerRun struct {
	seen, delivered, lost, missed uint64
	cpu                           time.Duration // after it was ready
	maxRSS                        int64         // bytes
	bytes                         int64         // of JSON
}

func (r tracerRun) cpuPerEvent() time.Duration { return r.cpu / time.Duration(max(r.seen, 1)) }

func measureSaturation(o options) ([]round, error) {
	if _, err := generate(o); err != nil { // warm-up, not counted
		return nil, err
	}
	var rounds []round
	for i := range o.rounds {
		var r round
		var err error
		if r.untraced, err = generate(o); err != nil {
			return nil, err
		}
		if r.tracer, err = tracing(o, func() error {
			r.traced, err = generate(o)
			return err
		}); err != nil {
			return nil, err
		}
		fmt.Printf("round %d: untraced %6.0f/s, traced %6.0f/s, ratio %.3f; %d events, %d lost, %v of reader CPU an event\n",
			i+1, r.untraced, r.traced, r.traced/r.untraced, r.tracer.seen, r.tracer.lost, r.tracer.cpuPerEvent())
		rounds = append(rounds, r)
	}
	return rounds, nil
}

// tracing runs f while the tracer writes JSON to a file.
func tracing(o options, f func() error) (run tracerRun, err error) {
	dir, err := os.MkdirTemp(o.dir, "tcptrail-bench-")
	if err != nil {
		return run, err
	}
	defer os.RemoveAll(dir)
	out, err := os.Create(filepath.Join(dir, "events.json"))
	if err != nil {
		return run, err
	}
	defer out.Close()
	ready := filepath.Join(dir, "ready")
	var summary bytes.Buffer
	cmd := exec.Command(o.binary, "trace", "-o", "json", "--ready-file", ready)
	cmd.Stdout, cmd.Stderr = out, &summary
	if err := cmd.Start(); err != nil {
		return run, fmt.Errorf("start tracer: %w", err)
	}
	defer func() { _ = cmd.Process.Kill() }() // no-op after Wait
	if err := waitFor(ready); err != nil {
		return run, fmt.Errorf("%w: %s", err, summary.String())
	}
	before, err := processTime(cmd.Process.Pid)
	if err != nil {
		return run, err
	}
	if err := f(); err != nil {
		return run, err
	}
	if err := cmd.Process.Signal(unix.SIGINT); err != nil {
		return run, err
	}
	if err := cmd.Wait(); err != nil {
		return run, fmt.Errorf("tracer: %w: %s", err, summary.String())
	}
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	run.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime() - before
	run.maxRSS = usage.Maxrss << 10
	if run.bytes, err = out.Seek(0, io.SeekEnd); err != nil {
		return run, err
	}
	return run, run.parse(summary.String())
}

// parse reads the summary line.
func (r *tracerRun) parse(text string) error {
	at := strings.LastIndex(text, "tcptrail: seen ")
	if at < 0 {
		return fmt.Errorf("tracer printed no summary: %q", text)
	}
	_, err := fmt.Sscanf(text[at:], "tcptrail: seen %d, delivered %d, lost %d, missed %d", &r.seen, &r.delivered, &r.lost, &r.missed)
	return err
}

const (
	readyLimit = 10 * time.Second      // a tracer that takes longer to start is broken
	readyPoll  = 10 * time.Millisecond // short beside the length of a run
)

func waitFor(path string) error {
	for deadline := time.Now().Add(readyLimit); time.Now().Before(deadline); time.Sleep(readyPoll) {
		if _, err := os.Stat(path); err == nil {
			return nil
		}
	}
	return fmt.Errorf("tracer is not ready after %v", readyLimit)
}
