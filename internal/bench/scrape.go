package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

const (
	// scrapes gives a 95th percentile to speak of.
	scrapes = 50
	// scrapePause is longer than serve answers with the same reading (metrics.DefaultMaxAge), so that each scrape is one.
	scrapePause = 250 * time.Millisecond
	// looks are fewer: each shows all sockets.
	looks = 20
	// countLimit is how long the first count of who has how many sockets may take.
	countLimit = 30 * time.Second
)

// questions are what a daemon is asked of a host with many processes.
var questions = []struct {
	path  string
	times int
	pause time.Duration
}{
	{"/metrics", scrapes, scrapePause},
	{"/api/v1/count", looks, 0},
	{"/api/v1/count?by=process", looks, 0},
	{"/api/v1/list", looks, 0},
}

// answers are what came back.
type answers struct {
	path   string
	took   []time.Duration
	bytes  int
	lines  int // that are no comment: series, in metrics
	daemon time.Duration
}

// measureScrape measures what a daemon needs to tell of many processes.
func measureScrape(o options) (err error) {
	p, err := newPopulation(o.processes)
	if err != nil {
		return err
	}
	defer p.close()
	fmt.Printf("%s%s processes with a connection each, both ends\n\n", describeMachine(context.Background(), nil, nil), grouped(o.processes))
	d, err := startServe(o)
	if err != nil {
		return err
	}
	defer func() {
		_, stopErr := d.stop()
		err = errors.Join(err, stopErr, d.remove())
	}()
	if err := d.awaitCounted(); err != nil {
		return err
	}
	var all []answers
	for _, q := range questions {
		a := answers{path: q.path}
		for range q.times {
			time.Sleep(q.pause)
			if err := a.ask(d); err != nil {
				return err
			}
		}
		all = append(all, a)
	}
	memory, err := residentMemory(d.cmd.Process.Pid)
	if err != nil {
		return err
	}
	reportScrape(os.Stdout, all, memory)
	return nil
}

// awaitCounted waits until serve has counted who has how many sockets: only then all series are there.
func (d *daemon) awaitCounted() error {
	for deadline := time.Now().Add(countLimit); ; time.Sleep(scrapePause) {
		text, err := d.get("/metrics")
		switch {
		case err != nil:
			return err
		case bytes.Contains(text, []byte("\ntcptrail_process_sockets{")):
			return nil
		case time.Now().After(deadline):
			return fmt.Errorf("no process in the answer of /metrics after %v", countLimit)
		}
	}
}

// ask asks once more.
func (a *answers) ask(d *daemon) error {
	before, err := d.cpu()
	if err != nil {
		return err
	}
	began := time.Now()
	text, err := d.get(a.path)
	if err != nil {
		return err
	}
	a.took = append(a.took, time.Since(began))
	after, err := d.cpu()
	a.daemon += after - before
	a.bytes, a.lines = len(text), series(text)
	return err
}

// series counts lines that are no comment.
func series(text []byte) (n int) {
	for line := range bytes.Lines(text) {
		if len(line) > 1 && line[0] != '#' {
			n++
		}
	}
	return n
}

func reportScrape(w io.Writer, all []answers, memory map[string]int64) {
	fmt.Fprintf(w, "| asked for | times | median | 95 %% | longest | CPU of the daemon, mean | bytes | lines |\n|%s\n", strings.Repeat(" --- |", 8))
	for _, a := range all {
		slices.Sort(a.took)
		at := func(share float64) string {
			return threeDigits(a.took[int(share*float64(len(a.took)-1)+0.5)].Seconds()*1e3) + " ms"
		}
		fmt.Fprintf(w, "| `%s` | %d | %s | %s | %s | %s ms | %s | %s |\n", a.path, len(a.took), at(0.5), at(0.95), at(1),
			threeDigits(a.daemon.Seconds()*1e3/float64(len(a.took))), grouped(a.bytes), grouped(a.lines))
	}
	fmt.Fprintf(w, "\nMemory of the daemon: %.1f MB resident, %.1f MB at the highest\n", float64(memory["VmRSS"])/1e6, float64(memory["VmHWM"])/1e6)
}

// residentMemory returns the lines of /proc/PID/status that are sizes, in bytes.
func residentMemory(pid int) (map[string]int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return nil, err
	}
	sizes := map[string]int64{}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(line, ":")
		var kB int64
		if n, _ := fmt.Sscanf(value, "%d kB", &kB); n == 1 && strings.HasSuffix(line, "kB\n") {
			sizes[key] = kB << 10
		}
	}
	return sizes, nil
}
