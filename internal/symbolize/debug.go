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
	"syscall"
)

const (
	// maxDebug is how large the debugging data of a module may be, after decompression, for it is in memory: that of the
	// largest browsers and databases is larger, and these have symbols all the same.
	maxDebug = 256 << 20
	// maxDebugFile is how large a file may be that has to be read whole for its checksum.
	maxDebugFile = 1 << 30
	debugRoot    = "/usr/lib/debug"
)

// debugData is what a compiler tells of a module, in the module itself or in a file of its own. A nil *debugData knows
// nothing.
type debugData struct {
	file *os.File // nil: in the module itself
	elf  *image64
	data *dwarf.Data // nil: there is none
	size uint64      // of data
}

// openDebug finds the debugging data of a module, in itself or in a file that belongs to the same user, or to root. In the
// root of a process there may be anything, and modules are shared with others. Never nil.
func openDebug(m *module, root string) *debugData {
	f := m.elf
	if _, ok := f.section(".debug_info"); ok {
		data, size := readDWARF(f)
		return &debugData{elf: f, data: data, size: size}
	}
	for _, candidate := range debugFiles(f, m.path) {
		for _, base := range []string{root, ""} {
			if d := openDebugFile(base+candidate.path, m.uid, candidate.matches); d != nil {
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

func openDebugFile(path string, uid uint32, matches func(*os.File, *image64) bool) *debugData {
	file, err := openFile(path)
	if err != nil {
		return nil
	}
	info, err := file.Stat()
	if err == nil {
		if stat, ok := info.Sys().(*syscall.Stat_t); !ok || stat.Uid != uid && stat.Uid != 0 {
			err = errNotTheirs
		}
	}
	if err == nil {
		var headers *image64
		if headers, err = readELF(file, info.Size()); err == nil && matches(file, headers) {
			data, size := readDWARF(headers)
			return &debugData{file: file, elf: headers, data: data, size: size}
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

var errTooLarge = errors.New("section is too large")

// contents returns a section, decompressed, if it has so many bytes at most.
func (f *image64) contents(name string, limit uint64) ([]byte, error) {
	s, ok := f.section(name)
	if !ok {
		return nil, errFormat
	}
	if s.size > limit {
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
	if size > limit {
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
