package metrics

import (
	"cmp"
	"slices"
	"strconv"
)

// The values of the labels of what has no name. None is the number of a process or the path of a cgroup.
const (
	otherValue   = "other"   // all groups that have no series of their own
	unknownValue = "unknown" // sockets of which the group is not known
)

// group is one process or cgroup, with the values of its labels.
type group struct {
	labels [2]string
	value  uint64
}

// top returns the n groups with the greatest values, as items has them, and one more with the sum of the others: the sum
// over all is that over items. The first of equal items are the ones with the lesser order, so that series stay what they
// are while nothing changes. Groups whose labels are the same are one.
func top[T any](items []T, n int, value func(*T) uint64, order func(a, b *T) int, labels func(*T) [2]string) []group {
	compare := func(a, b *T) int { return cmp.Or(cmp.Compare(value(b), value(a)), order(a, b)) }
	chosen := make([]*T, 0, n+1)
	var rest uint64
	for i := range items {
		item := &items[i]
		rest += value(item)
		if value(item) == 0 || len(chosen) == n && (n == 0 || compare(item, chosen[n-1]) >= 0) {
			continue
		}
		at, _ := slices.BinarySearchFunc(chosen, item, compare)
		chosen = slices.Insert(chosen, at, item)
		chosen = chosen[:min(len(chosen), n)]
	}
	groups := make([]group, 0, n+1)
	for _, item := range chosen {
		rest -= value(item)
		groups = merge(groups, group{labels(item), value(item)})
	}
	return merge(groups, group{[2]string{otherValue, otherValue}, rest})
}

// merge appends g, or adds it to the group that has its labels.
func merge(groups []group, g group) []group {
	for i := range groups {
		if groups[i].labels == g.labels {
			groups[i].value += g.value
			return groups
		}
	}
	return append(groups, g)
}

func orderProcesses(a, b *Process) int {
	return cmp.Or(cmp.Compare(a.PID, b.PID), slices.Compare(a.Comm[:], b.Comm[:]))
}

func labelsOfProcess(p *Process) [2]string {
	if p.PID == 0 {
		return [2]string{unknownValue, unknownValue}
	}
	return [2]string{strconv.FormatUint(uint64(p.PID), 10), label(string(p.Comm.Bytes()))}
}

func orderCgroups(a, b *Cgroup) int {
	return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Container, b.Container))
}

func labelsOfCgroup(c *Cgroup) [2]string {
	if c.Path == "" {
		return [2]string{unknownValue, label(c.Container)}
	}
	return [2]string{label(c.Path), label(c.Container)}
}
