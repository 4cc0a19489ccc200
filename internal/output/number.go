package output

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// The appenders here store eight bytes at a time and keep the ones that count; strconv takes nearly twice as long, and a
// JSON line has a dozen numbers.

const (
	digits8  = 100_000_000           // eight decimal digits and no more are below it
	zeros8   = 0x3030_3030_3030_3030 // eight times '0'
	maxWord  = 8                     // bytes that one store writes
	maxUint  = 3 * maxWord           // three stores: 18,446,744,073,709,551,615 has 20 digits
	maxHex   = 2 * maxWord           // two stores: 16 digits
	maxBits  = 27                    // of a number below digits8
	keepLast = uint64(1) << 56       // a bit in the last byte, so that zero keeps one digit
)

// reserve returns b with room for n more bytes.
func reserve(b []byte, n int) []byte {
	if cap(b)-len(b) < n {
		return slices.Grow(b, n)
	}
	return b
}

// put appends the first n bytes of word, the lowest first. The room for all eight must be there.
func put(b []byte, word uint64, n int) []byte {
	at := len(b)
	binary.LittleEndian.PutUint64(b[at:at+maxWord], word)
	return b[:at+n]
}

// spread returns the eight decimal digits of v, which is below digits8, one a byte, the most significant in the lowest.
// It splits v in two by 10,000, both halves at once by 100, all four pairs at once by 10. A quotient is a
// multiplication and a shift, exact for what it gets; quotient + remainder<<n is worked out as value<<n less so many times
// the quotient.
func spread(v uint64) uint64 {
	high := uint64(uint32(v) / 10_000)
	halves := v<<32 - high*(10_000<<32-1)
	hundreds := halves * 10_486 >> 20 & 0x0000_007f_0000_007f
	pairs := halves<<16 - hundreds*(100<<16-1)
	tens := pairs * 103 >> 10 & 0x000f_000f_000f_000f
	return pairs<<8 - tens*(10<<8-1)
}

// digitSteps has, for numbers of n bits, what to add so that the upper half of the sum is how many digits they have:
// the least of them has d digits, and what reaches 10^d carries.
var digitSteps = func() (steps [maxBits + 1]uint64) {
	power, digits := uint64(10), uint64(1)
	for n := range steps {
		if least := uint64(1) << n >> 1; least >= power {
			power, digits = power*10, digits+1
		}
		steps[n] = (digits+1)<<32 - power
	}
	return steps
}()

// countDigits returns how many digits v has, which is below digits8. It does not look at the digits, so that the
// processor can place the next text while it still works them out.
func countDigits(v uint64) int {
	return int((v + digitSteps[bits.Len32(uint32(v))]) >> 32)
}

// appendUint appends v in decimal.
func appendUint(b []byte, v uint64) []byte {
	if v >= digits8 {
		return appendLong(b, v)
	}
	b = reserve(b, maxWord)
	n := countDigits(v)
	return put(b, (spread(v)|zeros8)>>(8*(maxWord-n)&63), n)
}

// appendLong appends v, which is not below digits8.
func appendLong(b []byte, v uint64) []byte {
	b = reserve(appendUint(b, v/digits8), maxWord)
	return put(b, spread(v%digits8)|zeros8, maxWord)
}

// appendNano appends v, below 1,000,000,000, with all nine digits.
func appendNano(b []byte, v uint64) []byte {
	b = append(reserve(b, 1+maxWord), byte('0'+v/digits8))
	return put(b, spread(v%digits8)|zeros8, maxWord)
}

// appendMillis appends nanoseconds as milliseconds with six decimals.
func appendMillis(b []byte, ns uint64) []byte {
	b = append(appendUint(b, ns/1_000_000), '.')
	b = reserve(b, maxWord)
	return put(b, (spread(ns%1_000_000)|zeros8)>>16, 6)
}

// hexDigits returns the eight hexadecimal digits of v, one a byte, the most significant in the lowest, and not yet text.
func hexDigits(v uint32) uint64 {
	x := uint64(v)
	x = (x | x<<16) & 0x0000_ffff_0000_ffff
	x = (x | x<<8) & 0x00ff_00ff_00ff_00ff
	x = (x | x<<4) & 0x0f0f_0f0f_0f0f_0f0f
	return bits.ReverseBytes64(x)
}

// hexText makes lower-case text of what hexDigits returned.
func hexText(digits uint64) uint64 {
	letters := (digits + 6*0x0101_0101_0101_0101) >> 4 & 0x0101_0101_0101_0101
	return digits + zeros8 + letters*('a'-'0'-10)
}

// appendHex appends v in lower-case hexadecimal without leading zeros.
func appendHex(b []byte, v uint64) []byte {
	b = reserve(b, maxHex)
	high, low := hexDigits(uint32(v>>32)), hexDigits(uint32(v))
	if high == 0 {
		leading := bits.TrailingZeros64(low|keepLast) &^ 7
		return put(b, hexText(low)>>leading, maxWord-leading/8)
	}
	leading := bits.TrailingZeros64(high) &^ 7
	b = put(b, hexText(high)>>leading, maxWord-leading/8)
	return put(b, hexText(low), maxWord)
}
