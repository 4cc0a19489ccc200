package symbolize

import (
	"bytes"
	"debug/buildinfo"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
)

// The magic numbers of the table that every Go program carries (internal/abi/symtab.go, debug/gosym/pclntab.go).
const (
	go118magic = 0xfffffff0
	go120magic = 0xfffffff1
)

const (
	pclnHeader = 8 + 8*8 // magic, pads, quantum, pointer size; eight words
	// pcTable is how much of a function's tables is read: those of the largest functions have some kilobytes.
	pcTable = 64 << 10
	// maxDependencies is how many modules of a program are looked at.
	maxDependencies = 4096
	// maxBuildInfo is how much of a file is read for their names.
	maxBuildInfo = 32 << 20
)

// pclntab is the table of functions and lines of a Go program, of 1.18 or newer. Only what one address needs is read.
type pclntab struct {
	file    *image64
	at      uint64 // of the table, in the file
	size    uint64
	text    uint64 // virtual address that functions are counted from
	quantum uint64
	count   uint64 // of functions
	names   uint64 // offsets in the table
	units   uint64
	files   uint64
	values  uint64
	funcs   uint64
	modules []string // paths of the modules that the program is made of
}

// readPclntab finds the table; nil if the file is no Go program, or one that is too old.
func readPclntab(f *image64, file io.ReaderAt) *pclntab {
	table, ok := f.section(".gopclntab")
	if !ok {
		if table, ok = f.section(".data.rel.ro.gopclntab"); !ok { // linked as PIE
			return nil
		}
	}
	head, err := f.bytesAt(table.off, pclnHeader)
	if err != nil {
		return nil
	}
	le := binary.LittleEndian
	if magic := le.Uint32(head); magic != go118magic && magic != go120magic || head[7] != 8 {
		return nil
	}
	word := func(n int) uint64 { return le.Uint64(head[8+8*n:]) }
	t := &pclntab{
		file: f, at: table.off, size: table.size, quantum: uint64(head[6]), count: word(0), text: word(2), names: word(3),
		units: word(4), files: word(5), values: word(6), funcs: word(7), modules: modulesOf(file),
	}
	// In a PIE it is left to relocation, and from Go 1.26 on it is 0: then it is where .text begins, unless C code stands
	// before it.
	if begin, ok := f.symbolValue("runtime.text"); ok {
		t.text = begin
	} else if s, ok := f.section(".text"); ok && t.text == 0 {
		t.text = s.addr
	}
	return t
}

// modulesOf returns the paths of the modules whose first element has no dot, as of a program that was never published.
func modulesOf(file io.ReaderAt) []string {
	info, err := buildinfo.Read(&scarce{file, maxBuildInfo})
	if err != nil {
		return nil
	}
	modules := []string{info.Path, info.Main.Path}
	for _, d := range info.Deps[:min(len(info.Deps), maxDependencies)] {
		modules = append(modules, d.Path)
	}
	return modules
}

// scarce is a file of which so many bytes may be read, in all: for decoders that read as much as they are told to.
type scarce struct {
	io.ReaderAt
	left int
}

var errTooMuch = errors.New("it reads too much")

func (s *scarce) ReadAt(b []byte, off int64) (int, error) {
	if len(b) > s.left {
		return 0, errTooMuch
	}
	s.left -= len(b)
	return s.ReaderAt.ReadAt(b, off)
}

// symbolValue returns the value of a function by its name.
func (f *image64) symbolValue(name string) (uint64, bool) {
	for _, s := range f.sections {
		if s.kind != elf.SHT_SYMTAB || s.link >= uint32(len(f.sections)) {
			continue
		}
		names, err := f.bytesAt(f.sections[s.link].off, min(f.sections[s.link].size, maxSymtab))
		if err != nil {
			continue
		}
		at := bytes.Index(names, append(append([]byte{0}, name...), 0))
		table, err := f.bytesAt(s.off, min(s.size, maxSymtab))
		if at < 0 || err != nil {
			continue
		}
		for c := (cursor{data: table}); c.left() >= symSize; {
			index := c.u32()
			c.skip(4)
			value := c.u64()
			c.skip(8)
			if index == uint32(at+1) {
				return value, true
			}
		}
	}
	return 0, false
}

// read returns n bytes at an offset of the table.
func (t *pclntab) read(at, n uint64) []byte {
	if at > t.size || n > t.size-at {
		return nil
	}
	b, err := t.file.bytesAt(t.at+at, n)
	if err != nil {
		return nil
	}
	return b
}

func (t *pclntab) u32(at uint64) uint64 {
	b := t.read(at, 4)
	if b == nil {
		return 0
	}
	return uint64(binary.LittleEndian.Uint32(b))
}

func (t *pclntab) text32(at uint64) string {
	return t.file.stringAt(section{off: t.at, size: t.size}, at, maxName)
}

// place names a virtual address.
func (t *pclntab) place(vaddr uint64) (p place, ok bool) {
	if vaddr < t.text || t.count == 0 || t.count > t.size/8 {
		return p, false
	}
	target := vaddr - t.text
	low, high := uint64(0), t.count // the last function that begins at or before it
	for high-low > 1 {
		if mid := (low + high) / 2; t.u32(t.funcs+8*mid) <= target {
			low = mid
		} else {
			high = mid
		}
	}
	entry, end := t.u32(t.funcs+8*low), t.u32(t.funcs+8*(low+1))
	if target < entry || target >= end {
		return p, false
	}
	const funcSize = 36 // entry, name, args, deferreturn, pcsp, pcfile, pcln, npcdata, unit: 32 bits each
	f := t.read(t.funcs+t.u32(t.funcs+8*low+4), funcSize)
	if f == nil {
		return p, false
	}
	field := func(n int) uint64 { return uint64(binary.LittleEndian.Uint32(f[4*n:])) }
	p.function = t.text32(t.names + field(1))
	p.kind = kindOfGo(p.function, t.modules)
	if line, ok := t.value(field(6), entry, target); ok && line > 0 {
		p.line = int(line)
	}
	if file, ok := t.value(field(5), entry, target); ok && file >= 0 {
		if at := t.u32(t.units + 4*(field(8)+uint64(file))); at != 1<<32-1 {
			p.file = t.text32(t.files + at)
		}
	}
	return p, p.function != ""
}

// value reads a table that maps program counters to values, as pairs of differences (runtime.pcvalue).
func (t *pclntab) value(at, pc, target uint64) (int64, bool) {
	at += t.values
	if at >= t.size {
		return 0, false
	}
	value := int64(-1)
	for c := (cursor{data: t.read(at, min(pcTable, t.size-at))}); !c.bad; {
		first := value == -1 && c.off == 0
		delta := uint32(c.uleb())
		if delta == 0 && !first {
			return 0, false
		}
		if delta&1 != 0 {
			value += int64(^(delta >> 1)) - 1<<32
		} else {
			value += int64(delta >> 1)
		}
		value = int64(int32(value))
		pc += c.uleb() * t.quantum
		if target < pc && !c.bad {
			return value, true
		}
	}
	return 0, false
}
