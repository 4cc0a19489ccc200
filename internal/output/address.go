package output

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// maxAddress is the longest address, ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff or ::ffff:255.255.255.255, and the room
// that storing whole words needs past it.
const maxAddress = 39 + maxWord

// octets has each byte in decimal with a dot after it, as it lies in memory, and in the upper half how long that is.
var octets = func() (table [256]uint64) {
	for i := range table {
		text := append(appendUint(nil, uint64(i)), '.')
		table[i] = uint64(len(text))<<32 | uint64(binary.LittleEndian.Uint32(append(text, 0, 0)))
	}
	return table
}()

// appendAddr appends the address as RFC 5952 writes it, and nothing for the zero Addr. A zone is left out: it cannot
// be in a socket's addresses, and it may be any text.
func appendAddr(b []byte, a netip.Addr) []byte {
	switch {
	case a.Is4():
		return appendIPv4(b, a.As4())
	case a.Is4In6():
		return appendIPv4(append(b, "::ffff:"...), a.As4())
	case a.Is6():
		return appendIPv6(b, a.As16())
	}
	return b
}

func appendIPv4(b []byte, a [4]byte) []byte {
	b = reserve(b, maxAddress)
	at := len(b)
	text := b[at : at+4*len("255.")]
	n := 0
	for _, octet := range a {
		word := octets[octet]
		binary.LittleEndian.PutUint32(text[n:], uint32(word))
		n += int(word >> 32)
	}
	return b[:at+n-1]
}

func appendIPv6(b []byte, a [16]byte) []byte {
	b = reserve(b, maxAddress)
	from, to := longestZeros(&a)
	for i := 0; i < 8; i++ {
		if i == from {
			b = append(b, ':', ':')
			i = to
			if i == 8 {
				break
			}
		} else if i > 0 {
			b = append(b, ':')
		}
		digits := hexDigits(uint32(binary.BigEndian.Uint16(a[2*i:])))
		leading := bits.TrailingZeros64(digits|keepLast) &^ 7
		b = put(b, hexText(digits)>>leading, maxWord-leading/8)
	}
	return b
}

// longestZeros returns the longest run of two or more groups of zero, the first of equals: from its first group to the
// one after it, or -1 when there is none.
func longestZeros(a *[16]byte) (from, to int) {
	from = -1
	for i, run := 0, 0; i < 8; i++ {
		if a[2*i]|a[2*i+1] != 0 {
			run = 0
			continue
		}
		if run++; run > 1 && run > to-from {
			from, to = i+1-run, i+1
		}
	}
	return from, to
}
