package metrics

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"github.com/tcptrail/tcptrail/internal/leak"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// everything returns a reading in which everything is known.
func everything() *Reading {
	r := &Reading{
		Version: "1.2.3", GoVersion: "go1.26.0", Kernel: "6.18.0",
		Counts:      &tcp.Counts{Zombies: 2},
		Transitions: &Matrix{},
		Durations:   &Durations{},
		Stuck: StuckOf([]leak.Finding{
			finding(leak.Condition(tcp.CloseWait), leak.NotClosed, 3),
			finding(leak.Zombie, leak.ZombieHeld, 2),
		}),
		Processes: []Process{{PID: 42, Comm: comm("nginx"), Sockets: 7, Stuck: 3}, {Sockets: 2}},
		Cgroups:   []Cgroup{{Path: "/system.slice/nginx.service", Sockets: 7, Stuck: 3}, {Path: "/docker/a", Container: "a", Sockets: 2}},
		Events:    &Events{Seen: 100, Delivered: 80, Lost: 10, Missed: 3, Filtered: 10, Untracked: 2, Drift: 1},
		Sinks:     []Sink{{Name: "webhook", Delivered: 5, Failed: 1, Dropped: 2, Queued: 3, Failing: true}},
		Log:       &Log{Lines: 80, Bytes: 20000, Lost: 4, Disk: 9000},
		Streams:   &Streams{Subscribers: 2, Dropped: 6},
		Programs:  []Program{{Name: "follow_state", Time: 1500 * time.Millisecond, Runs: 100}},
	}
	for s := tcp.Established; s <= tcp.NewSynRecv; s++ {
		r.Counts.States[s] = uint64(s) * 10
	}
	r.Transitions[tcp.Established][tcp.CloseWait] = 11
	r.Durations[tcp.CloseWait] = Histogram{Seconds: 12.5}
	r.Durations[tcp.CloseWait].Counts[0] = 1
	r.Durations[tcp.CloseWait].Counts[30] = 2 // up to one second
	r.Durations[tcp.CloseWait].Counts[33] = 1 // up to eight
	return r
}

func finding(c leak.Condition, cause leak.Cause, count int) leak.Finding {
	return leak.Finding{
		Key: leak.Key{Condition: c, Cause: cause}, Status: leak.Firing, Level: leak.Warn, Count: count,
		Oldest: time.Duration(count) * time.Minute,
	}
}

func comm(name string) tcp.Comm {
	var c tcp.Comm
	copy(c[:], name)
	return c
}

// fixed is a source that always says the same.
type fixed struct{ r *Reading }

func (f fixed) Read(context.Context) (*Reading, error) { return f.r, nil }

func gather(t testing.TB, r *Reading, top int) []*dto.MetricFamily {
	t.Helper()
	all, err := families(r, top)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func textOf(t testing.TB, all []*dto.MetricFamily) string {
	t.Helper()
	var b bytes.Buffer
	for _, family := range all {
		if _, err := expfmt.MetricFamilyToText(&b, family); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

// samples returns the lines of the text format that are no comments, as series and value.
func samples(t testing.TB, text string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		at := strings.LastIndexByte(line, ' ')
		series := line[:at]
		if _, twice := all[series]; twice {
			t.Errorf("%s comes twice", series)
		}
		all[series] = strings.TrimSpace(line[at:])
	}
	return all
}

// ofFamily returns the samples of one name.
func ofFamily(all map[string]string, name string) map[string]string {
	these := maps.Clone(all)
	maps.DeleteFunc(these, func(series, _ string) bool { return series != name && !strings.HasPrefix(series, name+"{") })
	return these
}

func wantSamples(t *testing.T, got, want map[string]string) {
	t.Helper()
	for _, series := range slices.Sorted(maps.Keys(want)) {
		if got[series] != want[series] {
			t.Errorf("%s is %q, want %s", series, got[series], want[series])
		}
	}
}

// eventually polls a condition.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func stateLabel(s fmt.Stringer) string { return fmt.Sprintf("{state=%q}", s.String()) }
