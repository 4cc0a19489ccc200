package filter

import (
	"slices"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// Push moves into f, joined by "and" with what is there, whatever of x the kernel can decide exactly, and returns what
// is left, nil for nothing: for every event f and the rest together select what f and x did. What only follows from x, as
// Version from an IPv4 address, goes into f and stays in the rest. It changes no list or set that f had before.
func (x *Expr) Push(f *Filter) (rest *Expr) {
	if x == nil {
		return nil
	}
	terms := split(x.root, nil)
	terms = pushStates(f, terms)
	terms = pushPorts(&f.LocalPorts, local, terms)
	terms = pushPorts(&f.RemotePorts, remote, terms)
	terms = pushList(&f.PIDs, terms, pidsOf)
	terms = pushList(&f.NetNS, terms, netnsOf)
	terms = pushCgroups(f, terms)
	if f.Version == Any && slices.ContainsFunc(terms, impliesV4) {
		f.Version = V4
	}
	if len(terms) == 0 {
		return nil
	}
	return &Expr{joinAll(false, terms)}
}

// split appends the terms that n joins by "and", negated alternatives included.
func split(n node, to []node) []node {
	switch n := n.(type) {
	case and:
		for _, kid := range n {
			to = split(kid, to)
		}
		return to
	case not:
		if list, ok := n.of.(or); ok {
			for _, kid := range list {
				to = split(negate(kid), to)
			}
			return to
		}
	}
	return append(to, n)
}

// pushStates takes `state` where one of it and f.States implies the other, for two of them are more than their
// intersection: an event has two sides. What it excludes must be on neither side.
func pushStates(f *Filter, terms []node) (left []node) {
	for _, n := range terms {
		if states, ok := statesOf(n); ok && pushEither(f, states) {
			continue
		}
		if n, ok := n.(not); ok {
			if states, ok := statesOf(n.of); ok && pushNeither(f, states) {
				continue
			}
		}
		left = append(left, n)
	}
	return left
}

func pushEither(f *Filter, states tcp.StateSet) bool {
	if f.States == 0 || states&^f.States == 0 {
		f.States = states
		return true
	}
	return f.States&^states == 0
}

func pushNeither(f *Filter, states tcp.StateSet) bool {
	from, to := orAny(f.Old)&^states, orAny(f.New)&^states
	if from == 0 || to == 0 {
		return false // would stand for any
	}
	f.Old, f.New = from, to
	return true
}

// orAny returns the set that a condition of 0 stands for.
func orAny(set tcp.StateSet) tcp.StateSet {
	if set == 0 {
		return ^set
	}
	return set
}

// statesOf returns the states of which n wants one on either side.
func statesOf(n node) (states tcp.StateSet, ok bool) {
	switch n := n.(type) {
	case stateTerm:
		return n.states, n.states != 0 && !n.zombie
	case or:
		for _, kid := range n {
			some, ok := statesOf(kid)
			if !ok {
				return 0, false
			}
			states |= some
		}
		return states, true
	}
	return 0, false
}

// pushPorts takes all that is about the ports of one side, unless that has port 0, which a Filter never selects.
func pushPorts(to **Ports, s side, terms []node) (left []node) {
	all := everyPort()
	if *to != nil {
		all = *(*to)
	}
	for _, n := range terms {
		if ports, ok := portsOf(n, s); ok {
			all.intersect(&ports)
		} else {
			left = append(left, n)
		}
	}
	if len(left) == len(terms) || all.Has(0) {
		return terms
	}
	*to = &all
	return left
}

// portsOf returns the ports of one side that n selects, if it is about nothing else; 0 among them.
func portsOf(n node, s side) (ports Ports, ok bool) {
	switch n := n.(type) {
	case portTerm:
		if n.side != s {
			return ports, false
		}
		return n.ports(), true
	case not:
		ports, ok = portsOf(n.of, s)
		ports.complement()
		return ports, ok
	case or:
		for _, kid := range n {
			some, ok := portsOf(kid, s)
			if !ok {
				return ports, false
			}
			ports.add(&some)
		}
		return ports, true
	case and:
		ports = everyPort()
		for _, kid := range n {
			some, ok := portsOf(kid, s)
			if !ok {
				return ports, false
			}
			ports.intersect(&some)
		}
		return ports, true
	}
	return ports, false
}

// ports returns those that the term holds for.
func (t portTerm) ports() (ports Ports) {
	for port := range maxPort + 1 {
		if holds(t.is, uint16(port), t.port) {
			ports.words[port>>6] |= 1 << (port & 63)
		}
	}
	return ports
}

func everyPort() (all Ports) {
	all.complement()
	return all
}

func (p *Ports) complement() {
	for i := range p.words {
		p.words[i] = ^p.words[i]
	}
}

func (p *Ports) intersect(other *Ports) {
	for i := range p.words {
		p.words[i] &= other.words[i]
	}
}

// pushList takes lists of which one value is enough, and leaves what would make the list too long for the kernel, or
// empty: that would stand for any.
func pushList(to *[]uint32, terms []node, valuesOf func(node) ([]uint32, bool)) (left []node) {
	for _, n := range terms {
		values, ok := valuesOf(n)
		if ok && len(*to) > 0 {
			values = intersect(*to, values)
		}
		if !ok || len(values) == 0 || len(values) > maxValues || slices.Contains(values, 0) {
			left = append(left, n)
			continue
		}
		*to = values
	}
	return left
}

// pidsOf returns the owners of which n wants one.
func pidsOf(n node) ([]uint32, bool) {
	if list, ok := n.(or); ok {
		return uniteAll(list, pidsOf)
	}
	t, ok := n.(pidTerm)
	return unite(t.pids, nil), ok && t.is == equal
}

// netnsOf returns the namespaces of which n wants one.
func netnsOf(n node) ([]uint32, bool) {
	if list, ok := n.(or); ok {
		return uniteAll(list, netnsOf)
	}
	t, ok := n.(netnsTerm)
	return []uint32{t.inode}, ok && t.is == equal
}

// pushCgroups takes the first list of cgroups, if f has none: being under two of them is no list.
func pushCgroups(f *Filter, terms []node) (left []node) {
	for _, n := range terms {
		ids, ok := cgroupsOf(n)
		if !ok || len(f.Cgroups) > 0 || len(ids) > maxValues || slices.Contains(ids, 0) {
			left = append(left, n)
			continue
		}
		f.Cgroups = ids
	}
	return left
}

// cgroupsOf returns the cgroups of which n wants one, or one below it.
func cgroupsOf(n node) ([]uint64, bool) {
	if list, ok := n.(or); ok {
		return uniteAll(list, cgroupsOf)
	}
	t, ok := n.(cgroupTerm)
	return []uint64{t.id}, ok && t.is == equal
}

func uniteAll[V comparable](list or, valuesOf func(node) ([]V, bool)) (all []V, ok bool) {
	for _, kid := range list {
		values, ok := valuesOf(kid)
		if !ok {
			return nil, false
		}
		all = unite(all, values)
	}
	return all, true
}
