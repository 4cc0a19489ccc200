package kernel

import (
	"bytes"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// rowLog takes rows and keeps them as bytes, each after the method that it came by.
type rowLog struct{ rows []string }

func logRow[R any](l *rowLog, method string, row *R) {
	l.rows = append(l.rows, method+" "+string(bytesOf(row)))
}

func (l *rowLog) full(row *snapshotFullRow)           { logRow(l, "full", row) }
func (l *rowLog) bare(row *snapshotSocketRow)         { logRow(l, "bare", row) }
func (l *rowLog) holder(row *snapshotHolderRow)       { logRow(l, "holder", row) }
func (l *rowLog) namespace(row *snapshotNamespaceRow) { logRow(l, "namespace", row) }

func bytesOf[R any](row *R) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(row)), unsafe.Sizeof(*row))
}

// aligned returns a copy that begins where a row may.
func aligned(b []byte) []byte {
	words := make([]uint64, len(b)/rowAlign+1)
	to := unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), len(words)*rowAlign)
	return to[:copy(to, b)]
}

var rowMethods = map[snapshotRowKind]string{
	snapshotRowKindROW_FULL: "full", snapshotRowKindROW_MINISOCK: "bare", snapshotRowKindROW_REQUEST: "bare",
	snapshotRowKindROW_HOLDER: "holder", snapshotRowKindROW_NAMESPACE: "namespace",
}

// rowsOf returns rows of the kinds, each filled with its number, and what a sink has to get.
func rowsOf(kinds ...snapshotRowKind) (b []byte, want []string) {
	for i, kind := range kinds {
		row := bytes.Repeat([]byte{byte(i)}, rowSize(byte(kind)))
		row[0] = byte(kind)
		b = append(b, row...)
		want = append(want, rowMethods[kind]+" "+string(row))
	}
	return b, want
}

var everyKind = []snapshotRowKind{
	snapshotRowKindROW_FULL, snapshotRowKindROW_NAMESPACE, snapshotRowKindROW_MINISOCK, snapshotRowKindROW_HOLDER,
	snapshotRowKindROW_REQUEST, snapshotRowKindROW_HOLDER, snapshotRowKindROW_FULL,
}

// However many bytes are there, the rows that are whole are handed out, and no others.
func TestParseRowsCutAnywhere(t *testing.T) {
	whole, want := rowsOf(everyKind...)
	whole = aligned(whole)
	for cut := range len(whole) + 1 {
		var l rowLog
		used, err := parseRows(whole[:cut], &l)
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		size := 0
		for _, row := range want[:len(l.rows)] {
			size += len(row) - strings.IndexByte(row, ' ') - 1
		}
		if used != size || !slices.Equal(l.rows, want[:len(l.rows)]) {
			t.Fatalf("cut at %d: used %d of %d rows with %d bytes", cut, used, len(l.rows), size)
		}
		if len(l.rows) < len(want) && cut-used >= rowSize(whole[used]) {
			t.Fatalf("cut at %d: a whole row was left", cut)
		}
	}
}

func TestParseRowsOfUnknownKind(t *testing.T) {
	for _, kind := range []byte{0, byte(snapshotRowKindROW_NAMESPACE) + 1, 255} {
		whole, want := rowsOf(everyKind...)
		var l rowLog
		used, err := parseRows(aligned(append(whole, kind)), &l)
		if err == nil || used != len(whole) || !slices.Equal(l.rows, want) {
			t.Errorf("kind %d: %d bytes used, %v", kind, used, err)
		}
	}
}

// pieces is a reader that returns what it was told to, one after the other.
type pieces []piece

type piece struct {
	b   []byte
	err error
}

func (p *pieces) Read(to []byte) (int, error) {
	if len(*p) == 0 {
		return 0, io.EOF
	}
	next := &(*p)[0]
	n := copy(to, next.b)
	if next.b = next.b[n:]; len(next.b) > 0 {
		return n, nil
	}
	err := next.err
	*p = (*p)[1:]
	return n, err
}

// An iterator ends its reads where it likes, and stops in between without having ended.
func TestReadRowsInPieces(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	kinds := make([]snapshotRowKind, 2000) // several buffers
	for i := range kinds {
		kinds[i] = everyKind[random.IntN(len(everyKind))]
	}
	whole, want := rowsOf(kinds...)
	pauses := []error{nil, unix.EAGAIN, unix.EINTR, &os.PathError{Op: "read", Path: "iter", Err: unix.EAGAIN}}
	for _, longest := range []int{1, 17, 1000, 32 << 10, 2 * rowBuffer} {
		var p pieces
		for rest := whole; len(rest) > 0; {
			n := min(len(rest), 1+random.IntN(longest))
			p = append(p, piece{rest[:n], pauses[random.IntN(len(pauses))]})
			rest = rest[n:]
		}
		p = append(p, piece{nil, unix.EAGAIN})
		var l rowLog
		if err := readRows(&p, &l); err != nil || !slices.Equal(l.rows, want) {
			t.Errorf("pieces of up to %d bytes: %d rows of %d, %v", longest, len(l.rows), len(want), err)
		}
	}
}

func TestReadRowsThatEndBadly(t *testing.T) {
	whole, want := rowsOf(everyKind...)
	broken := errors.New("broken")
	tests := []struct {
		name   string
		pieces pieces
		says   string // "" is no error
		rows   int
	}{
		{"nothing", nil, "", 0},
		{"end with the last bytes", pieces{{whole, io.EOF}}, "", len(want)},
		{"cut", pieces{{whole[:len(whole)-1], nil}}, "cut after 231 bytes", len(want) - 1},
		{"cut, with the last bytes", pieces{{whole[:len(whole)-1], io.EOF}}, "cut after 231 bytes", len(want) - 1},
		{"cut in the first byte", pieces{{whole[:1], nil}}, "cut after 1 bytes", 0},
		{"unknown kind", pieces{{append(slices.Clone(whole), 77), nil}, {whole, nil}}, "unknown kind 77", len(want)},
		{"broken", pieces{{whole, broken}}, "broken", len(want)},
		{"no memory", pieces{{nil, unix.ENOMEM}}, unix.ENOMEM.Error(), 0},
	}
	for _, test := range tests {
		var l rowLog
		err := readRows(&test.pieces, &l)
		if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v, want %q", test.name, err, test.says)
		}
		if !slices.Equal(l.rows, want[:test.rows]) {
			t.Errorf("%s: %d rows, want %d", test.name, len(l.rows), test.rows)
		}
	}
}

// Whatever comes, reading it in two pieces is reading it in one; every row is taken in, and what comes of it is within
// the words of the domain.
func FuzzRows(f *testing.F) {
	whole, _ := rowsOf(everyKind...)
	f.Add(whole, 100)
	f.Add([]byte{}, 0)
	f.Add([]byte{9}, 1)
	full := sampleFull()
	f.Add(append(bytes.Clone(bytesOf(&full)), whole...), 3)
	f.Fuzz(func(t *testing.T, data []byte, cut int) {
		cut = min(max(cut, 0), len(data))
		var one, two rowLog
		errOne := readRows(&pieces{{data, nil}}, &one)
		errTwo := readRows(&pieces{{data[:cut], unix.EAGAIN}, {data[cut:], nil}}, &two)
		if (errOne == nil) != (errTwo == nil) || !slices.Equal(one.rows, two.rows) {
			t.Fatalf("%d rows, %v; in two pieces %d rows, %v", len(one.rows), errOne, len(two.rows), errTwo)
		}
		found := newFound(testTicks, 0)
		sink := newHolderSink(testTicks, 0)
		_ = readRows(&pieces{{data, nil}}, sanePart{socketSink{found: found}})
		_ = readRows(&pieces{{data, nil}}, sanePart{sink})
		found.merge(sink.found)
		found.join(sink.held)
		checkFound(t, found)
	})
}

// sanePart leaves out looks at a time that a host reaches after 292 years.
type sanePart struct{ rowSink }

func (p sanePart) full(row *snapshotFullRow) {
	if row.Head.NowNs <= math.MaxInt64 {
		p.rowSink.full(row)
	}
}

func (p sanePart) bare(row *snapshotSocketRow) {
	if row.NowNs <= math.MaxInt64 {
		p.rowSink.bare(row)
	}
}

// checkFound wants what holds for every snapshot, whatever the kernel says.
func checkFound(t *testing.T, f *found) {
	t.Helper()
	seen := map[identity]bool{}
	for i := range f.sockets {
		s := &f.sockets[i]
		if seen[f.extras[i].id] {
			t.Errorf("%v is there twice", f.extras[i].id)
		}
		seen[f.extras[i].id] = true
		checkAge(t, s.Age)
		if s.PID == 0 && len(s.Holders) > 0 && s.Holders[0].PID != 0 {
			t.Errorf("%+v", *s)
		}
		for k := 1; k < len(s.Holders); k++ {
			a, b := s.Holders[k-1], s.Holders[k]
			if a.PID > b.PID || a.PID == b.PID && a.FD > b.FD {
				t.Errorf("holders out of order: %v", s.Holders)
			}
		}
		_, _, _ = s.Evidence.String(), s.Kind.String(), s.Timer.Kind.String()
	}
}

func BenchmarkReadRows(b *testing.B) {
	var rows []byte
	for i := range 10_000 {
		full := sampleFull()
		full.Head.Cookie = uint64(i) + 1
		rows = append(rows, bytesOf(&full)...)
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(rows)))
	for b.Loop() {
		if err := readRows(bytes.NewReader(rows), socketSink{found: newFound(testTicks, 10_000)}); err != nil {
			b.Fatal(err)
		}
	}
}
