package archive

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"
)

// desk is an archive, with what it warned of.
type desk struct {
	*testing.T
	*Archive
	dir  string
	mu   sync.Mutex
	said []string
	now  time.Time
}

func (d *desk) warnings() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Join(d.said, "\n")
}

func newDesk(t *testing.T, dir string, change func(*Options)) *desk {
	t.Helper()
	d := &desk{T: t, dir: dir, now: time.Unix(1_800_000_000, 0)}
	o := Options{
		Dir: dir, SegmentBytes: 1 << 20, SegmentAge: time.Hour, MaxBytes: 1 << 30, MaxFiles: 100_000,
		Now: func() time.Time { return d.now },
		Warn: func(text string) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.said = append(d.said, text)
		},
	}
	if change != nil {
		change(&o)
	}
	a, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	d.Archive = a
	return d
}

func (d *desk) close() {
	d.Helper()
	if err := d.Archive.Close(); err != nil {
		d.Error(err)
	}
}

func line(i int) []byte {
	return fmt.Appendf(nil, `{"n":%d,"text":"%s"}`+"\n", i, strings.Repeat("x", i%50))
}

// lines returns what is in the files of a stream, in their order.
func lines(t *testing.T, dir, stream string) (all []string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, stream+".*"))
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(names, func(a, b string) int {
		return strings.Compare(strings.Replace(a, stream+".jsonl", stream+".~", 1), strings.Replace(b, stream+".jsonl", stream+".~", 1))
	})
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		var r io.Reader = f
		if strings.HasSuffix(name, zstdSuffix) {
			decoder, err := zstd.NewReader(f)
			if err != nil {
				t.Fatal(err)
			}
			defer decoder.Close()
			r = decoder
		}
		scanner := bufio.NewScanner(r)
		for scanner.Scan() {
			all = append(all, scanner.Text())
		}
		if err := errors.Join(scanner.Err(), f.Close()); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return all
}

func TestLinesAreKeptInOrder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "by it")
	random := rand.New(rand.NewPCG(1, 1))
	want := map[string][]string{}
	n := 0
	for range 3 { // writers, one after the other
		d := newDesk(t, dir, func(o *Options) { o.SegmentBytes = 5000 })
		for range 5000 {
			n++
			stream := StreamName([]byte("web"), uint32(random.IntN(300)), "7") // more than may be open
			d.Append(stream, line(n), Keys{Time: int64(n)})
			want[stream] = append(want[stream], strings.TrimSuffix(string(line(n)), "\n"))
			if random.IntN(100) == 0 {
				d.Flush()
			}
			if len(d.open) > maxOpen {
				t.Fatalf("%d files are open", len(d.open))
			}
		}
		d.close()
		if s := d.Stats(); s.Lines != 5000 || s.Lost != 0 || s.Torn != 0 || d.warnings() != "" {
			t.Errorf("%+v: %s", s, d.warnings())
		}
	}
	for stream := range want {
		if got := lines(t, dir, stream); !slices.Equal(got, want[stream]) {
			t.Fatalf("%s: %d lines, want %d", stream, len(got), len(want[stream]))
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || info.Mode() != fileMode {
			t.Errorf("%s has mode %v, %v", e.Name(), info.Mode(), err)
		}
		if e.Name() != lockName && !strings.HasSuffix(e.Name(), ".jsonl.zst") {
			t.Errorf("%s is left", e.Name())
		}
	}
}

// What Flush has taken survives kill -9 at any moment, and what the writer had not finished is cut off.
func TestKilled(t *testing.T) {
	if os.Getenv("TCPTRAIL_ARCHIVE") != "" {
		writeForEver()
	}
	dir := t.TempDir()
	random := rand.New(rand.NewPCG(2, uint64(os.Getpid())))
	first, promised := 1, map[int]bool{}
	for round := range 20 {
		cmd := exec.Command(os.Args[0], "-test.run", "^TestKilled$")
		cmd.Env = append(os.Environ(), "TCPTRAIL_ARCHIVE="+dir, "TCPTRAIL_FIRST="+strconv.Itoa(first))
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		scanner := bufio.NewScanner(out)
		for range 2 + random.IntN(60) {
			if !scanner.Scan() {
				t.Fatal("the writer has ended")
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		text := scanner.Text()
		for scanner.Scan() { // what it had said by then
			text = scanner.Text()
		}
		_ = cmd.Wait()
		acknowledged, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		for n := first; n <= acknowledged; n++ {
			promised[n] = true
		}
		if f, err := os.OpenFile(filepath.Join(dir, "a.jsonl"), os.O_WRONLY|os.O_APPEND, 0); round%3 == 0 && err == nil {
			if _, err := f.WriteString(`{"torn":`); errors.Join(err, f.Close()) != nil {
				t.Fatal(err)
			}
		}
		newDesk(t, dir, nil).close()
		got := append(lines(t, dir, "a"), lines(t, dir, "b")...)
		seen := map[int]int{}
		for _, l := range got {
			n := 0
			if _, err := fmt.Sscanf(l, `{"n":%d,`, &n); err != nil || !strings.HasSuffix(l, "}") {
				t.Fatalf("round %d: torn: %q", round, l)
			}
			seen[n]++
			first = max(first, n+1) // written, and perhaps killed before it was said
		}
		for n := range promised {
			if seen[n] != 1 {
				t.Fatalf("round %d: line %d is there %d times", round, n, seen[n])
			}
		}
		for n, times := range seen {
			if times != 1 {
				t.Fatalf("round %d: line %d is there %d times", round, n, times)
			}
		}
	}
}

func writeForEver() {
	a, err := Open(Options{
		Dir: os.Getenv("TCPTRAIL_ARCHIVE"), SegmentBytes: 3000, SegmentAge: time.Hour, MaxBytes: 1 << 30, MaxFiles: 1e6,
		Now: time.Now, Warn: func(s string) { fmt.Fprintln(os.Stderr, s) },
	})
	if err != nil {
		panic(err)
	}
	n, _ := strconv.Atoi(os.Getenv("TCPTRAIL_FIRST"))
	for {
		for range 20 {
			a.Append([]string{"a", "b"}[n%2], line(n), Keys{})
			n++
		}
		a.Flush()
		fmt.Println(n - 1)
	}
}

// More between two flushes than a file may have, again and again, goes nowhere else.
func TestFloodsBetweenFlushes(t *testing.T) {
	dir := t.TempDir()
	d := newDesk(t, dir, func(o *Options) { o.SegmentBytes = maxBuffer / 2 })
	const n = 20_000
	for i := range n {
		d.Append("a", line(i), Keys{})
		if i%5000 == 4000 {
			d.Flush()
		}
	}
	d.close()
	got := lines(t, dir, "a")
	for i := range got {
		if want := strings.TrimSuffix(string(line(i)), "\n"); got[i] != want {
			t.Fatalf("line %d is %s", i, got[i])
		}
	}
	if s := d.Stats(); len(got) != n || s.Lines != n || d.warnings() != "" {
		t.Errorf("%d lines, %+v: %s", len(got), s, d.warnings())
	}
}

func TestBounds(t *testing.T) {
	dir := t.TempDir()
	d := newDesk(t, dir, func(o *Options) { o.SegmentBytes, o.MaxBytes, o.MaxFiles = 2000, 20_000, 40 })
	random := rand.New(rand.NewPCG(3, 3))
	for i := range 20_000 {
		d.Append(StreamName([]byte("x"), uint32(i/100+random.IntN(5)), "1"), line(i), Keys{})
		if i%20 == 0 {
			d.now = d.now.Add(2 * time.Second)
			d.Flush()
			if s := d.Stats(); s.Disk > 20_000+maxBuffer || s.Files > 41 {
				t.Fatalf("%d lines: %+v", i, s)
			}
		}
	}
	d.close()
	s := d.Stats()
	files, size := measure(t, dir)
	if s.Removed == 0 || s.Lost != 0 || files != s.Files || size != s.Disk || size > 20_000 || files > 40 {
		t.Errorf("%+v, and %d files of %d bytes: %s", s, files, size, d.warnings())
	}
	last, err := filepath.Glob(filepath.Join(dir, "x-2*"))
	if err != nil || len(last) == 0 {
		t.Errorf("the youngest are gone, %v", err)
	}
}

// measure counts the files of streams in a directory.
func measure(t *testing.T, dir string) (files int, size int64) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && e.Name() != lockName {
			files, size = files+1, size+info.Size()
		}
	}
	return files, size
}

func TestOldFilesEnd(t *testing.T) {
	dir := t.TempDir()
	d := newDesk(t, dir, func(o *Options) { o.SegmentAge = time.Minute })
	d.Append("quiet", line(1), Keys{})
	d.Flush()
	d.now = d.now.Add(59 * time.Second)
	d.Flush()
	if _, err := os.Stat(filepath.Join(dir, "quiet.jsonl")); err != nil {
		t.Error(err)
	}
	d.now = d.now.Add(2 * time.Second)
	d.Flush()
	d.press.drain()
	if _, err := os.Stat(filepath.Join(dir, "quiet.000001.jsonl.zst")); err != nil || len(d.streams) != 0 {
		t.Errorf("%d streams, %v", len(d.streams), err)
	}
	d.Append("quiet", line(2), Keys{})
	d.close()
	if got := lines(t, dir, "quiet"); len(got) != 2 {
		t.Errorf("%q", got)
	}
}

// A disk that is full costs lines, which are counted, one warning, and nothing else.
func TestPrivilegedFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "size=64k,mode=750"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	hog := filepath.Join(dir, "hog")
	if err := os.WriteFile(hog, make([]byte, 40_000), 0o600); err != nil {
		t.Fatal(err)
	}
	d := newDesk(t, dir, nil)
	n := 0
	for range 300 {
		for range 10 {
			n++
			d.Append("a", line(n), Keys{})
		}
		d.Flush()
	}
	s := d.Stats()
	if s.Lost == 0 || s.Lines+s.Lost != uint64(n) || strings.Count(d.warnings(), "\n") != 0 || !strings.Contains(d.warnings(), "no space left") {
		t.Errorf("%+v of %d: %s", s, n, d.warnings())
	}
	if err := os.Remove(hog); err != nil {
		t.Fatal(err)
	}
	d.Append("a", line(n+1), Keys{})
	d.Flush()
	if want := fmt.Sprintf("lines can be written again: %d were lost", s.Lost); !strings.Contains(d.warnings(), want) {
		t.Errorf("no %q: %s", want, d.warnings())
	}
	d.close()
	got := lines(t, dir, "a")
	if uint64(len(got)) != s.Lines+1 {
		t.Errorf("%d lines, want %d", len(got), s.Lines+1)
	}
	for _, l := range got {
		if !strings.HasSuffix(l, "}") {
			t.Errorf("torn: %q", l)
		}
	}
}

// Nothing is written through what somebody else has put in the way.
func TestTraps(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "passwd")
	if err := os.WriteFile(outside, []byte("root\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, trap := range map[string]func(path string) error{
		"symlink":   func(path string) error { return os.Symlink(outside, path) },
		"hard link": func(path string) error { return os.Link(outside, path) },
		"FIFO":      func(path string) error { return unix.Mkfifo(path, 0o600) },
		"directory": func(path string) error { return os.Mkdir(path, 0o700) },
		"dangling":  func(path string) error { return os.Symlink(filepath.Join(filepath.Dir(outside), "made"), path) },
	} {
		dir := t.TempDir()
		d := newDesk(t, dir, nil)
		if err := trap(filepath.Join(dir, "a.jsonl")); err != nil {
			t.Fatal(err)
		}
		d.Append("a", line(1), Keys{})
		d.Append("b", line(2), Keys{})
		d.Flush()
		d.Append("a", line(3), Keys{})
		d.close()
		if s := d.Stats(); s.Lost != 2 || s.Lines != 1 || !strings.Contains(d.warnings(), "a.jsonl") {
			t.Errorf("%s: %+v: %s", name, s, d.warnings())
		}
		if text, err := os.ReadFile(outside); string(text) != "root\n" || err != nil {
			t.Fatalf("%s: written through: %q, %v", name, text, err)
		}
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(outside), "made")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("made outside: %v", err)
	}
}

func TestDirectoriesRefused(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	open := t.TempDir()
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	d := newDesk(t, dir, nil)
	defer d.close()
	for path, want := range map[string]string{link: "or a link to one", open: "chmod go-w", dir: "another process writes there", os.Args[0]: "directory"} {
		if a, err := Open(d.options.at(path)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v, want %q", path, a, err, want)
		}
	}
}

func (o Options) at(dir string) Options {
	o.Dir = dir
	return o
}

// Files that were being compressed when the writer died are there once.
func TestInherit(t *testing.T) {
	dir := t.TempDir()
	d := newDesk(t, dir, nil)
	d.Append("a", line(1), Keys{})
	d.close()
	for name, text := range map[string]string{
		"a.000001.jsonl":              string(line(1)), // compressed, and not removed yet
		".a.000002.jsonl.tmp":         "half of it",
		"b.000007.jsonl":              string(line(2)),
		"c.jsonl":                     string(line(3)) + `{"torn`,
		"d.jsonl":                     `{"nothing but torn` + strings.Repeat("x", 3*maxBuffer),
		"notes.txt":                   "not ours",
		"a.000001.jsonl.zst.by.hand":  "not ours",
		"e" + strings.Repeat("e", 99): "not ours",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	d = newDesk(t, dir, nil)
	d.Append("b", line(4), Keys{})
	d.close()
	for stream, want := range map[string]int{"a": 1, "b": 2, "c": 1, "d": 0} {
		if got := lines(t, dir, stream); stream != "a" && len(got) != want {
			t.Errorf("%s: %d lines, want %d", stream, len(got), want)
		}
	}
	if s := d.Stats(); s.Torn != 2 || s.Files != 4 {
		t.Errorf("%+v: %s", s, d.warnings())
	}
	for _, gone := range []string{"a.000001.jsonl", ".a.000002.jsonl.tmp", "b.000007.jsonl", "d.jsonl"} {
		if _, err := os.Stat(filepath.Join(dir, gone)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is left", gone)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "b.000008.jsonl.zst")); err != nil {
		t.Error(err)
	}
}

func TestStreamNames(t *testing.T) {
	for comm, want := range map[string]string{
		"nginx": "nginx-7-1", "../../etc": "______etc-7-1", "a\nb\x1b": "a_b_-7-1", "": "-7-1", ".": "_-7-1", "\xff\xfe": "__-7-1", "a.3": "a_3-7-1",
	} {
		if got := StreamName([]byte(comm), 7, "1"); got != want {
			t.Errorf("%q: %q, want %q", comm, got, want)
		}
	}
}

func TestSummaries(t *testing.T) {
	dir := t.TempDir()
	d := newDesk(t, dir, nil)
	random := rand.New(rand.NewPCG(9, 9))
	var all []Keys
	for i := range 5000 {
		k := Keys{
			Time: int64(1000 + i), Cookie: random.Uint64(), PID: random.Uint32(),
			Local: netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 1}), Remote: netip.MustParseAddr("2001:db8::1"),
		}
		all = append(all, k)
		d.Append("a", line(i), k)
	}
	d.close()
	f, err := os.Open(filepath.Join(dir, "a.000001.jsonl.zst"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	s, err := ReadSummary(f, info.Size())
	if err != nil || s.First != 1000 || s.Last != 5999 || s.Lines != 5000 {
		t.Fatalf("%+v, %v", s, err)
	}
	wrong := 0
	for i := range all {
		for _, k := range []Keys{all[i], {Cookie: all[i].Cookie}, {PID: all[i].PID}, {Remote: all[i].Local}, {Local: all[i].Remote}} {
			if !s.MayHave(k) {
				t.Fatalf("%+v is there, and denied", k)
			}
		}
		if s.MayHave(Keys{Cookie: random.Uint64()}) {
			wrong++
		}
	}
	if wrong > 50 {
		t.Errorf("%d of 5000 strangers may be there", wrong)
	}
	if out, err := exec.Command("zstd", "-dc", f.Name()).Output(); err == nil && bytes.Count(out, []byte("\n")) != 5000 {
		t.Errorf("zstd reads %d bytes", len(out))
	} else if err != nil && !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("zstd: %v", err)
	}
}

// FuzzSummary: whatever stands at the end of a file, it is a summary or none.
func FuzzSummary(f *testing.F) {
	var s summary
	s.add(&Keys{Time: 5, Cookie: 7})
	f.Add(s.frame())
	f.Add([]byte("tcptsum2"))
	f.Fuzz(func(_ *testing.T, text []byte) {
		if s, err := ReadSummary(bytes.NewReader(text), int64(len(text))); err == nil {
			s.MayHave(Keys{Cookie: 7, PID: 1})
		}
	})
}

func TestDescriptorsRunOut(t *testing.T) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	d := newDesk(t, dir, nil)
	for i := range 10_000 {
		d.Append(StreamName([]byte("p"), uint32(i), "1"), line(i), Keys{})
		if i%500 == 0 {
			d.Flush()
			entries, err := os.ReadDir("/proc/self/fd")
			if err != nil || len(entries) > maxOpen+64 {
				t.Fatalf("%d descriptors, %v", len(entries), err)
			}
		}
	}
	d.close()
	if s := d.Stats(); s.Lines != 10_000 || s.Files != 10_000 {
		t.Errorf("%+v: %s", s, d.warnings())
	}
}

func BenchmarkAppend(b *testing.B) {
	a, err := Open(Options{
		Dir: b.TempDir(), SegmentBytes: 1 << 40, SegmentAge: time.Hour, MaxBytes: 1 << 40, MaxFiles: 100, Now: time.Now, Warn: func(s string) { fmt.Fprintln(os.Stderr, s) },
	})
	if err != nil {
		b.Fatal(err)
	}
	text := []byte(strings.Repeat("x", 420) + "\n")
	k := Keys{Time: 1, Cookie: 7, PID: 8, Local: netip.MustParseAddr("10.0.0.1"), Remote: netip.MustParseAddr("10.0.0.2")}
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		a.Append("a", text, k)
		if i%500 == 499 {
			a.Flush()
		}
	}
	b.StopTimer()
	if err := a.Close(); err != nil {
		b.Fatal(err)
	}
}
