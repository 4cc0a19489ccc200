package symbolize

import (
	"debug/elf"
	"strings"
)

const (
	symSize = 24
	// maxSymtab bounds what is read for one address. Chrome with all its symbols has 2 million, 48 MB.
	maxSymtab = 64 << 20
	// symtabChunk is how much of it is in memory at a time. Nothing is kept: answers are.
	symtabChunk = 48 << 10
	// maxName is the longest symbol that is taken; those of C++ and Rust reach some kilobytes.
	maxName = 16 << 10
)

// symbolAt returns the name of the function at a virtual address from .symtab, or .dynsym without one. Sizes are
// respected: code behind the end of one function and before the next belongs to none.
func (f *image64) symbolAt(vaddr uint64, kind elf.SectionType) string {
	for _, s := range f.sections {
		if s.kind == kind && s.link < uint32(len(f.sections)) {
			if name := f.symbolIn(s, f.sections[s.link], vaddr); name != "" {
				return name
			}
		}
	}
	return ""
}

// candidate is a symbol that may be the one.
type candidate struct {
	value, size uint64
	name        uint32
	bind        elf.SymBind
	text        string
}

func (f *image64) symbolIn(s, names section, vaddr uint64) string {
	var best, below candidate // the smallest that holds vaddr; the last without a size that begins before it
	var last uint64           // the last value at or before vaddr: what begins there ends what has no size
	var chunk [symtabChunk]byte
	size := min(s.size, maxSymtab)
	for at := uint64(0); at < size; at += symtabChunk {
		part := chunk[:min(size-at, symtabChunk)]
		off := s.off + at
		if off < at || off > uint64(f.size) {
			return ""
		}
		n, _ := f.ReadAt(part, int64(off))
		for c := (cursor{data: part[:n]}); c.left() >= symSize; {
			sym := candidate{name: c.u32()}
			info := c.u8()
			c.skip(1)
			index := elf.SectionIndex(c.u16())
			sym.value, sym.size, sym.bind = c.u64(), c.u64(), elf.ST_BIND(info)
			if index == elf.SHN_UNDEF || sym.value > vaddr || !isFunction(elf.ST_TYPE(info)) {
				continue
			}
			last = max(last, sym.value)
			switch {
			case vaddr-sym.value < sym.size:
				best = f.better(best, sym, names)
			case sym.size == 0 && sym.value > 0 && s.kind == elf.SHT_SYMTAB: // .dynsym has few: what follows may be others'
				below = f.better(below, sym, names)
			}
		}
		if n < len(part) {
			break
		}
	}
	if best.text != "" {
		return best.text
	}
	if below.value == last && below.text != "" && f.sameSection(below.value, vaddr) {
		return below.text
	}
	return ""
}

// better returns the symbol that names an address better: the one that begins later, then the one that is shown to
// other modules (connect rather than __libc_connect), with the fewest underscores before its name.
func (f *image64) better(a, b candidate, names section) candidate {
	if a.text != "" && b.value < a.value {
		return a
	}
	b.text = f.stringAt(names, uint64(b.name), maxName)
	if b.text == "" || strings.HasPrefix(b.text, "$") { // $x, $d: marks of the assembler (ELF for the Arm 64-bit Architecture, 5.5.4)
		return a
	}
	if a.text == "" || b.value > a.value {
		return b
	}
	if x, y := underscores(a.text), underscores(b.text); x != y {
		if x < y {
			return a
		}
		return b
	}
	if a.bind == elf.STB_LOCAL && b.bind != elf.STB_LOCAL {
		return b
	}
	return a
}

// underscores counts those before a name, of which mangled names have one by their own right.
func underscores(name string) int {
	if isMangled(name) {
		return 0
	}
	return len(name) - len(strings.TrimLeft(name, "_"))
}

// isMangled says whether a symbol is one of C++ or Rust.
func isMangled(symbol string) bool {
	return strings.HasPrefix(symbol, "_Z") || strings.HasPrefix(symbol, "_R")
}

func isFunction(t elf.SymType) bool {
	return t == elf.STT_FUNC || t == elf.STT_NOTYPE || t == elf.STT_GNU_IFUNC
}

// sameSection says whether two addresses are in one section, as far as there are sections.
func (f *image64) sameSection(a, b uint64) bool {
	for _, s := range f.sections {
		if s.flags&elf.SHF_ALLOC != 0 && s.addr <= a && a-s.addr < s.size {
			return b-s.addr < s.size
		}
	}
	return false
}
