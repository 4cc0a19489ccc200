package symbolize

import "encoding/binary"

// cursor reads little-endian data from its front. Past the end it gives zeros and remembers that: so a decoder checks
// bad once a record and not at every field.
type cursor struct {
	data []byte
	off  int
	bad  bool
}

func (c *cursor) left() int { return len(c.data) - c.off }

// bytes returns the next n bytes, or nil if there are fewer.
func (c *cursor) bytes(n uint64) []byte {
	if c.bad || n > uint64(c.left()) {
		c.bad = true
		return nil
	}
	b := c.data[c.off : c.off+int(n)]
	c.off += int(n)
	return b
}

func (c *cursor) skip(n uint64) { c.bytes(n) }

// uint returns the next integer of size bytes, which is 1 to 8.
func (c *cursor) uint(size int) uint64 {
	var v uint64
	for i, b := range c.bytes(uint64(size)) {
		v |= uint64(b) << (8 * i)
	}
	return v
}

func (c *cursor) u8() uint8 {
	if c.bad || c.off >= len(c.data) {
		c.bad = true
		return 0
	}
	c.off++
	return c.data[c.off-1]
}

func (c *cursor) u16() uint16 { return uint16(c.uint(2)) }

func (c *cursor) u32() uint32 {
	if b := c.bytes(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (c *cursor) u64() uint64 {
	if b := c.bytes(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// uleb returns an unsigned number of 7 bits a byte; bits past the 64th are dropped.
func (c *cursor) uleb() uint64 {
	var v uint64
	for shift := uint(0); ; shift += 7 {
		b := c.u8()
		if shift < 64 {
			v |= uint64(b&0x7f) << shift
		}
		if b&0x80 == 0 {
			return v
		}
	}
}
