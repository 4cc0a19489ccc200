package symbolize

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// mustFiles writes a program to so many files, and returns their paths.
func mustFiles(t *testing.T, count int) (paths []string) {
	t.Helper()
	dir, program := t.TempDir(), mustCompile(t, smallC, smallFlags...)
	for n := range count {
		path := filepath.Join(dir, strconv.Itoa(n))
		if err := os.WriteFile(path, program, 0o644); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}

func mustID(t *testing.T, path string) moduleID {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	id, err := idOf(file)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// However many files there are, few are open.
func TestModulesAreBounded(t *testing.T) {
	r := NewResolver()
	defer r.Close()
	var first *module
	for _, path := range mustFiles(t, maxModules+3) {
		m := r.module(mustID(t, path), path, func() (*os.File, error) { return os.Open(path) })
		if m == nil {
			t.Fatal("not opened")
		}
		if first == nil {
			first = m
		}
	}
	if len(r.modules) != maxModules || len(r.order) != maxModules || first.file != nil {
		t.Errorf("%d modules, %d in order, first open: %v", len(r.modules), len(r.order), first.file != nil)
	}
}

// A process that changes what is mapped while it is looked at does not change what others have mapped.
func TestModuleOfOtherFile(t *testing.T) {
	r := NewResolver()
	defer r.Close()
	paths := mustFiles(t, 2)
	mine, other := paths[0], paths[1]
	wrong := r.module(mustID(t, mine), mine, func() (*os.File, error) { return os.Open(other) })
	right := r.module(mustID(t, mine), mine, func() (*os.File, error) { return os.Open(mine) })
	again := r.module(mustID(t, mine), mine, func() (*os.File, error) { t.Error("it is opened again"); return os.Open(mine) })
	if wrong == nil || right == nil || right == wrong || again != right {
		t.Errorf("%p, %p, %p", wrong, right, again)
	}
	if wrong := r.module(mustID(t, mine), mine, func() (*os.File, error) { return os.Open(other) }); wrong != right {
		t.Error("it is another module")
	}
}

// Without the right to open what is mapped itself, the file is found by its path in the process's root, if it is the same.
func TestOpenByPath(t *testing.T) {
	r := NewResolver()
	defer r.Close()
	image, err := r.Capture(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	own := image.maps[0]
	own.start, own.end = 0, 0 // no such link in map_files
	file, err := image.open(&own)
	if err != nil {
		t.Fatal(err)
	}
	file.Close()
	own.inode++
	if file, err := image.open(&own); err == nil {
		t.Errorf("%s is taken for another file", file.Name())
	}
}

// What is no regular file is left alone, and keeps nobody waiting.
func TestOpenFile(t *testing.T) {
	dir := t.TempDir()
	fifo, file := filepath.Join(dir, "fifo"), filepath.Join(dir, "file")
	if err := errors.Join(syscall.Mkfifo(fifo, 0o600), os.WriteFile(file, []byte("text"), 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{fifo, dir, "/dev/null", filepath.Join(dir, "none")} {
		if f, err := openFile(path); err == nil {
			t.Errorf("%s is opened", f.Name())
		}
	}
	f, err := openFile(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if text, err := io.ReadAll(f); err != nil || string(text) != "text" {
		t.Errorf("%q, %v", text, err)
	}
}

// Whoever looks something up in a file for long keeps nobody else waiting.
func TestBusyModule(t *testing.T) {
	r := NewResolver()
	path := mustFiles(t, 1)[0]
	open := func() (*os.File, error) { return os.Open(path) }
	m := r.module(mustID(t, path), path, open)
	m.mu.Lock()
	if again := r.module(mustID(t, path), path, open); again != m {
		t.Errorf("%p, then %p", m, again)
	}
	m.lighten()
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if m.file == nil {
		t.Error("closed while it is in use")
	}
	m.mu.Unlock()
	for deadline := time.Now().Add(10 * time.Second); m.isFresh(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("never closed")
		}
	}
}

// The debugging data of few modules stay in memory: of those that were used last.
func TestDebugDataAreBounded(t *testing.T) {
	r := NewResolver()
	var all [3]*module
	use := func(m *module) { r.lighten(&Image{modules: map[moduleID]*module{{}: m, {inode: 1}: nil}}) }
	for n := range all {
		all[n] = &module{debug: &debugData{}}
		all[n].weight.Store(maxWeight / 2)
	}
	use(all[0])
	use(all[1])
	use(all[0])
	use(all[2])
	if all[0].debug == nil || all[1].debug != nil || all[2].debug == nil || all[1].weight.Load() != 0 || len(r.heavy) != 2 {
		t.Errorf("%v, %v, %v; %d", all[0].debug, all[1].debug, all[2].debug, len(r.heavy))
	}
	all[0].weight.Store(0) // closed meanwhile
	use(all[2])
	if len(r.heavy) != 1 || r.heavy[0] != all[2] {
		t.Errorf("%d are kept", len(r.heavy))
	}
}
