package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/netip"
	"os/exec"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

const begun = int64(1_800_000_000_123_456_789)

func comm(name string) (c tcp.Comm) {
	copy(c[:], name)
	return c
}

func someEvent() tcp.Event {
	return tcp.Event{
		Time: begun, Mono: 123_456_789_012, InOld: 1_234_567, Cookie: 0xabcdef0123, CgroupID: 77, SRTT: tcp.Unknown,
		Local: netip.MustParseAddrPort("127.0.0.1:8080"), Remote: netip.MustParseAddrPort("[2001:db8::1]:443"), NetNS: 4026531840, UID: 1000,
		PID: 42, RunningPID: 43, Family: tcp.Inet6, Old: tcp.Established, New: tcp.CloseWait, Evidence: tcp.EvidenceAccept, Comm: comm("nginx"),
	}
}

func randomEvent(r *rand.Rand) tcp.Event {
	e := someEvent()
	e.Time += r.Int64N(1e12)
	e.Mono, e.Cookie = r.Int64()|1, r.Uint64()|1
	e.CgroupID, e.NetNS, e.UID, e.RunningPID = r.Uint64(), r.Uint32(), r.Uint32(), r.Uint32()
	e.InOld = time.Duration(r.Int64N(1e15)) - 1
	states := func() tcp.State { return tcp.State(1 + r.IntN(tcp.States)) }
	e.Old, e.New = states(), states()
	e.Local = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(r.IntN(256)), 1, 2}), uint16(r.IntN(65536)))
	if r.IntN(2) == 0 {
		e.Family, e.Remote = tcp.Inet, netip.AddrPort{}
	}
	switch r.IntN(3) {
	case 0:
		e.PID, e.Comm, e.Evidence = 0, tcp.Comm{}, tcp.EvidenceNone
	case 1:
		for i := range 15 {
			e.Comm[i] = byte(1 + r.IntN(255))
		}
	}
	if e.New == tcp.Close {
		e.Next, e.Reason, e.Errno = states(), tcp.Reason(r.IntN(13)), uint16(r.IntN(200))
		e.BytesSent, e.BytesRecv, e.Retrans = r.Uint64(), r.Uint64(), r.Uint32()
		e.SRTT = time.Duration(r.IntN(1e6)) * time.Microsecond
	}
	e.Missed = r.IntN(4) == 0
	if r.IntN(4) == 0 {
		e.Late, e.RunningPID = true, 0
	}
	return e
}

func TestTransitionsSurvive(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	e, d := NewEncoder(begun), &Decoder{}
	var r Record
	last := uint64(0)
	for range 20_000 {
		want := randomEvent(random)
		line := e.Transition(nil, &want)
		if err := d.Decode(line, &r); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if r.Kind != Transition || r.Event != want || r.Time != want.Time || r.Seq <= last {
			t.Fatalf("%s\ngot  %+v\nwant %+v", line, r, want)
		}
		if !json.Valid(line) || bytes.Count(line, []byte("\n")) != 1 || line[len(line)-1] != '\n' {
			t.Fatalf("no JSON line: %q", line)
		}
		last = r.Seq
	}
}

// What trace writes has neither a number nor the time that intervals are measured by.
func TestLinesOfTrace(t *testing.T) {
	var r Record
	line := `{"time":"2026-11-21T10:00:00.000000001Z","event":"transition","cookie":"1f","netns":4026531840,"cgroup":null,"uid":0,` +
		`"family":"inet","laddr":"127.0.0.1","lport":80,"raddr":"127.0.0.1","rport":null,"old":"ESTABLISHED","new":"CLOSE_WAIT",` +
		`"ms":0.000001,"pid":7,"comm":"\u001b[2J\"","evidence":"fd","running_pid":0,"of a later version":{"a":[1,"}]"]}}`
	if err := new(Decoder).Decode([]byte(line), &r); err != nil {
		t.Fatal(err)
	}
	e := r.Event
	if r.Seq != 0 || e.Mono != e.Time || e.Time != time.Date(2026, 11, 21, 10, 0, 0, 1, time.UTC).UnixNano() || e.InOld != 1 ||
		e.Comm != comm("\x1b[2J\"") || e.Cookie != 0x1f || e.Remote.Port() != 0 || e.SRTT != tcp.Unknown {
		t.Errorf("%+v", e)
	}
}

func TestRefusals(t *testing.T) {
	good := string(NewEncoder(begun).Transition(nil, ptr(someEvent())))
	for name, change := range map[string][2]string{
		"cookie": {`"abcdef0123"`, `"xyz"`}, "lport": {`"lport":8080`, `"lport":65536`}, "laddr": {`"127.0.0.1"`, `"127.0.0"`},
		"old": {`"ESTABLISHED"`, `"OPEN"`}, "new": {`"CLOSE_WAIT"`, `8`}, "ms": {`"ms":1.234567`, `"ms":-1`}, "pid": {`"pid":42`, `"pid":"42"`},
		"family": {`"inet6"`, `"unix"`}, "evidence": {`"accept"`, `"guess"`}, "time": {`"time":"20`, `"time":"xx`},
		"seq": {`"seq":`, `"seq":9999`}, "comm": {`"nginx"`, `"\x"`},
	} {
		line := strings.Replace(good, change[0], change[1], 1)
		if line == good {
			t.Fatalf("%s: %q is not in %s", name, change[0], good)
		}
		var r Record
		err := new(Decoder).Decode([]byte(line), &r)
		var field *FieldError
		if !errors.As(err, &field) || field.Field != name {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, line := range []string{"", "{", "[]", "null", `{"a":1`, `{"a":1}}`, `{"a":1,}`, `{"a" 1}`, `{"a":[}`, "{\"a\x01\":1}", `{"event":"transition"}`} {
		if err := new(Decoder).Decode([]byte(line), &Record{}); err == nil {
			t.Errorf("taken: %q", line)
		}
	}
	var r Record
	if err := new(Decoder).Decode([]byte(`{"event":"of another kind","cookie":7}`), &r); err != nil || r.Kind != Other {
		t.Errorf("%v of kind %v", err, r.Kind)
	}
}

func ptr[T any](v T) *T { return &v }

func TestCodingDoesNotAllocate(t *testing.T) {
	e, d, event := NewEncoder(begun), &Decoder{}, someEvent()
	b := make([]byte, 0, 4096)
	var r Record
	line := e.Transition(nil, &event)
	if n := testing.AllocsPerRun(100, func() { b = e.Transition(b[:0], &event) }); n != 0 {
		t.Errorf("%v allocations to write a line", n)
	}
	if n := testing.AllocsPerRun(100, func() { _ = d.Decode(line, &r) }); n > 1 {
		t.Errorf("%v allocations to read a line", n)
	}
}

// jq reads what is written, which people will have it do.
func TestLinesAreForJQ(t *testing.T) {
	jq, err := exec.LookPath("jq")
	if err != nil {
		t.Skip("there is no jq on this machine")
	}
	cmd := exec.Command(jq, "-r", ".new+\" \"+.comm_hex")
	event := someEvent()
	event.Comm = comm("\xff\n")
	cmd.Stdin = bytes.NewReader(NewEncoder(begun).Transition(nil, &event))
	if out, err := cmd.Output(); err != nil || string(out) != "CLOSE_WAIT ff0a\n" {
		t.Errorf("%q, %v", out, err)
	}
}

// FuzzDecode: nothing makes it fail but by an error, and whatever it takes as a transition can be written and read again.
func FuzzDecode(f *testing.F) {
	e := NewEncoder(begun)
	f.Add(e.Transition(nil, ptr(someEvent())))
	f.Add(e.Loss(nil, begun, 7))
	f.Add(e.End(nil, begun))
	session, err := e.Session(nil, begun, &SessionInfo{Version: "1", Host: "h"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(session)
	look, err := NewLooks(e).Append(nil, begun, someSnapshot(), &Look{Now: 5e9})
	if err != nil {
		f.Fatal(err)
	}
	for line := range bytes.Lines(look) {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		var r, again Record
		if err := new(Decoder).Decode(line, &r); err != nil || r.Kind != Transition {
			return
		}
		if r.Event.PID == 0 {
			return // the name of nobody is not written
		}
		text := NewEncoder(begun).Transition(nil, &r.Event)
		if err := new(Decoder).Decode(text, &again); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if r.Event.New == tcp.Close && r.Event.Late == again.Event.Late && !reflect.DeepEqual(r.Event.Comm, again.Event.Comm) {
			t.Fatalf("%q became %q", r.Event.Comm, again.Event.Comm)
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	e, event, buf := NewEncoder(begun), someEvent(), make([]byte, 0, 4096)
	for b.Loop() {
		buf = e.Transition(buf[:0], &event)
	}
	b.SetBytes(int64(len(buf)))
}

func BenchmarkDecode(b *testing.B) {
	event := someEvent()
	line := NewEncoder(begun).Transition(nil, &event)
	d := &Decoder{}
	var r Record
	b.SetBytes(int64(len(line)))
	for b.Loop() {
		if err := d.Decode(line, &r); err != nil {
			b.Fatal(err)
		}
	}
}
