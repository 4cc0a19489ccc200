package filter

import (
	"fmt"
	"strconv"
	"strings"
)

const (
	portWords = 1024  // 65,536 ports, 64 to a word: PORT_WORDS of bpf/config.h
	maxPort   = 65535 // the field is 16 bits wide (RFC 9293, section 3.1)
)

// Ports is a set of ports. The zero value is empty and selects nothing; Filter says with nil that any will do. It is
// safe for concurrent reading.
type Ports struct {
	words [portWords]uint64
}

// ParsePorts reads ports and ranges joined by commas, as 80,443,8000-8100, in any order. Port 0 is none: it stands for
// a port that is not known.
func ParsePorts(text string) (*Ports, error) {
	ports := new(Ports)
	for token := range strings.SplitSeq(text, ",") {
		if token == "" {
			return nil, fmt.Errorf("%q: a port is missing: use ports and ranges, as 80,443,8000-8100", text)
		}
		first, last, err := parseRange(token)
		if err != nil {
			return nil, err
		}
		for port := first; port <= last; port++ {
			ports.words[port>>6] |= 1 << (port & 63)
		}
	}
	return ports, nil
}

func parseRange(token string) (first, last uint64, err error) {
	from, to, isRange := strings.Cut(token, "-")
	if !isRange {
		to = from
	}
	first, fromOK := parsePort(from)
	last, toOK := parsePort(to)
	switch {
	case !isRange && !fromOK:
		return 0, 0, fmt.Errorf("%q: port must be a number from 1 to %d", token, maxPort)
	case !fromOK || !toOK:
		return 0, 0, fmt.Errorf("%q: both ends of a range must be numbers from 1 to %d, as 8000-8100", token, maxPort)
	case first > last:
		return 0, 0, fmt.Errorf("%q: range is reversed: use %d-%d", token, last, first)
	}
	return first, last, nil
}

func parsePort(text string) (uint64, bool) {
	port, ok := parseDecimal(text, maxPort)
	return port, ok && port != 0
}

// Has says whether port is in the set.
func (p *Ports) Has(port uint16) bool { return p.words[port>>6]>>(port&63)&1 == 1 }

// Words returns the set as bpf/config.h lays it out: bit port&63 of word port>>6. It is the set itself, not a copy, and
// must not be changed.
func (p *Ports) Words() *[portWords]uint64 { return &p.words }

// String returns the set as ParsePorts reads it, in ascending order and with adjacent ports merged into ranges; "" for
// an empty set.
func (p *Ports) String() string {
	var text []byte
	for first := 1; first <= maxPort; first++ {
		if !p.Has(uint16(first)) {
			continue
		}
		last := first
		for last < maxPort && p.Has(uint16(last+1)) {
			last++
		}
		text = appendRange(text, first, last)
		first = last
	}
	return string(text)
}

func appendRange(text []byte, first, last int) []byte {
	if len(text) > 0 {
		text = append(text, ',')
	}
	text = strconv.AppendInt(text, int64(first), 10)
	if last > first {
		text = append(text, '-')
		text = strconv.AppendInt(text, int64(last), 10)
	}
	return text
}

func (p *Ports) add(other *Ports) {
	for i := range p.words {
		p.words[i] |= other.words[i]
	}
}
