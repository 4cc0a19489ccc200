package symbolize

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	ehdrSize = 64
	phdrSize = 56
	shdrSize = 64

	// maxHeaders is how many segments and how many sections a file may have: linkers make dozens.
	maxHeaders = 1024
	// maxSectionName is enough for every name that is looked for.
	maxSectionName = 64
	// maxNotes is how much of a segment of notes is searched for the build id.
	maxNotes = 1 << 16
)

var errFormat = errors.New("not a 64-bit little-endian ELF file")

// image64 is the headers of an ELF file of the processes that we run beside: 64 bits, little-endian. debug/elf reads
// more than headers up front, and as much as they claim.
type image64 struct {
	io.ReaderAt
	size     int64
	machine  elf.Machine
	progs    []segment
	sections []section
}

type segment struct {
	kind                      elf.ProgType
	flags                     elf.ProgFlag
	off, vaddr, filesz, memsz uint64
}

type section struct {
	name                  string
	kind                  elf.SectionType
	flags                 elf.SectionFlag
	addr, off, size, info uint64
	link                  uint32
}

// readELF reads the headers. Segments and sections that lie outside of the file are kept as they are: reading them
// fails later.
func readELF(r io.ReaderAt, size int64) (*image64, error) {
	f := &image64{ReaderAt: r, size: size}
	head, err := f.bytesAt(0, ehdrSize)
	if err != nil || string(head[:4]) != elf.ELFMAG || head[elf.EI_CLASS] != byte(elf.ELFCLASS64) ||
		head[elf.EI_DATA] != byte(elf.ELFDATA2LSB) {
		return nil, errFormat
	}
	le := binary.LittleEndian
	f.machine = elf.Machine(le.Uint16(head[18:]))
	if n := uint64(le.Uint16(head[56:])); n > 0 {
		if le.Uint16(head[54:]) != phdrSize || n > maxHeaders {
			return nil, errFormat
		}
		table, err := f.bytesAt(le.Uint64(head[32:]), n*phdrSize)
		if err != nil {
			return nil, fmt.Errorf("program headers: %v", err)
		}
		f.progs = parseSegments(table)
	}
	// A file without section headers, or with such as make no sense, still has its segments.
	f.readSections(le.Uint64(head[40:]), le.Uint16(head[58:]), le.Uint16(head[60:]), uint32(le.Uint16(head[62:])))
	return f, nil
}

func parseSegments(table []byte) []segment {
	progs := make([]segment, 0, len(table)/phdrSize)
	for c := (cursor{data: table}); c.left() >= phdrSize; {
		var p segment
		p.kind, p.flags = elf.ProgType(c.u32()), elf.ProgFlag(c.u32())
		p.off, p.vaddr = c.u64(), c.u64()
		c.skip(8)
		p.filesz, p.memsz = c.u64(), c.u64()
		c.skip(8)
		progs = append(progs, p)
	}
	return progs
}

func (f *image64) readSections(off uint64, size, n uint16, names uint32) {
	if off == 0 || size != shdrSize || n > maxHeaders {
		return
	}
	table, err := f.bytesAt(off, uint64(n)*shdrSize)
	if err != nil {
		return
	}
	offsets := make([]uint32, 0, n)
	for c := (cursor{data: table}); c.left() >= shdrSize; {
		var s section
		offsets = append(offsets, c.u32())
		s.kind, s.flags = elf.SectionType(c.u32()), elf.SectionFlag(c.u64())
		s.addr, s.off, s.size = c.u64(), c.u64(), c.u64()
		s.link, s.info = c.u32(), uint64(c.u32())
		c.skip(16)
		f.sections = append(f.sections, s)
	}
	if names >= uint32(len(f.sections)) {
		f.sections = nil
		return
	}
	strings := f.sections[names]
	for i, at := range offsets {
		f.sections[i].name = f.stringAt(strings, uint64(at), maxSectionName)
	}
}

// bytesAt returns n bytes at off, all or none: nothing is allocated for what the file does not have.
func (f *image64) bytesAt(off, n uint64) ([]byte, error) {
	if off > uint64(f.size) || n > uint64(f.size)-off {
		return nil, io.ErrUnexpectedEOF
	}
	b := make([]byte, n)
	if read, err := f.ReadAt(b, int64(off)); uint64(read) < n {
		return nil, err
	}
	return b, nil
}

// stringAt returns the string at an offset of a section, which ends at a NUL; empty if it has none within limit bytes.
func (f *image64) stringAt(s section, at uint64, limit uint64) string {
	if at >= s.size || s.off > uint64(f.size) {
		return ""
	}
	const first = 128 // most names are shorter: one small read
	for _, n := range []uint64{first, limit} {
		n = min(n, limit, s.size-at)
		if at > uint64(f.size)-s.off {
			return ""
		}
		n = min(n, uint64(f.size)-s.off-at)
		b, err := f.bytesAt(s.off+at, n)
		if err != nil {
			return ""
		}
		if end := bytes.IndexByte(b, 0); end >= 0 {
			return string(b[:end])
		}
	}
	return ""
}

// section returns the first section of a name that has contents.
func (f *image64) section(name string) (section, bool) {
	for _, s := range f.sections {
		if s.name == name && s.kind != elf.SHT_NOBITS && s.kind != elf.SHT_NULL {
			return s, true
		}
	}
	return section{}, false
}

// vaddr returns the virtual address of code at an offset of the file.
func (f *image64) vaddr(off uint64) (uint64, bool) {
	for _, p := range f.progs {
		if p.kind == elf.PT_LOAD && p.flags&elf.PF_X != 0 && off >= p.off && off-p.off < p.filesz {
			return off - p.off + p.vaddr, true
		}
	}
	return 0, false
}

// note returns the contents of the first note of an owner and type.
func (f *image64) note(owner string, kind uint32) []byte {
	for _, s := range f.sections {
		if s.kind == elf.SHT_NOTE {
			if found := f.noteIn(s.off, s.size, owner, kind); found != nil {
				return found
			}
		}
	}
	for _, p := range f.progs {
		if p.kind == elf.PT_NOTE {
			if found := f.noteIn(p.off, p.filesz, owner, kind); found != nil {
				return found
			}
		}
	}
	return nil
}

func (f *image64) noteIn(off, size uint64, owner string, kind uint32) []byte {
	b, err := f.bytesAt(off, min(size, maxNotes))
	if err != nil {
		return nil
	}
	for c := (cursor{data: b}); c.left() >= 12; {
		nameSize, descSize, noteKind := uint64(c.u32()), uint64(c.u32()), c.u32()
		name := c.bytes((nameSize + 3) &^ 3)
		desc := c.bytes(descSize)
		if pad := -descSize & 3; pad <= uint64(c.left()) {
			c.skip(pad)
		}
		if c.bad {
			return nil
		}
		if noteKind == kind && string(bytes.TrimRight(name, "\x00")) == owner {
			return desc
		}
	}
	return nil
}

// buildID returns the id that the linker gave the file, which a separate file of debugging data repeats.
func (f *image64) buildID() []byte { return f.note("GNU", 3 /* NT_GNU_BUILD_ID */) }
