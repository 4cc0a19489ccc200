package privilege

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// status is what /proc/PID/task/TID/status says of one thread: an oracle that shares nothing with capget(2).
type status struct {
	Effective, Permitted, Inheritable, Ambient, Bounding Set
	NoNewPrivs                                           bool
}

func parseStatus(text string) (status, error) {
	var s status
	sets := map[string]*Set{
		"CapEff": &s.Effective, "CapPrm": &s.Permitted, "CapInh": &s.Inheritable, "CapAmb": &s.Ambient, "CapBnd": &s.Bounding,
	}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		if key == "NoNewPrivs" {
			s.NoNewPrivs = value == "1"
		}
		if set := sets[key]; set != nil {
			number, err := strconv.ParseUint(value, 16, 64)
			if err != nil {
				return s, fmt.Errorf("%s: %w", key, err)
			}
			*set = Set(number)
			delete(sets, key)
		}
	}
	if len(sets) > 0 {
		return s, fmt.Errorf("lines are missing: %v", sets)
	}
	return s, nil
}

// allStatus returns the status of every thread of this process.
func allStatus() ([]status, error) {
	paths, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil || len(paths) == 0 {
		return nil, fmt.Errorf("no threads in /proc/self/task: %v", err)
	}
	var all []status
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // the thread has ended
		}
		s, err := parseStatus(string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		all = append(all, s)
	}
	return all, nil
}

func TestParseStatus(t *testing.T) {
	const text = "Name:\tx\nCapInh:\t0000000000000001\nCapPrm:\t000001fffeffffff\nCapEff:\t000000c000000000\n" +
		"CapBnd:\t000001ffffffffff\nCapAmb:\t0000000000000002\nNoNewPrivs:\t1\n"
	got, err := parseStatus(text)
	want := status{Trace, 0x1fffeffffff, 1, 2, 0x1ffffffffff, true}
	if err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := parseStatus("CapInh:\tzz\n"); err == nil {
		t.Error("took a number that is none")
	}
	if _, err := parseStatus("Name:\tx\n"); err == nil {
		t.Error("took a status without capabilities")
	}
}

func TestHeldAgreesWithProc(t *testing.T) {
	all, err := allStatus()
	if err != nil {
		t.Fatal(err)
	}
	want := holding{^Set(0), ^Set(0)}
	for _, s := range all {
		want.effective &= s.Effective
		want.permitted &= s.Permitted
	}
	got, err := held()
	if err != nil || got != want {
		t.Errorf("got %+v, %v; /proc says %+v", got, err, want)
	}
	if !foreignUserNS() && Missing(^Set(0)) != ^want.effective {
		t.Errorf("missing %s, want %s", Missing(^Set(0)), ^want.effective)
	}
}
