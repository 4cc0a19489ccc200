package symbolize

import (
	"errors"
	"os"
	"sync"
)

const (
	// maxModules is how many files are kept open: a share of the usual limit of 1,024 descriptors that leaves room for all
	// else. Processes share most of theirs.
	maxModules = 384
	procRoot   = "/proc"
)

// Resolver names addresses. It shares files between processes. It may be used by several goroutines.
type Resolver struct {
	root string // of /proc

	mu      sync.Mutex
	modules map[moduleID]*module
	order   []moduleID // as they were opened: the first goes when there are too many
	closed  bool
}

// NewResolver returns a Resolver without files.
func NewResolver() *Resolver { return &Resolver{root: procRoot, modules: map[moduleID]*module{}} }

// Close closes all files. What is resolved afterwards has modules and offsets alone.
func (r *Resolver) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	var errs []error
	for _, m := range r.modules {
		errs = append(errs, m.close())
	}
	clear(r.modules)
	r.order = nil
	return errors.Join(errs...)
}

// module returns the module of a file, opening it if it is not open; nil if that cannot be done. A file that was changed
// in place since is another one.
func (r *Resolver) module(id moduleID, path string, open func() (*os.File, error)) *module {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil
	}
	if known := r.modules[id]; known != nil && known.isFresh() {
		return known
	}
	file, err := open()
	if err != nil {
		return nil
	}
	m, err := newModule(file, path)
	if err != nil {
		_ = file.Close()
		return nil
	}
	if old := r.modules[id]; old != nil {
		_ = old.close()
	} else {
		r.order = append(r.order, id)
	}
	r.modules[id] = m
	if len(r.order) > maxModules {
		_ = r.modules[r.order[0]].close()
		delete(r.modules, r.order[0])
		r.order = r.order[1:]
	}
	return m
}

// Resolve names the frames of a stack that was taken in the process of the image, innermost first. Of what it cannot name
// it gives what is known.
func (r *Resolver) Resolve(i *Image, s Stack) []Frame {
	i.mu.Lock()
	defer i.mu.Unlock()
	var frames []Frame
	for n, call := range i.calls(s) {
		at := call.pc
		if n > 0 {
			at-- // behind a call: the next instruction may be another line's, or another function's
		}
		named := i.frames(call.pc, at)
		for k := range named {
			named[k].Guess = call.guess
		}
		frames = append(frames, named...)
	}
	return frames
}

// Learn looks at the process again, if it lives, when a stack has code that was not there when it was captured.
func (i *Image) Learn(s Stack) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, pc := range s.PCs {
		if pc != 0 && find(i.maps, pc) == nil {
			_ = i.refresh() // it has ended: what is known is all that there is
			return
		}
	}
}

// frames names one address: the function there, and before it those that were inlined.
func (i *Image) frames(pc, at uint64) []Frame {
	m := i.mapped(at)
	switch {
	case m == nil:
		return []Frame{{PC: pc}}
	case !m.isFile():
		return []Frame{i.unfiled(m, pc, at)}
	}
	frame := Frame{PC: pc, Module: m.path, Offset: at - m.start + m.offset, Kind: kindOfModule(m.path)}
	mod := i.modules[moduleID{m.dev, m.inode}]
	if mod == nil {
		return []Frame{frame}
	}
	vaddr, ok := mod.vaddr(frame.Offset)
	if !ok {
		return []Frame{frame}
	}
	frame.Offset = vaddr
	places := mod.places(vaddr, i.proc("root"))
	if len(places) == 0 {
		return []Frame{frame}
	}
	frames := make([]Frame, len(places))
	for n, p := range places {
		frames[n] = frame
		frames[n].Function, frames[n].File, frames[n].Line, frames[n].Inlined = p.function, p.file, p.line, p.inlined
		if p.kind != KindUnknown && frame.Kind == KindUser {
			frames[n].Kind = p.kind
		}
	}
	return frames
}

// unfiled names an address in memory without a file: the kernel's, or just-in-time code.
func (i *Image) unfiled(m *mapping, pc, at uint64) Frame {
	f := Frame{PC: pc, Module: m.path}
	if m.path != "" && m.path[0] == '[' {
		f.Kind = KindSystem
		return f
	}
	f.Module = "[anon]"
	if name := i.jitted(at); name != "" {
		f.Function, f.Kind = name, KindUser
	}
	return f
}

// mapped returns the mapping of an address, looking at the process again if it is in none: it may be younger.
func (i *Image) mapped(at uint64) *mapping {
	if m := find(i.maps, at); m != nil {
		return m
	}
	if i.refresh() != nil {
		return nil
	}
	return find(i.maps, at)
}
