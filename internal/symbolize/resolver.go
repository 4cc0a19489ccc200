package symbolize

import (
	"errors"
	"os"
	"slices"
	"sync"
)

const (
	// maxModules is how many files are kept open: a share of the usual limit of 1,024 descriptors that leaves room for all
	// else. Processes share most of theirs.
	maxModules = 384
	// maxWeight is how many bytes of debugging data stay in memory when they are not in use: those of a few large programs,
	// or of all the small ones.
	maxWeight = 128 << 20
	procRoot  = "/proc"
)

// Resolver names addresses. It shares files between processes. It may be used by several goroutines.
type Resolver struct {
	root string // of /proc

	mu      sync.Mutex
	modules map[moduleID]*module
	order   []moduleID // as they were opened: the first goes when there are too many
	heavy   []*module  // with debugging data in memory, those that were used last at the end
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
	r.order, r.heavy = nil, nil
	return errors.Join(errs...)
}

// module returns the module of a file, opening it if it is not open; nil if that cannot be done. A file that was changed
// in place since is another one. What open returns may be another file, too, if the process changes its mappings
// meanwhile: then other processes with this file do not get it.
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
	if own, err := idOf(file); err != nil || own != id { // or the file system has other numbers for the two, as overlayfs
		id = moduleID{"file " + own.dev, own.inode}
		if known := r.modules[id]; known != nil && known.isFresh() {
			_ = file.Close()
			return known
		}
	}
	m, err := newModule(file, path)
	if err != nil {
		_ = file.Close()
		return nil
	}
	r.keep(id, m)
	return m
}

// keep keeps a module open, and closes the oldest if there are too many.
func (r *Resolver) keep(id moduleID, m *module) {
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
}

// Resolve names the frames of a stack that was taken in the process of the image, innermost first. Of what it cannot name
// it gives what is known.
func (r *Resolver) Resolve(i *Image, s Stack) []Frame {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.jit = i.jitNames(s)
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
	r.lighten(i)
	return frames
}

// lighten bounds the debugging data in memory after the modules of an image were used.
func (r *Resolver) lighten(i *Image) {
	r.mu.Lock()
	defer r.mu.Unlock()
	used := map[*module]bool{}
	for _, m := range i.modules {
		used[m] = m != nil && m.weight.Load() > 0
	}
	r.heavy = slices.DeleteFunc(r.heavy, func(m *module) bool { return used[m] || m.weight.Load() == 0 })
	for m, isHeavy := range used {
		if isHeavy {
			r.heavy = append(r.heavy, m)
		}
	}
	var sum uint64
	for n, m := range slices.Backward(r.heavy) {
		if sum += m.weight.Load(); sum <= maxWeight {
			continue
		}
		for _, m := range r.heavy[:n+1] {
			m.lighten()
		}
		r.heavy = slices.Delete(r.heavy, 0, n+1)
		return
	}
}

// Learn looks at the process again, if it lives, for a stack that has just come, whose code may be younger than the image.
// It returns what the stack needs of the image, which is little, and false if it is of another program: Capture the
// process anew.
func (i *Image) Learn(s Stack) (part *Image, ok bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.program.hash() != s.Program || errors.Is(i.learn(s), errOtherProgram) {
		return nil, false
	}
	return i.part(s), true
}

// part returns the image with the mappings alone that the stack has to do with.
func (i *Image) part(s Stack) *Image {
	p := &Image{resolver: i.resolver, pid: i.pid, program: i.program, modules: map[moduleID]*module{}}
	used := map[*mapping]bool{}
	for _, addresses := range [...][]uint64{s.PCs, s.Words} {
		for _, address := range addresses {
			used[find(i.maps, address-1)] = true
			used[find(i.maps, address)] = true
		}
	}
	for n := range i.maps {
		m := &i.maps[n]
		if !used[m] {
			continue
		}
		p.maps = append(p.maps, *m)
		id := moduleID{m.dev, m.inode}
		if mod, ok := i.modules[id]; ok {
			p.modules[id] = mod
		}
	}
	return p
}

// learn reads the mappings anew if one may be missing. Most words of a stack are no addresses of code, but the one that is
// may be of a library that was loaded a moment ago.
func (i *Image) learn(s Stack) error {
	isMissing := func(pc uint64) bool { return pc != 0 && find(i.maps, pc-1) == nil }
	if slices.ContainsFunc(s.PCs, isMissing) || slices.ContainsFunc(s.Words, isMissing) {
		return i.refresh()
	}
	return nil
}

// frames names one address: the function there, and before it those that were inlined.
func (i *Image) frames(pc, at uint64) []Frame {
	m := find(i.maps, at)
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
	if name := i.jit[at]; name != "" {
		f.Function, f.Kind = name, kindOfJIT(name)
	}
	return f
}
