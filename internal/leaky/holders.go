package leaky

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Holder is a process with descriptors of sockets.
type Holder struct {
	PID     int
	Comm    string
	Sockets int // how many of them, each counted once
}

// Holders looks through /proc for the processes with descriptors of sockets, one of which is pid, and returns them by pid.
func Holders(tb testing.TB, pid int, sockets []Socket) (all []Holder) {
	tb.Helper()
	wanted := map[string]bool{}
	for _, s := range sockets {
		link, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", s.PID, s.FD))
		if err != nil { // who told of it has closed it since, and its parent or child has it under the same number
			link, err = os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", pid, s.FD))
		}
		if err != nil {
			tb.Fatal(err)
		}
		wanted[link] = true
	}
	paths, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		tb.Fatal(err)
	}
	held := map[int]map[string]bool{}
	for _, path := range paths {
		link, err := os.Readlink(path)
		if err != nil || !wanted[link] {
			continue // closed meanwhile, or another file
		}
		holder, err := strconv.Atoi(strings.Split(path, "/")[2])
		if err != nil {
			tb.Fatal(err)
		}
		if held[holder] == nil {
			held[holder] = map[string]bool{}
		}
		held[holder][link] = true
	}
	for holder, links := range held {
		all = append(all, Holder{holder, Comm(tb, holder), len(links)})
	}
	slices.SortFunc(all, func(a, b Holder) int { return a.PID - b.PID })
	return all
}

// Comm returns the name of a process, by /proc.
func Comm(tb testing.TB, pid int) string {
	tb.Helper()
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		tb.Fatal(err)
	}
	return strings.TrimSuffix(string(name), "\n")
}

// Child returns the only child of the program.
func (p *Program) Child() int {
	p.tb.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", p.PID()))
	if err != nil {
		p.tb.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		p.tb.Fatalf("%s: children %q, want one", p.name, text)
	}
	return pid
}
