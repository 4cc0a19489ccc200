package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/tcptrail/tcptrail/internal/archive"
	"github.com/tcptrail/tcptrail/internal/history"
	"github.com/tcptrail/tcptrail/internal/record"
	"github.com/tcptrail/tcptrail/internal/recorder"
	"github.com/tcptrail/tcptrail/internal/replay"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// studio records what never was, into a directory of small files.
type studio struct {
	testing.TB
	dir      string
	now      time.Time
	mono     int64
	whole    bool
	store    *archive.Archive
	recorder *recorder.Recorder
}

func newStudio(t testing.TB, whole bool) *studio {
	return &studio{TB: t, dir: filepath.Join(t.TempDir(), "log"), now: time.Unix(1_800_000_000, 0), mono: 1e12, whole: whole}
}

func (s *studio) pass(d time.Duration) {
	s.now = s.now.Add(d)
	s.mono += int64(d)
}

func (s *studio) begin(boot string) {
	s.Helper()
	var err error
	s.store, err = archive.Open(archive.Options{
		Dir: s.dir, SegmentBytes: 3000, SegmentAge: time.Hour, MaxBytes: 1 << 30, MaxFiles: 10_000,
		Now: func() time.Time { return s.now }, Warn: func(text string) { s.Error(text) },
	})
	if err != nil {
		s.Fatal(err)
	}
	s.recorder, err = recorder.New(s.store, recorder.Options{
		Whole: s.whole, Session: record.SessionInfo{Host: "web1", BootID: boot}, Now: func() time.Time { return s.now },
		Started: func(pid uint32) (time.Duration, bool) { return time.Duration(pid) * time.Second, true },
	})
	if err != nil {
		s.Fatal(err)
	}
}

// end ends a session: as it should, or as by kill -9, after which files are as they were.
func (s *studio) end(killed bool) {
	s.Helper()
	if killed {
		s.recorder.Flush()
	} else {
		s.recorder.End()
	}
	if err := s.store.Close(); err != nil {
		s.Fatal(err)
	}
}

// event returns a transition of now.
func (s *studio) event(cookie uint64, pid uint32, old, now tcp.State, in time.Duration) *tcp.Event {
	e := &tcp.Event{
		Time: s.now.UnixNano(), Mono: s.mono, InOld: in, SRTT: tcp.Unknown, Cookie: cookie, NetNS: 7, Family: tcp.Inet, PID: pid, Old: old, New: now,
		Local:  netip.MustParseAddrPort("10.0.0.1:40000"),
		Remote: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(cookie % 37), byte(cookie % 11)}), 443),
	}
	if pid != 0 {
		e.Evidence = tcp.EvidenceConnect
		copy(e.Comm[:], fmt.Sprintf("p%d", pid))
	}
	return e
}

// streams returns what is in the directory.
func (s *studio) streams() []replay.Stream {
	s.Helper()
	streams, err := replay.Streams(nil, s.dir)
	if err != nil {
		s.Fatal(err)
	}
	return streams
}

// improvise records sockets of many processes at random: owners change, events are lost, recorders end or are killed, hosts
// start again, and looks see some.
func (s *studio) improvise(random *rand.Rand) {
	type life struct {
		cookie uint64
		state  int
		since  int64
		pid    uint32
	}
	path := []tcp.State{tcp.Close, tcp.SynSent, tcp.Established, tcp.CloseWait, tcp.LastAck, tcp.Close}
	var lives []*life
	boot, next := 1, uint64(1)
	s.begin(fmt.Sprint(boot))
	for range 1500 {
		s.pass(time.Duration(random.IntN(1000)) * time.Millisecond)
		switch n := random.IntN(300); {
		case n == 0:
			s.end(random.IntN(2) == 0)
			if random.IntN(2) == 0 {
				boot++
				lives, next, s.mono = nil, 1, 1e9
			}
			s.pass(time.Minute)
			s.begin(fmt.Sprint(boot))
			fallthrough
		case n < 4:
			var seen []tcp.Socket
			for _, l := range lives {
				if random.IntN(3) == 0 {
					continue
				}
				e := s.event(l.cookie, l.pid, 0, path[l.state], 0)
				k := tcp.Socket{
					Seen: s.mono, Cookie: e.Cookie, NetNS: 7, Family: tcp.Inet, Local: e.Local, Remote: e.Remote, State: e.New, PID: e.PID, Comm: e.Comm,
					Evidence: e.Evidence, RTT: tcp.Unknown, RTTVar: tcp.Unknown, LastSent: tcp.Unknown, LastReceived: tcp.Unknown, LastAck: tcp.Unknown,
				}
				if random.IntN(2) == 0 {
					k.Age = tcp.Age{Source: tcp.AgeLastAck, AtLeast: time.Duration(s.mono-l.since) / 2, AtMost: tcp.Unknown}
				}
				seen = append(seen, k)
			}
			if err := s.recorder.Look(s.now.UnixNano(), &tcp.Snapshot{Sockets: seen, Time: s.now.UnixNano()}, &record.Look{Now: s.mono}); err != nil {
				s.Fatal(err)
			}
		case n < 6:
			s.recorder.Lost(uint64(random.IntN(9) + 1))
		default:
			if len(lives) == 0 || random.IntN(5) == 0 {
				lives = append(lives, &life{cookie: next, since: s.mono, pid: uint32(random.IntN(40))}) // 0: unknown
				next++
			}
			at := random.IntN(len(lives))
			l := lives[at]
			in := time.Duration(s.mono - l.since)
			if l.state == 0 || random.IntN(4) == 0 {
				in = tcp.Unknown
			}
			if random.IntN(10) == 0 {
				l.pid = uint32(random.IntN(40))
			}
			if e := s.event(l.cookie, l.pid, path[l.state], path[l.state+1], in); random.IntN(15) != 0 {
				s.recorder.Event(e)
			}
			l.since = s.mono
			if l.state++; l.state == len(path)-1 {
				lives = append(lives[:at], lives[at+1:]...)
			}
		}
		if random.IntN(5) == 0 {
			s.recorder.Flush()
		}
	}
	s.end(false)
}

// blind takes the summaries away: all has to be read.
func blind(streams []replay.Stream) []replay.Stream {
	var all []replay.Stream
	for _, s := range streams {
		var segments replay.Stream
		for _, segment := range s {
			segment.Summary = nil
			segments = append(segments, segment)
		}
		all = append(all, segments)
	}
	return all
}

// Files that are not read would not have made a difference; and many are not.
func TestHistorySkipsWhatCannotMatch(t *testing.T) {
	for seed := range uint64(3) {
		random := rand.New(rand.NewPCG(seed, 5))
		s := newStudio(t, seed%3 == 2)
		began := s.now
		s.improvise(random)
		streams, span := s.streams(), s.now.Sub(began)
		spared, found := 0, 0
		for range 25 {
			var q history.Query
			if random.IntN(2) == 0 {
				q.PIDs = append(q.PIDs, uint32(random.IntN(42)))
			}
			if random.IntN(3) == 0 {
				q.Cookies = append(q.Cookies, uint64(random.IntN(300)))
			}
			if random.IntN(3) == 0 {
				e := history.Endpoint{Prefix: netip.PrefixFrom(s.event(uint64(random.IntN(300)), 0, 0, 0, 0).Remote.Addr(), 24+8*random.IntN(2))}
				q.Remote = append(q.Remote, e)
			}
			if random.IntN(3) == 0 {
				q.Since = began.UnixNano() + random.Int64N(int64(span))
			}
			if random.IntN(3) == 0 {
				q.Until = began.UnixNano() + random.Int64N(int64(span))
			}
			var with, without historyAccount
			got, err := readHistory(streams, q, &with)
			if err != nil {
				t.Fatal(err)
			}
			want, err := readHistory(blind(streams), q, &without)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("seed %d, %+v: %d connections from %d files of %d, want %d\ngot  %+v\nwant %+v", seed, q, len(got), with.read, with.files, len(want), got, want)
			}
			spared += without.read - with.read
			found += len(got)
		}
		if spared == 0 || found == 0 {
			t.Errorf("seed %d: %d files spared, %d connections found", seed, spared, found)
		}
	}
}

// Of a file that cannot match nothing but its summary is read: not even a byte that is no zstd is found. What is asked for is
// found whoever owned the socket when.
func TestHistoryReadsNoOtherFiles(t *testing.T) {
	s := newStudio(t, false)
	s.begin("a")
	for pid := range uint32(50) {
		s.pass(time.Second)
		cookie := uint64(1000 + pid)
		s.recorder.Event(s.event(cookie, 0, tcp.Listen, tcp.SynRecv, tcp.Unknown))
		s.recorder.Event(s.event(cookie, 1, tcp.SynRecv, tcp.Established, time.Millisecond))
		s.pass(time.Second)
		s.recorder.Event(s.event(cookie, 100+pid, tcp.Established, tcp.CloseWait, time.Second))
		s.recorder.Flush()
	}
	s.end(false)
	for pid := range 50 {
		if pid == 7 {
			continue
		}
		path := filepath.Join(s.dir, fmt.Sprintf("p%d-%d-%d00.000001.jsonl.zst", 100+pid, 100+pid, 100+pid))
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		clear(text[:20])
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	opened := map[string]int{}
	streams := s.streams()
	for _, stream := range streams {
		for i := range stream {
			name, open := filepath.Base(stream[i].Name), stream[i].Open
			stream[i].Open = func() (io.ReadCloser, error) {
				opened[name]++
				return open()
			}
		}
	}
	for _, q := range []history.Query{
		{PIDs: []uint32{107}}, {Cookies: []uint64{1007}, PIDs: []uint32{107}}, {PIDs: []uint32{107, 4000}, Since: s.now.Add(-time.Hour).UnixNano()},
	} {
		clear(opened)
		var a historyAccount
		found, err := readHistory(streams, q, &a)
		if err != nil || len(found) != 1 || len(found[0].Steps) != 3 || found[0].Cookie != 1007 || !found[0].Born || found[0].PID != 107 {
			t.Fatalf("%+v: %+v, %v", q, found, err)
		}
		for name := range opened {
			if !strings.HasPrefix(name, "p107-") && !strings.HasPrefix(name, "host.") && !strings.HasPrefix(name, "unowned.") && !strings.HasPrefix(name, "p1-") {
				t.Errorf("%+v: %s was read", q, name)
			}
		}
		if a.read != len(opened) || a.files < 53 || a.read > 20 {
			t.Errorf("%+v: %+v, and %d were opened", q, a, len(opened))
		}
	}
	if _, err := readHistory(streams, history.Query{PIDs: []uint32{108}}, &historyAccount{}); err == nil {
		t.Error("a damaged file was read without an error")
	}
}

func TestHistoryCommand(t *testing.T) {
	s := newStudio(t, false)
	s.begin("a")
	s.recorder.Event(s.event(0x1f, 4242, tcp.Close, tcp.SynSent, tcp.Unknown))
	s.pass(20 * time.Millisecond)
	s.recorder.Event(s.event(0x1f, 4242, tcp.SynSent, tcp.Established, 20*time.Millisecond))
	s.recorder.Event(s.event(0x20, 9, tcp.Close, tcp.SynSent, tcp.Unknown))
	s.pass(time.Hour)
	s.end(false)
	for args, want := range map[string]struct {
		shown int
		text  string
	}{
		"":                               {2, "2 connections, by the last state that is known: 1 SYN_SENT, 1 ESTABLISHED"},
		"-p 4242":                        {1, "ESTABLISHED >=1h00m so far"},
		"--pid 9,4242":                   {2, ""},
		"--cookie sk:1F":                 {1, "p4242 4242 (connect)  10.0.0.1:40000 -> 10.1.31.9:443  sk:1f  netns 7"},
		"--cookie 0x1f,20":               {2, ""},
		"--remote 10.1.31.9":             {1, ""},
		"--remote 10.1.31.9:443":         {1, ""},
		"--remote 10.1.31.9:80":          {0, ""},
		"--remote 10.1/16":               {2, ""},
		"--remote :443 --local 10/8":     {2, ""},
		"--local 10.0.0.2":               {0, ""},
		"-n 1":                           {1, "2 connections"},
		"--since 2027-01-15T08:00:00Z":   {2, ""},
		"--since 2027-01-15T09:00:00Z":   {0, ""},
		"--until 2027-01-15T08:00:00Z":   {1, "SYN_SENT    - so far"},
		"-o wide":                        {2, "host web1  boot a"},
		"-p 4242 --since 2026-01-01":     {1, ""},
		"-p 4242 --remote 10.1.32.10/32": {0, ""},
	} {
		w := newWorld(t)
		code := w.run(append([]string{"history", s.dir}, strings.Fields(args)...)...)
		got, said := w.stdout.String(), w.stderr.String()
		if n := strings.Count(got, "  sk:") - strings.Count(got[strings.LastIndex(got, "STATE ")+1:], "  sk:"); code != ExitDone || n != want.shown || !strings.Contains(got, want.text) || len(w.kept) != 0 {
			t.Errorf("%s: exit %d, %d shown, want %d and %q:\n%s%s", args, code, n, want.shown, want.text, got, said)
		}
		if !strings.Contains(said, "tcptrail: read ") || (want.shown == 0) != strings.Contains(said, "no connection of that is recorded") {
			t.Errorf("%s: %s", args, said)
		}
	}
	w := newWorld(t)
	code := w.run("history", s.dir, "-o", "json", "--cookie", "1f")
	var c struct {
		Event, Cookie, State, Comm string
		Steps                      []struct {
			State   string
			MS      *float64
			SoFar   bool    `json:"so_far"`
			AtLeast float64 `json:"at_least_ms"`
		}
	}
	line, rest, _ := strings.Cut(w.stdout.String(), "\n")
	if err := json.Unmarshal([]byte(line), &c); err != nil || code != ExitDone {
		t.Fatalf("exit %d, %v: %s%s", code, err, w.stdout, w.stderr)
	}
	if c.Event != "connection" || c.Cookie != "1f" || c.State != "ESTABLISHED" || len(c.Steps) != 2 || *c.Steps[0].MS != 20 || c.Steps[1].MS != nil ||
		!c.Steps[1].SoFar || c.Steps[1].AtLeast != 3_600_000 || !json.Valid([]byte(rest)) {
		t.Errorf("%s", w.stdout)
	}
}

// brokenPipe is a writer whose reader has gone.
type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, syscall.EPIPE }

func TestHistoryForAReaderThatGoes(t *testing.T) {
	p := newTape(t)
	p.event(1, 1, tcp.Close, tcp.SynSent)
	w := newWorld(t)
	w.env.Stdout = brokenPipe{}
	if code := w.run("history", p.file()); code != ExitDone {
		t.Errorf("exit %d: %s", code, w.stderr)
	}
}

func TestHistoryRefusals(t *testing.T) {
	empty := t.TempDir()
	for args, want := range map[string]struct {
		code int
		text string
	}{
		"history -":                          {ExitUsage, "stdin will not do"},
		"history /dev/null":                  {ExitUsage, "/dev/null is no file"},
		"history -p web":                     {ExitUsage, "give the number"},
		"history -p 0":                       {ExitUsage, "give the number"},
		"history -p":                         {ExitUsage, "--pid needs a value"},
		"history --cookie xyz":               {ExitUsage, "in hexadecimal"},
		"history --remote host":              {ExitUsage, "not an IP address"},
		"history --remote 1.2.3.4:0":         {ExitUsage, "after the colon goes a port"},
		"history --remote 1.2.3.4:http":      {ExitUsage, "after the colon goes a port"},
		"history -o csv":                     {ExitUsage, "no table of rows"},
		"history --since 1h --until 2h":      {ExitUsage, "nothing is left"},
		"history " + empty:                   {ExitFailed, "no recording"},
		"history " + empty + "/not/there":    {ExitFailed, "give the directory that tcptrail log writes to"},
		"history --until yesterday " + empty: {ExitUsage, "give a time"},
	} {
		w := newWorld(t)
		w.noHost()
		code := w.run(strings.Fields(args)...)
		if got := w.stderr.String(); code != want.code || !strings.Contains(got, want.text) {
			t.Errorf("%s: exit %d, want %d: %s, want %q", args, code, want.code, got, want.text)
		}
	}
}

// What is damaged is said, and nothing that a process chose reaches a terminal raw. Directories are recordings of their own.
func TestHistoryOfHostileRecordings(t *testing.T) {
	var paths []string
	for range 2 {
		p := newTape(t)
		p.session("")
		e := p.event(1, 1, tcp.Close, tcp.SynSent)
		copy(e.Comm[:], "\x1b[2J\n\xff")
		e.Mono, e.Time, e.Old, e.New, e.Missed = e.Mono+1e9, e.Time+1e9, tcp.CloseWait, tcp.Close, true
		p.lines = append(p.encoder.Transition(p.lines, &e), "garbage\n"+`{"time":"20`...)
		paths = append(paths, p.file())
	}
	for _, format := range []string{"table", "wide", "json"} {
		w := newWorld(t)
		code := w.run(append([]string{"history", "-o", format}, paths...)...)
		got, said := w.stdout.String(), w.stderr.String()
		if code != ExitDone || strings.Contains(got, "\x1b") || !utf8.ValidString(got) || strings.Count(got, `"event":"connection"`)+strings.Count(got, "a transition was not seen") != 2 {
			t.Errorf("%s: exit %d: %q", format, code, got)
		}
		if !strings.Contains(said, "1 line could not be read") || !strings.Contains(said, "1 last line torn off") || !strings.Contains(said, "read 2 of 2 files") {
			t.Error(said)
		}
	}
}

func TestHistoryHelp(t *testing.T) {
	for _, args := range []string{"history --help", "help history"} {
		w := newWorld(t)
		code := w.run(strings.Fields(args)...)
		w.wants(code, ExitDone, "")
		got, path := w.stdout.String(), filepath.Join("testdata", "help-history.golden")
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil || got != string(want) {
			t.Errorf("%s: differs from %s (go test -update writes it), %v:\n%s", args, path, err, got)
		}
		for line := range strings.Lines(got) {
			if len(line) > helpColumns+len("\n") {
				t.Errorf("%d columns: %s", len(line)-1, line)
			}
		}
	}
}

// BenchmarkHistory asks for one of many processes, each with a file of its own.
func BenchmarkHistory(b *testing.B) {
	const processes = 5000
	s := newStudio(b, false)
	s.begin("a")
	for pid := range uint32(processes) {
		for i := range uint64(10) {
			s.pass(time.Millisecond)
			cookie := uint64(pid)*10 + i + 1
			s.recorder.Event(s.event(cookie, pid+1, tcp.Close, tcp.SynSent, tcp.Unknown))
			s.recorder.Event(s.event(cookie, pid+1, tcp.SynSent, tcp.Close, time.Millisecond))
		}
	}
	s.end(false)
	streams := s.streams()
	for b.Loop() {
		var a historyAccount
		found, err := readHistory(streams, history.Query{PIDs: []uint32{77}}, &a)
		if err != nil || len(found) < 10 {
			b.Fatalf("%d connections, %v", len(found), err)
		}
		b.ReportMetric(float64(a.read), "files-read")
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/processes, "ns/file")
}
