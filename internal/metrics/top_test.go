package metrics

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func topProcesses(p []Process, n int) []group {
	return top(p, n, func(p *Process) uint64 { return p.Sockets }, orderProcesses, labelsOfProcess)
}

func TestTop(t *testing.T) {
	other := func(n uint64) group { return group{[2]string{"other", "other"}, n} }
	processes := []Process{
		{PID: 3, Comm: comm("c"), Sockets: 5},
		{PID: 1, Comm: comm("a"), Sockets: 9},
		{PID: 2, Comm: comm("b"), Sockets: 5},
		{PID: 4, Comm: comm("d")},
		{Sockets: 1},
	}
	a, b, c := group{[2]string{"1", "a"}, 9}, group{[2]string{"2", "b"}, 5}, group{[2]string{"3", "c"}, 5}
	for n, want := range map[int][]group{
		0: {other(20)}, 1: {a, other(11)}, 2: {a, b, other(6)}, 3: {a, b, c, other(1)},
		9: {a, b, c, {[2]string{"unknown", "unknown"}, 1}, other(0)},
	} {
		if got := topProcesses(processes, n); !slices.Equal(got, want) {
			t.Errorf("%d: %v, want %v", n, got, want)
		}
	}
	if got := topProcesses(nil, 5); !slices.Equal(got, []group{other(0)}) {
		t.Errorf("%v", got)
	}
}

// TestTopMerges has different names that look alike, the same group twice, and groups that call themselves "other".
func TestTopMerges(t *testing.T) {
	got := topProcesses([]Process{
		{PID: 1, Comm: comm("\xff"), Sockets: 5},
		{PID: 1, Comm: comm("\xfe"), Sockets: 4},
		{PID: 2, Comm: comm("other"), Sockets: 3},
		{PID: 2, Comm: comm("other"), Sockets: 3},
	}, 4)
	want := []group{{[2]string{"1", "\ufffd"}, 9}, {[2]string{"2", "other"}, 6}, {[2]string{"other", "other"}, 0}}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	cgroups := top([]Cgroup{{Path: "other", Container: "other", Sockets: 1}, {Path: "", Sockets: 2}}, 4,
		func(c *Cgroup) uint64 { return c.Sockets }, orderCgroups, labelsOfCgroup)
	want = []group{{[2]string{"unknown", ""}, 2}, {[2]string{"other", "other"}, 1}}
	if !slices.Equal(cgroups, want) {
		t.Errorf("%v, want %v", cgroups, want)
	}
}

// TestTopIsSorting holds it against sorting all.
func TestTopIsSorting(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		processes := make([]Process, random.IntN(60))
		for i := range processes {
			processes[i] = Process{PID: uint32(i + 1), Sockets: random.Uint64N(8)}
		}
		random.Shuffle(len(processes), func(i, j int) { processes[i], processes[j] = processes[j], processes[i] })
		n := random.IntN(40)
		got := topProcesses(processes, n)
		slices.SortFunc(processes, func(a, b Process) int {
			return cmp.Or(cmp.Compare(b.Sockets, a.Sockets), cmp.Compare(a.PID, b.PID))
		})
		var want []group
		var rest uint64
		for i, p := range processes {
			if i < n && p.Sockets > 0 {
				want = append(want, group{[2]string{fmt.Sprint(p.PID), ""}, p.Sockets})
				continue
			}
			rest += p.Sockets
		}
		want = append(want, group{[2]string{"other", "other"}, rest})
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("top %d of %v: %v, want %v", n, processes, got, want)
		}
	}
}

// crowd returns n processes and cgroups whose names are as bad as they can be, and different from each other.
func crowd(n int) *Reading {
	random := rand.New(rand.NewPCG(5, 6))
	r := everything()
	r.Processes, r.Cgroups = nil, nil
	for i := range n {
		name := make([]byte, 16)
		for j := range name {
			name[j] = byte(random.Uint32())
		}
		r.Processes = append(r.Processes, Process{
			PID: uint32(i), Comm: comm(string(name)), Sockets: uint64(i % 1000), Stuck: uint64(i % 7),
		})
		path := fmt.Sprintf("/\x1b]0;%s\n\"}{%d%s", name, i, strings.Repeat("\u202e\xff\\", i%2000))
		r.Cgroups = append(r.Cgroups, Cgroup{Path: path, Container: string(name), Sockets: uint64(i % 1000), Stuck: 1})
	}
	return r
}

// TestCardinality has a hundred thousand groups with hostile names.
func TestCardinality(t *testing.T) {
	r := crowd(100_000)
	for i := range r.Transitions {
		for j := range r.Transitions[i] {
			r.Transitions[i][j] = 1
		}
		r.Durations[i].Counts[1] = 1
	}
	o := Options{TopN: 1 << 30}
	got := samples(t, textOf(t, gather(t, r, o.top())))
	// Without groups it is 370 or so with every transition there can be and one sink.
	if most := 4*(MaxTop+1) + 400; len(got) > most {
		t.Errorf("%d series, want no more than %d", len(got), most)
	}
	var sockets, stuck uint64
	for i := range r.Processes {
		sockets, stuck = sockets+r.Processes[i].Sockets, stuck+r.Processes[i].Stuck
	}
	for name, want := range map[string]uint64{
		"tcptrail_process_sockets": sockets, "tcptrail_process_stuck_sockets": stuck, "tcptrail_cgroup_sockets": sockets,
		"tcptrail_cgroup_stuck_sockets": uint64(len(r.Cgroups)),
	} {
		var sum float64
		series := ofFamily(got, name)
		for _, value := range series {
			n, err := strconv.ParseFloat(value, 64)
			if err != nil {
				t.Error(err)
			}
			sum += n
		}
		if uint64(sum) != want || len(series) != MaxTop+1 {
			t.Errorf("%s: %d series with %v sockets, want %d with %d", name, len(series), sum, MaxTop+1, want)
		}
	}
}

func TestOptionsTop(t *testing.T) {
	for given, want := range map[int]int{0: DefaultTop, -1: 0, 5: 5, 200: 200, 201: 200} {
		if got := (&Options{TopN: given}).top(); got != want {
			t.Errorf("%d: %d, want %d", given, got, want)
		}
	}
}
