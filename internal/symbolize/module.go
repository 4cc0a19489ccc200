package symbolize

import (
	"debug/elf"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/ianlancetaylor/demangle"
)

// maxAnswers is how many addresses of a module are remembered: those of connect() and its callers, not of all code.
const maxAnswers = 1024

// module is a mapped file. It may be used by several goroutines.
type module struct {
	path string // in the root of the process that was seen with it first
	uid  uint32 // owner of the file

	weight atomic.Uint64 // bytes of debugging data in memory

	mu      sync.Mutex
	file    *os.File // nil: closed
	size    int64
	changed time.Time
	elf     *image64
	golang  *pclntab // nil: no Go program, or not looked for yet
	lookups bool     // golang was looked for
	debug   *debugData
	answers map[uint64][]place
}

// newModule reads the headers. The file is the module's from then on, unless there is an error.
func newModule(file *os.File, path string) (*module, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	headers, err := readELF(file, info.Size())
	if err != nil {
		return nil, err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return &module{
		path: path, uid: stat.Uid, file: file, size: info.Size(), changed: info.ModTime(), elf: headers, answers: map[uint64][]place{},
	}, nil
}

// isFresh says whether the file is open and as it was. It does not wait for somebody who looks something up there.
func (m *module) isFresh() bool {
	if !m.mu.TryLock() {
		return true
	}
	defer m.mu.Unlock()
	if m.file == nil {
		return false
	}
	info, err := m.file.Stat()
	return err == nil && info.Size() == m.size && info.ModTime().Equal(m.changed)
}

// close closes the file, if somebody looks something up there, later.
func (m *module) close() error {
	if !m.mu.TryLock() {
		go func() {
			m.mu.Lock()
			defer m.mu.Unlock()
			_ = m.closeNow() // only read
		}()
		return nil
	}
	defer m.mu.Unlock()
	return m.closeNow()
}

func (m *module) closeNow() error {
	if m.file == nil {
		return nil
	}
	err := m.file.Close()
	m.debug.close()
	m.file, m.debug, m.golang = nil, nil, nil
	m.weight.Store(0)
	return err
}

// lighten frees the debugging data, which are read again when they are needed. It does not wait for somebody who looks
// something up there.
func (m *module) lighten() {
	if !m.mu.TryLock() {
		return
	}
	defer m.mu.Unlock()
	m.debug.close()
	m.debug = nil
	m.weight.Store(0)
}

func (m *module) vaddr(offset uint64) (uint64, bool) { return m.elf.vaddr(offset) }

func (m *module) isARM() bool { return m.elf.machine == elf.EM_AARCH64 }

// code returns up to n bytes before an offset of the file.
func (m *module) code(offset, n uint64) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	n = min(n, offset)
	if m.file == nil {
		return nil
	}
	b, err := m.elf.bytesAt(offset-n, n)
	if err != nil {
		return nil
	}
	return b
}

// places names a virtual address, innermost first; none if nothing is known. Files with debugging data are looked for in
// root, and then in ours. It never fails: what a hostile file makes of a decoder costs its own names.
func (m *module) places(vaddr uint64, root string) []place {
	m.mu.Lock()
	defer m.mu.Unlock()
	if known, ok := m.answers[vaddr]; ok {
		return known
	}
	if m.file == nil {
		return nil
	}
	found := m.lookUp(vaddr, root)
	if len(m.answers) == maxAnswers {
		clear(m.answers)
	}
	m.answers[vaddr] = found
	return found
}

func (m *module) lookUp(vaddr uint64, root string) (found []place) {
	defer func() {
		if recover() != nil { // the decoders of the standard library trust what they read
			found = nil
		}
	}()
	if !m.lookups {
		m.lookups = true
		m.golang = readPclntab(m.elf, m.file)
	}
	if m.golang != nil {
		if p, ok := m.golang.place(vaddr); ok {
			return []place{p}
		}
	}
	if m.debug == nil {
		m.debug = openDebug(m, root)
		m.weight.Store(m.debug.size)
	}
	found = m.debug.places(vaddr)
	outer := len(found) - 1
	if outer >= 0 && !found[outer].short {
		return found
	}
	symbol := m.symbol(vaddr)
	switch {
	case outer < 0 && symbol != "":
		return []place{named(symbol)}
	case outer >= 0 && isMangled(symbol):
		p := named(symbol)
		found[outer].function, found[outer].kind = p.function, p.kind
	}
	return found
}

// symbol returns the function at a virtual address by the symbol tables; "" if they do not say.
func (m *module) symbol(vaddr uint64) string {
	for _, from := range []*image64{m.elf, m.debug.symbols()} {
		if from == nil {
			continue
		}
		for _, kind := range []elf.SectionType{elf.SHT_SYMTAB, elf.SHT_DYNSYM} {
			if name := from.symbolAt(vaddr, kind); name != "" {
				return name
			}
		}
	}
	return ""
}

// named returns the place of a symbol.
func named(symbol string) place {
	name := demangled(symbol)
	return place{function: name, kind: kindOfFunction(name)}
}

// demangled returns a name as its language writes it, without parameters, or as it stands.
func demangled(symbol string) string {
	return demangle.Filter(symbol, demangle.NoParams, demangle.NoEnclosingParams, demangle.NoClones, demangle.MaxLength(maxNameLog))
}

// maxNameLog bounds what a name becomes, as a power of two: a mangled one of a few bytes can stand for gigabytes.
const maxNameLog = 12
