package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
)

// What is torn apart by the borders of writes is counted, and once.
func TestOccurrences(t *testing.T) {
	const text = "x\nevent: transition\nid: 1\n\nevent: lost\n\nevent: transition\n\nevent: transition\n"
	for size := 1; size <= len(text); size++ {
		c := occurrences{of: []byte("\nevent: transition\n")}
		for rest := text; rest != ""; {
			n := min(size, len(rest))
			if written, err := c.Write([]byte(rest[:n])); written != n || err != nil {
				t.Fatal(written, err)
			}
			rest = rest[n:]
		}
		if c.n != 3 {
			t.Errorf("in parts of %d: %d", size, c.n)
		}
	}
}

func TestSample(t *testing.T) {
	text := []byte("# HELP a_total x\na_total{b=\"c\"} 3\na_total_more 4\na_total 1.5e+06\n")
	if got, err := sample(text, "a_total"); got != 1.5e6 || err != nil {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := sample(text, "a_tota"); err == nil {
		t.Error("there is no such metric")
	}
	if got := series(text); got != 3 {
		t.Errorf("%d series", got)
	}
}

// A process's CPU time grows while it works, and threads that have ended count.
func TestProcessTime(t *testing.T) {
	before, err := processTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if err := onThread(func() error {
		for began := time.Now(); time.Since(began) < 20*time.Millisecond; { // works
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	after, err := processTime(os.Getpid())
	if err != nil || after <= before {
		t.Errorf("%v, before %v, %v", after, before, err)
	}
	ended := exec.Command("true")
	if err := ended.Run(); err != nil {
		t.Fatal(err)
	}
	if _, err := processTime(ended.Process.Pid); err == nil {
		t.Error("time of a process that is gone")
	}
}

func TestResidentMemory(t *testing.T) {
	sizes, err := residentMemory(os.Getpid())
	if err != nil || sizes["VmRSS"] < 1<<20 || sizes["VmHWM"] < sizes["VmRSS"] || sizes["Threads"] != 0 {
		t.Errorf("%v, %v", sizes, err)
	}
}

func TestMeasureRecording(t *testing.T) {
	dir := t.TempDir()
	packed, err := os.Create(filepath.Join(dir, "a.000001.jsonl.zst"))
	if err != nil {
		t.Fatal(err)
	}
	w, err := zstd.NewWriter(packed)
	if err != nil {
		t.Fatal(err)
	}
	line := strings.Repeat("x", 999) + "\n"
	for range 10 {
		if _, err := w.Write([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := packed.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "a.jsonl"), []byte(line), 0o640); err != nil {
		t.Fatal(err)
	}
	r, err := measureRecording(dir)
	if err != nil || r.lines != 11 || r.plain != 11_000 || r.files != 2 || r.disk <= 1000 || r.disk > 2000 {
		t.Errorf("%+v, %v", r, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "b.jsonl.zst"), []byte("none"), 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := measureRecording(dir); err == nil {
		t.Error("a file that is damaged was measured")
	}
}

func TestAccount(t *testing.T) {
	d := &daemon{dir: t.TempDir()}
	var b beside
	said := "tcptrail: a note\ntcptrail: seen 30, recorded 20, lost 7, missed 1, filtered 3 in 1s; 2 files of 9 bytes\n"
	if err := b.account(d, said); err != nil || b.delivered != 20 || b.lost != 7 {
		t.Errorf("%+v, %v", b, err)
	}
	for _, text := range []string{"", "tcptrail: seen x"} {
		if err := b.account(d, text); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
}

// fakeTracer is a script in the place of tcptrail.
func fakeTracer(t *testing.T, script string) options {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tracer")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	return options{binary: path, dir: t.TempDir()}
}

// A daemon is started, stopped, and leaves nothing behind.
func TestDaemon(t *testing.T) {
	o := fakeTracer(t, `trap 'echo ended >&2; exit 0' TERM
while [ "$1" != --ready-file ]; do shift; done
echo $$ > "$2"
while :; do sleep 0.01; done
`)
	d, err := startLog(o)
	if err != nil {
		t.Fatal(err)
	}
	if said, err := d.stop(); said != "ended\n" || err != nil {
		t.Errorf("%q, %v", said, err)
	}
	if err := d.remove(); err != nil {
		t.Error(err)
	}
	isEmpty(t, o.dir)
}

func isEmpty(t *testing.T, dir string) {
	t.Helper()
	if left, err := os.ReadDir(dir); len(left) != 0 || err != nil {
		t.Errorf("left: %v, %v", left, err)
	}
}

// One that does not start says why, at once.
func TestDaemonFails(t *testing.T) {
	o := fakeTracer(t, "echo no such kernel >&2; exit 3")
	began := time.Now()
	for name, start := range map[string]func(options, ...string) (*daemon, error){"log": startLog, "serve": startServe} {
		_, err := start(o)
		if err == nil || !strings.Contains(err.Error(), "no such kernel") || !strings.Contains(err.Error(), name) || time.Since(began) > readyLimit {
			t.Errorf("%v", err)
		}
		isEmpty(t, o.dir)
	}
}

// A ratio is of the four runs of a round; a figure that only some have is no figure.
func TestReportServe(t *testing.T) {
	var b strings.Builder
	with := beside{
		load: load{rate: 900, cpu: 12}, daemon: time.Second, delivered: 100, lost: 3,
		files: recording{disk: 1000, plain: 4000, lines: 100},
	}
	reportServe(&b, []pairs{
		{
			name: "nothing", seconds: 10, alone: []load{{1000, 10}, {1000, 10}},
			with: []beside{{load: load{990, 10}}, {load: load{1010, 10}}}, ratios: []float64{1}, costs: []float64{1},
		},
		{
			name: "log", seconds: 10, alone: []load{{1000, 10}, {1000, 10}}, with: []beside{with, with},
			ratios: []float64{0.9, 0.8}, costs: []float64{1.2, 1.3},
		},
	})
	for _, want := range []string{
		"| nothing | 1000 | 1000 | 1.000 | 1.000 to 1.000 | 1.000 | 1.000 to 1.000 | - | - | - | - | - | - |\n",
		"| log | 1000 | 900 | 0.850 | 0.800 to 0.900 | 1.250 | 1.200 to 1.300 | 10.00 % | 10 | 3 | - | 10.0 | 40 |\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %s in %s", want, b.String())
		}
	}
}

func TestReportScrape(t *testing.T) {
	a := answers{path: "/metrics", bytes: 12345, lines: 99, daemon: time.Second}
	for i := range 100 {
		a.took = append(a.took, time.Duration(100-i)*time.Millisecond)
	}
	var b strings.Builder
	reportScrape(&b, []answers{a}, map[string]int64{"VmRSS": 20e6, "VmHWM": 30e6})
	want := "| `/metrics` | 100 | 51.0 ms | 95.0 ms | 100 ms | 10.0 ms | 12,345 | 99 |\n"
	if !strings.Contains(b.String(), want) || !strings.Contains(b.String(), "20.0 MB resident, 30.0 MB at the highest") {
		t.Errorf("no %s in %s", want, b.String())
	}
}

func TestReportReplay(t *testing.T) {
	var b strings.Builder
	reportReplay(&b, &recording{lines: 1_000_000, plain: 400e6, disk: 30e6, files: 3}, []played{{args: []string{"replay", "count"}, runs: took(1, 2, 3)}})
	if want := "| `tcptrail replay count` | 2.00 s | 500,000 | 200 | 1.00 s | 20.0 MB |\n"; !strings.Contains(b.String(), want) {
		t.Errorf("no %s in %s", want, b.String())
	}
}

func TestOptionsRefused(t *testing.T) {
	good := options{rounds: 1, workers: 1, processes: 1, events: 1}
	if err := good.check(); err != nil {
		t.Error(err)
	}
	bad := good
	if bad.rounds = 0; bad.check() == nil {
		t.Error("no round, no error")
	}
}

func TestChildrenRefuse(t *testing.T) {
	for _, args := range [][]string{{populateCommand}, {populateCommand, "x"}, {populateCommand, "-1"}} {
		if err := runPopulate(options{args: args}); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
	for _, args := range [][]string{{countCommand}, {countCommand, "x"}} {
		if err := runCount(options{args: args}); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
}

// A population is there while it is wanted, in a namespace that has nothing else, and gone when its parent is killed.
func TestPrivilegedPopulation(t *testing.T) {
	const n = 30
	p, err := newPopulation(n)
	if err != nil {
		t.Fatal(err)
	}
	if got := inUse(t, p.ns); got != 2*n {
		t.Errorf("%d sockets, want %d", got, 2*n)
	}
	pids := childrenOf(t, p.parent.Process.Pid)
	p.close()
	if len(pids) != n {
		t.Errorf("%d processes, want %d", len(pids), n)
	}
	for _, pid := range pids {
		for deadline := time.Now().Add(readyLimit); ; time.Sleep(time.Millisecond) {
			if comm, err := os.ReadFile("/proc/" + pid + "/comm"); err != nil || !strings.HasPrefix(string(comm), "holder-") {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("process %s is still there", pid)
			}
		}
	}
}

// childrenOf returns the processes that a process has made.
func childrenOf(t *testing.T, parent int) (pids []string) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range all {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		ppid := 0
		_, rest, _ := strings.Cut(string(text), ") ")
		if n, _ := fmt.Sscanf(rest, "%1s %d", new(string), &ppid); n == 2 && ppid == parent {
			pids = append(pids, filepath.Base(filepath.Dir(path)))
		}
	}
	return pids
}
