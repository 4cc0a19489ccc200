package filter

import "github.com/tcptrail/tcptrail/internal/tcp"

// node is an expression's tree: and, or, not, and the terms at its leaves. Nodes are not changed once built.
type node interface {
	matchEvent(e *tcp.Event, h Host) bool
	matchSocket(s *tcp.Socket, h Host) bool
	appendTo(text []byte) []byte // as Parse reads it
}

type (
	and []node
	or  []node
	not struct{ of node }
)

// join makes one node of two, without nesting like in like, so that String need not write parentheses there.
func join(isOr bool, left, right node) node {
	if isOr {
		return or(append(alternatives(left), alternatives(right)...))
	}
	return and(append(conjuncts(left), conjuncts(right)...))
}

// joinAll joins one node or more.
func joinAll(isOr bool, nodes []node) node {
	all := nodes[0]
	for _, n := range nodes[1:] {
		all = join(isOr, all, n)
	}
	return all
}

func alternatives(n node) []node {
	if list, ok := n.(or); ok {
		return list[:len(list):len(list)]
	}
	return []node{n}
}

func conjuncts(n node) []node {
	if list, ok := n.(and); ok {
		return list[:len(list):len(list)]
	}
	return []node{n}
}

func negate(n node) node {
	if twice, ok := n.(not); ok {
		return twice.of
	}
	return not{n}
}

func (list and) matchEvent(e *tcp.Event, h Host) bool {
	for _, n := range list {
		if !n.matchEvent(e, h) {
			return false
		}
	}
	return true
}

func (list and) matchSocket(s *tcp.Socket, h Host) bool {
	for _, n := range list {
		if !n.matchSocket(s, h) {
			return false
		}
	}
	return true
}

func (list or) matchEvent(e *tcp.Event, h Host) bool {
	for _, n := range list {
		if n.matchEvent(e, h) {
			return true
		}
	}
	return false
}

func (list or) matchSocket(s *tcp.Socket, h Host) bool {
	for _, n := range list {
		if n.matchSocket(s, h) {
			return true
		}
	}
	return false
}

func (n not) matchEvent(e *tcp.Event, h Host) bool   { return !n.of.matchEvent(e, h) }
func (n not) matchSocket(s *tcp.Socket, h Host) bool { return !n.of.matchSocket(s, h) }

func (list and) appendTo(text []byte) []byte { return appendList(text, list, " and ") }
func (list or) appendTo(text []byte) []byte  { return appendList(text, list, " or ") }
func (n not) appendTo(text []byte) []byte    { return appendNested(append(text, "not "...), n.of) }

func appendList(text []byte, list []node, operator string) []byte {
	for i, n := range list {
		if i > 0 {
			text = append(text, operator...)
		}
		text = appendNested(text, n)
	}
	return text
}

func appendNested(text []byte, n node) []byte {
	switch n.(type) {
	case and, or:
		return append(n.appendTo(append(text, "( "...)), " )"...)
	}
	return n.appendTo(text)
}

// visit calls f for every term, from left to right, until f returns false.
func visit(n node, f func(term node) bool) bool {
	switch n := n.(type) {
	case and:
		return visitAll(n, f)
	case or:
		return visitAll(n, f)
	case not:
		return visit(n.of, f)
	}
	return f(n)
}

func visitAll(list []node, f func(term node) bool) bool {
	for _, n := range list {
		if !visit(n, f) {
			return false
		}
	}
	return true
}

// depth returns how deep the parser must nest to read what appendTo writes.
func depth(n node) int {
	deepest := 0
	switch n := n.(type) {
	case and:
		for _, kid := range n {
			deepest = max(deepest, nestedDepth(kid))
		}
	case or:
		for _, kid := range n {
			deepest = max(deepest, nestedDepth(kid))
		}
	case not:
		deepest = 1 + nestedDepth(n.of)
	}
	return deepest
}

func nestedDepth(n node) int {
	switch n.(type) {
	case and, or:
		return 1 + depth(n) // its parentheses
	}
	return depth(n)
}
