package symbolize

import (
	"bytes"
	"compress/zlib"
	"debug/dwarf"
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"path"
	"strings"
)

const (
	// maxDebugSection is how large a section of debugging data may be, after decompression: those of the largest browsers
	// are larger, and have symbols all the same.
	maxDebugSection = 256 << 20
	// maxDebugFile is how large a file may be that has to be read whole for its checksum.
	maxDebugFile = 1 << 30
	// maxInlined is how deep functions may be inlined into each other.
	maxInlined = 64
	// maxOrigins is how long the way to a function's name may be.
	maxOrigins = 8
	debugRoot  = "/usr/lib/debug"
)

// debugData is what a compiler tells of a module, in the module itself or in a file of its own. A nil *debugData knows
// nothing.
type debugData struct {
	file *os.File // nil: in the module itself
	elf  *image64
	data *dwarf.Data // nil: there is none
}

// openDebug finds the debugging data of a module. Never nil.
func openDebug(f *image64, modulePath, root string) *debugData {
	if _, ok := f.section(".debug_info"); ok {
		return &debugData{elf: f, data: readDWARF(f)}
	}
	for _, candidate := range debugFiles(f, modulePath) {
		for _, base := range []string{root, ""} {
			if d := openDebugFile(base+candidate.path, candidate.matches); d != nil {
				return d
			}
		}
	}
	return &debugData{}
}

// debugFile is where debugging data may be, and what tells that it is this module's.
type debugFile struct {
	path    string
	matches func(*os.File, *image64) bool
}

// debugFiles lists where gdb looks, too: by build id, and by .gnu_debuglink with its checksum.
func debugFiles(f *image64, modulePath string) (files []debugFile) {
	if id := f.buildID(); len(id) > 1 {
		text := hex.EncodeToString(id)
		files = append(files, debugFile{
			path.Join(debugRoot, ".build-id", text[:2], text[2:]+".debug"),
			func(_ *os.File, other *image64) bool { return bytes.Equal(other.buildID(), id) },
		})
	}
	link, ok := f.section(".gnu_debuglink")
	if !ok {
		return files
	}
	name := f.stringAt(link, 0, maxSectionName*4)
	sum, err := f.bytesAt(link.off+link.size-4, 4)
	if err != nil || name == "" || name != path.Base(name) || link.size < 4 {
		return files
	}
	want := binary.LittleEndian.Uint32(sum)
	matches := func(file *os.File, _ *image64) bool { return checksum(file) == want }
	dir := path.Dir(strings.TrimSuffix(modulePath, deletedMark))
	for _, place := range []string{path.Join(dir, name), path.Join(dir, ".debug", name), path.Join(debugRoot, dir, name)} {
		files = append(files, debugFile{place, matches})
	}
	return files
}

// checksum returns the CRC of a file, as .gnu_debuglink has it; 0 if it cannot be read.
func checksum(file *os.File) uint32 {
	info, err := file.Stat()
	if err != nil || info.Size() > maxDebugFile {
		return 0
	}
	sum := crc32.NewIEEE()
	if _, err := io.Copy(sum, io.NewSectionReader(file, 0, info.Size())); err != nil {
		return 0
	}
	return sum.Sum32()
}

func openDebugFile(path string, matches func(*os.File, *image64) bool) *debugData {
	file, err := openFile(path)
	if err != nil {
		return nil
	}
	info, err := file.Stat()
	if err == nil {
		var headers *image64
		if headers, err = readELF(file, info.Size()); err == nil && matches(file, headers) {
			return &debugData{file: file, elf: headers, data: readDWARF(headers)}
		}
	}
	_ = file.Close()
	return nil
}

func (d *debugData) close() {
	if d != nil && d.file != nil {
		_ = d.file.Close()
	}
}

// symbols returns the file of its own, whose symbol table may be longer; nil without one.
func (d *debugData) symbols() *image64 {
	if d == nil || d.file == nil {
		return nil
	}
	return d.elf
}

// readDWARF returns nil if there is none that can be read.
func readDWARF(f *image64) *dwarf.Data {
	get := func(name string) []byte { b, _ := f.contents(name); return b }
	data, err := dwarf.New(get(".debug_abbrev"), nil, nil, get(".debug_info"), get(".debug_line"), nil, get(".debug_ranges"),
		get(".debug_str"))
	if err != nil {
		return nil
	}
	for _, name := range []string{".debug_addr", ".debug_line_str", ".debug_str_offsets", ".debug_rnglists"} {
		if b := get(name); b != nil && data.AddSection(name, b) != nil {
			return nil
		}
	}
	return data
}

var errTooLarge = errors.New("section is too large")

// contents returns a section, decompressed.
func (f *image64) contents(name string) ([]byte, error) {
	s, ok := f.section(name)
	if !ok {
		return nil, errFormat
	}
	if s.size > maxDebugSection {
		return nil, errTooLarge
	}
	raw, err := f.bytesAt(s.off, s.size)
	if err != nil || s.flags&elf.SHF_COMPRESSED == 0 {
		return raw, err
	}
	const chdrSize = 24 // type, reserved, size, alignment
	if len(raw) < chdrSize || elf.CompressionType(binary.LittleEndian.Uint32(raw)) != elf.COMPRESS_ZLIB {
		return nil, errFormat
	}
	size := binary.LittleEndian.Uint64(raw[8:])
	if size > maxDebugSection {
		return nil, errTooLarge
	}
	z, err := zlib.NewReader(bytes.NewReader(raw[chdrSize:]))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if _, err := io.Copy(&out, io.LimitReader(z, int64(size))); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
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
		p := named(d.name(calls[n]))
		p.file, p.line, p.inlined = file, line, n > 0
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

// name returns the name that the linker knows, or else that of the source.
func (d *debugData) name(entry *dwarf.Entry) string {
	name := ""
	for range maxOrigins {
		if linkage, ok := entry.Val(dwarf.AttrLinkageName).(string); ok && linkage != "" {
			return linkage
		}
		if plain, ok := entry.Val(dwarf.AttrName).(string); ok && name == "" {
			name = plain
		}
		origin, ok := entry.Val(dwarf.AttrAbstractOrigin).(dwarf.Offset)
		if !ok {
			if origin, ok = entry.Val(dwarf.AttrSpecification).(dwarf.Offset); !ok {
				return name
			}
		}
		r := d.data.Reader()
		r.Seek(origin)
		next, err := r.Next()
		if err != nil || next == nil {
			return name
		}
		entry = next
	}
	return name
}
