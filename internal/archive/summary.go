package archive

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math/bits"
	"net/netip"
)

// summary gathers what the lines of a file can be found by: in a table while that is little, and then in a filter.
type summary struct {
	first, last int64
	lines       uint64
	loose       uint64
	keys        map[uint64]struct{}
	filter      []byte // of maxFilter bytes, when keys are too many
	before      Keys   // of the last line: the next is often about the same
}

const (
	// fewKeys is how many keys a table has: most processes are about less.
	fewKeys = 512
	// maxFilter has room for 40,000 keys; with more of them, more questions are answered by a wrong yes.
	maxFilter = 64 << 10
	// minFilter is the smallest one.
	minFilter = 8
)

func (s *summary) add(k *Keys) {
	if s.lines == 0 || k.Time < s.first {
		s.first = k.Time
	}
	s.last = max(s.last, k.Time)
	s.lines++
	if *k == (Keys{Time: k.Time}) {
		s.loose++
		return
	}
	if k.Cookie == s.before.Cookie && k.PID == s.before.PID && k.Local == s.before.Local && k.Remote == s.before.Remote {
		return
	}
	s.before = *k
	for _, key := range k.hashes() {
		switch {
		case key == 0:
		case s.filter != nil:
			mark(s.filter, key)
		default:
			s.note(key)
		}
	}
}

// note puts a key into the table, or all into a filter.
func (s *summary) note(key uint64) {
	if s.keys == nil {
		s.keys = map[uint64]struct{}{}
	}
	if s.keys[key] = struct{}{}; len(s.keys) > fewKeys {
		s.filter = filterOf(s.keys, maxFilter)
		s.keys = nil
	}
}

func filterOf(keys map[uint64]struct{}, size int) []byte {
	filter := make([]byte, size)
	for key := range keys {
		mark(filter, key)
	}
	return filter
}

// mark puts a key into a filter, whose size is a power of two.
func mark(filter []byte, key uint64) {
	for i := range uint64(probesPerKey) {
		bit := probe(key, i, len(filter))
		filter[bit/8] |= 1 << (bit % 8)
	}
}

// small returns the filter of a summary, no larger than it need be; nil for none.
func (s *summary) small() []byte {
	if s.filter == nil {
		if len(s.keys) == 0 {
			return nil
		}
		size := minFilter
		for size*8 < len(s.keys)*bitsPerKey {
			size *= 2
		}
		return filterOf(s.keys, size)
	}
	filter := s.filter
	for len(filter) > minFilter && isSparse(filter) { // the halves of it are filters of the same keys, folded
		half := len(filter) / 2
		folded := make([]byte, half)
		for i := range folded {
			folded[i] = filter[i] | filter[half+i]
		}
		filter = folded
	}
	return filter
}

// isSparse says whether so few bits are set that half the size would do.
func isSparse(filter []byte) bool {
	ones := 0
	for _, b := range filter {
		ones += bits.OnesCount8(b)
	}
	return ones*4 < len(filter)*8
}

// hashes returns a number for each key that there is; 0 for none.
func (k *Keys) hashes() (h [4]uint64) {
	if k.Cookie != 0 {
		h[0] = mix(1, k.Cookie, 0)
	}
	if k.PID != 0 {
		h[1] = mix(2, uint64(k.PID), 0)
	}
	for i, addr := range [...]netip.Addr{k.Local, k.Remote} {
		if addr.IsValid() {
			b := addr.As16()
			h[2+i] = mix(3, binary.LittleEndian.Uint64(b[:8]), binary.LittleEndian.Uint64(b[8:]))
		}
	}
	return h
}

// mix spreads its arguments over 64 bits (the finalizer of SplitMix64), the same way in every version.
func mix(kind, a, b uint64) uint64 {
	x := kind*0x9e3779b97f4a7c15 ^ a
	for _, y := range [...]uint64{0, b} {
		x ^= y
		x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
		x = (x ^ x>>27) * 0x94d049bb133111eb
		x ^= x >> 31
	}
	return max(x, 1)
}

// Summary is what is known of a file without reading it.
type Summary struct {
	First, Last int64 // times, ns since 1970
	Lines       uint64
	Loose       uint64 // of these have no key: they are about everything
	filter      []byte // of the others; nil: none
}

// The frame that holds a summary is one that decoders skip (RFC 8878, section 3.1.2), and ends with its own length and a
// mark, so that it is found from the file's end.
const (
	frameMagic   = 0x184d2a5c
	frameHeader  = 8
	summaryMark  = 0x326d757374706374 // "tcptsum2"
	fixedPart    = 4*8 + 4
	trailerPart  = 4 + 4 + 8 // checksum, length of the frame, mark
	maxFrame     = frameHeader + fixedPart + maxFilter + trailerPart
	bitsPerKey   = 12 // one in 300 questions is answered wrongly by yes
	probesPerKey = 8
)

// frame returns the summary as a frame.
func (s *summary) frame() []byte {
	filter := s.small()
	size := fixedPart + len(filter) + trailerPart
	b := binary.LittleEndian.AppendUint32(nil, frameMagic)
	b = binary.LittleEndian.AppendUint32(b, uint32(size))
	b = binary.LittleEndian.AppendUint64(b, uint64(s.first))
	b = binary.LittleEndian.AppendUint64(b, uint64(s.last))
	b = binary.LittleEndian.AppendUint64(b, s.lines)
	b = binary.LittleEndian.AppendUint64(b, s.loose)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(filter)))
	b = append(b, filter...)
	b = binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(b[frameHeader:]))
	b = binary.LittleEndian.AppendUint32(b, uint32(frameHeader+size))
	return binary.LittleEndian.AppendUint64(b, summaryMark)
}

func probe(key, i uint64, size int) uint64 { return (key + i*(key>>32|1)) & uint64(size*8-1) }

func (s *Summary) has(key uint64) bool {
	for i := range uint64(probesPerKey) {
		if bit := probe(key, i, len(s.filter)); s.filter[bit/8]>>(bit%8)&1 == 0 {
			return false
		}
	}
	return true
}

// MayHave says whether there may be a line with the key; the others of k are none. It is never wrong by no. Loose lines do not
// count.
func (s *Summary) MayHave(k Keys) bool {
	if s.filter == nil {
		return s.Lines != s.Loose
	}
	for _, h := range k.hashes() {
		if h != 0 && !s.has(h) {
			return false
		}
	}
	return true
}

// ErrNoSummary says that a file has none: it is current, or of an earlier writer that died.
var ErrNoSummary = errors.New("no summary")

// ReadSummary reads the summary at the end of a compressed file of a size.
func ReadSummary(f io.ReaderAt, size int64) (*Summary, error) {
	if size < frameHeader+fixedPart+trailerPart {
		return nil, ErrNoSummary
	}
	var trailer [trailerPart]byte
	if _, err := f.ReadAt(trailer[:], size-trailerPart); err != nil {
		return nil, err
	}
	length := int64(binary.LittleEndian.Uint32(trailer[4:]))
	if binary.LittleEndian.Uint64(trailer[8:]) != summaryMark || length > size || length > maxFrame ||
		length < frameHeader+fixedPart+trailerPart {
		return nil, ErrNoSummary
	}
	b := make([]byte, length)
	if _, err := f.ReadAt(b, size-length); err != nil {
		return nil, err
	}
	sum := b[len(b)-trailerPart:]
	inner := b[frameHeader : len(b)-trailerPart]
	if binary.LittleEndian.Uint32(b) != frameMagic || crc32.ChecksumIEEE(inner) != binary.LittleEndian.Uint32(sum) {
		return nil, ErrNoSummary
	}
	s := &Summary{
		First: int64(binary.LittleEndian.Uint64(inner)), Last: int64(binary.LittleEndian.Uint64(inner[8:])),
		Lines: binary.LittleEndian.Uint64(inner[16:]), Loose: binary.LittleEndian.Uint64(inner[24:]),
	}
	if n := binary.LittleEndian.Uint32(inner[32:]); uint64(n) != uint64(len(inner)-fixedPart) || n&(n-1) != 0 {
		return nil, ErrNoSummary
	} else if n > 0 {
		s.filter = bytes.Clone(inner[fixedPart:])
	}
	return s, nil
}
