package filter

import "github.com/tcptrail/tcptrail/internal/tcp"

// socketOnly is part of the terms that no event can answer: for events they never hold.
type socketOnly struct {
	word   string
	column int
}

func (socketOnly) matchEvent(*tcp.Event, Host) bool { return false }

// devTerm compares the interface that the socket is bound to; 0 is none.
type devTerm struct {
	socketOnly
	is    comparison // equal or notEqual
	index uint32
}

func (t devTerm) matchSocket(s *tcp.Socket, _ Host) bool { return holds(t.is, s.Device, t.index) }

func (t devTerm) appendTo(text []byte) []byte {
	return appendNumber(appendComparison(text, t.word, t.is), t.index)
}

// markTerm compares the bits of the mark that the mask selects.
type markTerm struct {
	socketOnly
	is   comparison // equal or notEqual
	mark uint32
	mask uint32
}

const everyBit = ^uint32(0)

func (t markTerm) matchSocket(s *tcp.Socket, _ Host) bool { return holds(t.is, s.Mark&t.mask, t.mark) }

func (t markTerm) appendTo(text []byte) []byte {
	text = appendHex(appendComparison(text, t.word, t.is), t.mark)
	if t.mask != everyBit {
		text = appendHex(append(text, '/'), t.mask)
	}
	return text
}

// autoboundTerm holds when the kernel chose the local port.
type autoboundTerm struct{ socketOnly }

func (t autoboundTerm) matchSocket(s *tcp.Socket, _ Host) bool { return s.Autobound }

func (t autoboundTerm) appendTo(text []byte) []byte { return append(text, t.word...) }

// queueTerm compares a queue as ss shows it: in bytes, of a listener in connections.
type queueTerm struct {
	socketOnly
	is   comparison
	send bool
	size uint64
}

func (t queueTerm) matchSocket(s *tcp.Socket, _ Host) bool {
	if t.send {
		return holds(t.is, uint64(s.SendQ), t.size)
	}
	return holds(t.is, uint64(s.RecvQ), t.size)
}

func (t queueTerm) appendTo(text []byte) []byte {
	return appendNumber(appendComparison(text, t.word, t.is), t.size)
}
