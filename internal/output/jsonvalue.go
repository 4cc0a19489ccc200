package output

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
	"unicode/utf8"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// appendJSONCount appends a number of which 0 means none.
func appendJSONCount(b []byte, v uint64) []byte {
	if v == 0 {
		return append(b, "null"...)
	}
	return appendUint(b, v)
}

// appendJSONName appends a name of ours, which needs no escaping; the empty one means none.
func appendJSONName(b []byte, name string) []byte {
	if name == "" {
		return append(b, "null"...)
	}
	b = append(append(b, '"'), name...)
	return append(b, '"')
}

func appendJSONAddr(b []byte, a netip.Addr) []byte {
	if !a.IsValid() {
		return append(b, "null"...)
	}
	return append(appendAddr(append(b, '"'), a), '"')
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, "true"...)
	}
	return append(b, "false"...)
}

// nextName returns the name of the state that goes on after CLOSE, "" for none.
func nextName(e *tcp.Event) string {
	if !e.Next.Valid() {
		return ""
	}
	return e.Next.String()
}

// appendJSONComm appends a name that a process chose as the inside of a JSON string. All but printable ASCII is
// escaped, so that neither a terminal nor a line reader sees control characters or text that runs backwards.
func appendJSONComm(b []byte, c *tcp.Comm) []byte {
	b = reserve(b, len(c))
	low, high := binary.LittleEndian.Uint64(c[:8]), binary.LittleEndian.Uint64(c[8:])
	n := plainBytes(low)
	if n == maxWord {
		n += plainBytes(high)
	}
	if n == len(c) || c[n] == 0 {
		at := len(b)
		binary.LittleEndian.PutUint64(b[at:at+8], low)
		binary.LittleEndian.PutUint64(b[at+8:at+16], high)
		return b[:at+n]
	}
	return appendJSONEscaped(b, c.Bytes())
}

// appendJSONText appends text that is not ours; the empty one means none.
func appendJSONText(b []byte, text string) []byte {
	if text == "" {
		return append(b, "null"...)
	}
	return append(appendJSONEscaped(append(b, '"'), []byte(text)), '"')
}

const (
	everyByte = 0x0101_0101_0101_0101
	topBits   = 0x8080_8080_8080_8080
)

// plainBytes returns how many bytes of x, from the lowest, need no escape in JSON: printable ASCII, neither quote nor
// backslash. Each test sets the top bit of a byte that fails it; a borrow may set it wrongly, but only above one that
// failed, so the lowest is right.
func plainBytes(x uint64) int {
	quote, backslash, del := x^'"'*everyByte, x^'\\'*everyByte, x^0x7f*everyByte
	bad := (x-' '*everyByte)&^x | (quote-everyByte)&^quote | (backslash-everyByte)&^backslash | (del-everyByte)&^del | x
	return bits.TrailingZeros64(bad&topBits) / 8
}

func appendJSONEscaped(b, text []byte) []byte {
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		text = text[size:]
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r >= ' ' && r < 0x7f:
			b = append(b, byte(r))
		case r > 0xffff:
			r -= 0x10000
			b = appendJSONUnit(appendJSONUnit(b, 0xd800+r>>10), 0xdc00+r&0x3ff)
		default:
			b = appendJSONUnit(b, r)
		}
	}
	return b
}

// appendJSONUnit appends one UTF-16 code unit, escaped.
func appendJSONUnit(b []byte, unit rune) []byte {
	const digits = "0123456789abcdef"
	return append(b, '\\', 'u', digits[unit>>12&15], digits[unit>>8&15], digits[unit>>4&15], digits[unit&15])
}
