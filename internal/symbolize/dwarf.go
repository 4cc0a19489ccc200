package symbolize

import "debug/dwarf"

const (
	// maxInlined is how deep functions may be inlined into each other.
	maxInlined = 64
	// maxOrigins is how long the way to a function's name may be.
	maxOrigins = 8
)

// readDWARF returns the debugging data of a file and how large they are, nil if there are none that can be read.
func readDWARF(f *image64) (data *dwarf.Data, size uint64) {
	get := func(name string) []byte {
		b, _ := f.contents(name, maxDebug-size)
		size += uint64(len(b))
		return b
	}
	data, err := dwarf.New(get(".debug_abbrev"), nil, nil, get(".debug_info"), get(".debug_line"), nil, get(".debug_ranges"),
		get(".debug_str"))
	if err != nil {
		return nil, 0
	}
	for _, name := range []string{".debug_addr", ".debug_line_str", ".debug_str_offsets", ".debug_rnglists"} {
		if b := get(name); b != nil && data.AddSection(name, b) != nil {
			return nil, 0
		}
	}
	return data, size
}

// places names a virtual address, innermost first; none if nothing is known.
func (d *debugData) places(vaddr uint64) []place {
	if d == nil || d.data == nil {
		return nil
	}
	r := d.data.Reader()
	unit, err := r.SeekPC(vaddr)
	if err != nil {
		return nil
	}
	calls := d.around(r, unit, vaddr)
	if len(calls) == 0 {
		return nil
	}
	lines, err := d.data.LineReader(unit)
	if err != nil {
		lines = nil
	}
	file, line := lineOf(lines, vaddr)
	places := make([]place, 0, len(calls))
	for n := len(calls) - 1; n >= 0; n-- { // what is inlined stands inside of what it is inlined into
		name, whole := d.name(calls[n])
		p := named(name)
		p.file, p.line, p.inlined, p.short = file, line, n > 0, !whole
		places = append(places, p)
		file, line = "", 0
		if number, ok := calls[n].Val(dwarf.AttrCallLine).(int64); ok {
			line = int(number)
		}
		if number, ok := calls[n].Val(dwarf.AttrCallFile).(int64); ok && lines != nil {
			if files := lines.Files(); number >= 0 && int(number) < len(files) && files[number] != nil {
				file = files[number].Name
			}
		}
	}
	return places
}

// lineOf returns the source line of an address. It looks through all sequences: SeekPC takes them to be in order, and a
// compiler puts main() in a section of its own before the others.
func lineOf(lines *dwarf.LineReader, vaddr uint64) (file string, line int) {
	if lines == nil {
		return "", 0
	}
	var row, next dwarf.LineEntry
	for inside := false; lines.Next(&next) == nil; row, inside = next, !next.EndSequence {
		if inside && row.Address <= vaddr && vaddr < next.Address && row.File != nil {
			return row.File.Name, row.Line
		}
	}
	return "", 0
}

// around returns the function that an address is in, and those inlined there, outermost first.
func (d *debugData) around(r *dwarf.Reader, unit *dwarf.Entry, vaddr uint64) (calls []*dwarf.Entry) {
	if !unit.Children {
		return nil
	}
	depth := 0
	for {
		entry, err := r.Next()
		if err != nil || entry == nil {
			return calls
		}
		switch entry.Tag {
		case 0:
			if depth--; depth < 0 || len(calls) > 0 && depth == 0 {
				return calls
			}
			continue
		case dwarf.TagSubprogram, dwarf.TagInlinedSubroutine:
			if d.covers(entry, vaddr) && len(calls) < maxInlined {
				if entry.Tag == dwarf.TagSubprogram {
					calls, depth = calls[:0], 0
				}
				calls = append(calls, entry)
				if !entry.Children {
					return calls
				}
				depth++
				continue
			}
			r.SkipChildren()
			continue
		case dwarf.TagLexDwarfBlock, dwarf.TagNamespace, dwarf.TagClassType, dwarf.TagStructType, dwarf.TagModule:
			if entry.Children {
				depth++
			}
			continue
		}
		r.SkipChildren()
	}
}

func (d *debugData) covers(entry *dwarf.Entry, vaddr uint64) bool {
	ranges, err := d.data.Ranges(entry)
	if err != nil {
		return false
	}
	for _, part := range ranges {
		if part[0] <= vaddr && vaddr < part[1] {
			return true
		}
	}
	return false
}

// name returns the name that the linker knows, or else the last part of that of the source: what is not shown to other
// modules, as in an unnamed namespace or a lambda, has no other.
func (d *debugData) name(entry *dwarf.Entry) (name string, whole bool) {
	for range maxOrigins {
		if linkage, ok := entry.Val(dwarf.AttrLinkageName).(string); ok && linkage != "" {
			return linkage, true
		}
		if plain, ok := entry.Val(dwarf.AttrName).(string); ok && name == "" {
			name = plain
		}
		origin, ok := entry.Val(dwarf.AttrAbstractOrigin).(dwarf.Offset)
		if !ok {
			if origin, ok = entry.Val(dwarf.AttrSpecification).(dwarf.Offset); !ok {
				return name, false
			}
		}
		r := d.data.Reader()
		r.Seek(origin)
		next, err := r.Next()
		if err != nil || next == nil {
			return name, false
		}
		entry = next
	}
	return name, false
}
