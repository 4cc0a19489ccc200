package output

import (
	"bytes"
	"net/netip"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

const (
	ellipsis = "…"
	// maxEndpoint is an address with brackets, a colon and a port.
	maxEndpoint = maxAddress + 2 + 1 + maxUint
)

// padRight appends spaces until the cell that began at start is width wide, and the space after it.
func padRight(b []byte, start, width int) []byte {
	for len(b)-start < width {
		b = append(b, ' ')
	}
	return append(b, ' ')
}

// padLeft moves the cell that began at start to the right of its column, and appends the space after it.
func padLeft(b []byte, start, width int) []byte {
	length := len(b) - start
	for range width - length {
		b = append(b, ' ')
	}
	if fill := width - length; fill > 0 {
		copy(b[start+fill:], b[start:start+length])
		for i := range fill {
			b[start+i] = ' '
		}
	}
	return append(b, ' ')
}

// appendOrDash appends a number of which 0 means unknown.
func appendOrDash(b []byte, v uint64) []byte {
	if v == 0 {
		return append(b, '-')
	}
	return appendUint(b, v)
}

// appendNameOrDash appends a name of ours, of which "" means unknown.
func appendNameOrDash(b []byte, name string) []byte {
	if name == "" {
		return append(b, '-')
	}
	return append(b, name...)
}

// appendComm appends the owner's name, in printable ASCII, cut to width with a plus at its end.
func appendComm(b []byte, e *tcp.Event, width int) []byte {
	if e.PID == 0 {
		return append(b, '-')
	}
	return cut(appendPrintable(b, e.Comm.Bytes()), len(b), width)
}

// appendPrintable appends hostile text in printable ASCII.
func appendPrintable(b, text []byte) []byte {
	for _, c := range text {
		b = append(b, printable(c))
	}
	return b
}

// cut shortens the cell that began at start, and is ASCII, to width with a plus at its end.
func cut(b []byte, start, width int) []byte {
	if len(b)-start > width {
		b = append(b[:start+width-1], '+')
	}
	return b
}

// appendEndpoint appends address and port as ss writes them: * for no port, an IPv6 address in brackets.
func appendEndpoint(b []byte, a netip.AddrPort) []byte {
	addr := a.Addr()
	switch {
	case !addr.IsValid():
		return append(b, '-')
	case addr.Is4():
		b = appendAddr(b, addr)
	default:
		b = append(appendAddr(append(b, '['), addr), ']')
	}
	b = append(b, ':')
	if a.Port() == 0 {
		return append(b, '*')
	}
	return appendUint(b, uint64(a.Port()))
}

// portPart returns the colon and the port at the end of an endpoint.
func portPart(endpoint []byte) []byte {
	return endpoint[max(bytes.LastIndexByte(endpoint, ':'), 0):]
}

// appendShortened appends an endpoint in exactly width columns, which are too few for it: its port, and the two ends of
// its address.
func appendShortened(b, endpoint []byte, width int) []byte {
	room := width - 1
	tail := min((room+len(portPart(endpoint)))/2, room)
	b = append(b, endpoint[:room-tail]...)
	b = append(b, ellipsis...)
	return append(b, endpoint[len(endpoint)-tail:]...)
}

// appendEndpointCell appends an endpoint in a column of that width, and the space after it.
func appendEndpointCell(b, endpoint []byte, width int) []byte {
	if len(endpoint) > width {
		return append(appendShortened(b, endpoint, width), ' ')
	}
	return padRight(append(b, endpoint...), len(b), width)
}

const (
	minute = 60
	hour   = 60 * minute
	day    = 24 * hour
)

// appendDuration appends a duration in three digits or in its two largest units, at most durationWidth wide, cut and
// not rounded: 123ns, 1.23us, 12.3ms, 59.9s, 4m12s, 3h07m, 12d03h, 123d; - when it is unknown.
func appendDuration(b []byte, d time.Duration) []byte {
	if d < 0 {
		return append(b, '-')
	}
	v, seconds := uint64(d), uint64(d)/1e9
	switch {
	case d < time.Microsecond:
		return append(appendUint(b, v), "ns"...)
	case d < time.Millisecond:
		return append(appendThree(b, v, 1e3), "us"...)
	case d < time.Second:
		return append(appendThree(b, v, 1e6), "ms"...)
	case seconds < minute:
		return append(appendThree(b, v, 1e9), 's')
	case seconds < hour:
		return append(appendPair(b, seconds/minute, 'm', seconds%minute), 's')
	case seconds < day:
		return append(appendPair(b, seconds/hour, 'h', seconds%hour/minute), 'm')
	case seconds < 100*day:
		return append(appendPair(b, seconds/day, 'd', seconds%day/hour), 'h')
	}
	return append(appendUint(b, min(seconds/day, 99_999)), 'd')
}

// appendBrief appends a number in at most five columns: 12345, 123k, 1.23M, cut and not rounded.
func appendBrief(b []byte, n uint64) []byte {
	switch {
	case n < 100_000:
		return appendUint(b, n)
	case n < 1e6:
		return append(appendThree(b, n, 1e3), 'k')
	case n < 1e9:
		return append(appendThree(b, n, 1e6), 'M')
	case n < 1e12:
		return append(appendThree(b, n, 1e9), 'G')
	}
	return append(appendThree(b, min(n, 999e12), 1e12), 'T')
}

// appendThree appends v/unit, below 1,000, with its three first digits.
func appendThree(b []byte, v, unit uint64) []byte {
	whole := v / unit
	b = appendUint(b, whole)
	tenths := v % unit * 10 / unit
	switch {
	case whole < 10:
		return append(b, '.', byte('0'+tenths), byte('0'+v%unit*100/unit%10))
	case whole < 100:
		return append(b, '.', byte('0'+tenths))
	}
	return b
}

// appendPair appends a number, its unit, and the two digits of the next unit's number.
func appendPair(b []byte, large uint64, unit byte, small uint64) []byte {
	return append(appendUint(b, large), unit, byte('0'+small/10), byte('0'+small%10))
}
