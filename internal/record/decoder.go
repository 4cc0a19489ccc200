package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"net/netip"
	"strconv"
	"time"

	"github.com/tcptrail/tcptrail/internal/output"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// Decoder reads lines. It remembers words, as lines have the same ones again and again, and is not safe for concurrent use.
type Decoder struct {
	second  string // the last time's, without fraction
	unix    int64  // the same
	addrs   [2]addrText
	address [2]netip.Addr // of the line
	ports   [2]uint16
}

type addrText struct {
	text string
	addr netip.Addr
}

// FieldError says which field of a line is not what it should be.
type FieldError struct {
	Field string
	Err   error
}

func (e *FieldError) Error() string { return "field " + e.Field + ": " + e.Err.Error() }

func (e *FieldError) Unwrap() error { return e.Err }

var (
	errValue   = errors.New("unexpected value")
	errMissing = errors.New("is missing")
)

// Decode reads a line into r, which it may reuse. A line of a kind that it does not know is Other, and fields that it does
// not know are passed over. It does not allocate for transitions whose names are plain.
func (d *Decoder) Decode(line []byte, r *Record) error {
	r.Kind, r.Seq, r.Time, r.line = Other, 0, 0, nil
	r.Event = tcp.Event{InOld: tcp.Unknown, SRTT: tcp.Unknown}
	d.address, d.ports = [2]netip.Addr{}, [2]uint16{}
	if err := scan(line, func(key, value []byte) error { return d.field(r, key, value) }); err != nil {
		return err
	}
	switch r.Kind {
	case Transition:
		return d.finish(r)
	case Session, Socket, LookOver, Loss:
		return d.object(line, r)
	}
	return nil
}

// finish completes a transition.
func (d *Decoder) finish(r *Record) error {
	e := &r.Event
	switch {
	case e.Old == 0:
		return &FieldError{"old", errMissing}
	case e.New == 0:
		return &FieldError{"new", errMissing}
	}
	e.Time = r.Time
	if e.Mono == 0 {
		e.Mono = r.Time // a line of trace: what matters is how far they are apart
	}
	e.Local = netip.AddrPortFrom(d.address[0], d.ports[0])
	e.Remote = netip.AddrPortFrom(d.address[1], d.ports[1])
	return nil
}

// object reads the lines that are rare.
func (d *Decoder) object(line []byte, r *Record) error {
	switch r.Kind {
	case Session:
		r.Session = SessionInfo{}
		return json.Unmarshal(line, &r.Session)
	case Socket:
		r.line = &socketLine{}
		if err := json.Unmarshal(line, r.line); err != nil {
			return err
		}
		var err error
		r.Socket, err = r.line.socket(r.line.Seen)
		return err
	case LookOver:
		return r.look(line)
	}
	var loss struct{ Lost uint64 }
	err := json.Unmarshal(line, &loss)
	r.Lost = loss.Lost
	return err
}

func (r *Record) look(line []byte) error {
	var l lookLine
	if err := json.Unmarshal(line, &l); err != nil {
		return err
	}
	r.Look = Look{Now: l.Now, Baseline: l.Baseline, Time: l.Began, Took: l.Took, NetNS: l.NetNS, FDLimits: l.FDLimits}
	r.sockets = l.Sockets
	for name, until := range l.Horizon {
		state := stateOf([]byte(name))
		if state == 0 {
			return &FieldError{"horizon", errValue}
		}
		r.Look.Horizon[state] = until
	}
	for i := range l.Gone {
		key, err := l.Gone[i].key()
		if err != nil {
			return &FieldError{"gone", err}
		}
		r.Look.Gone = append(r.Look.Gone, key)
	}
	return nil
}

// field reads one field of what may be a transition.
func (d *Decoder) field(r *Record, key, value []byte) error {
	var err error
	switch string(key) {
	case "time":
		r.Time, err = d.time(value)
	case "event":
		r.Kind = kindOf(value)
	case "seq":
		r.Seq, err = number(value, math.MaxUint64)
	default:
		if r.Kind == Transition || r.Kind == Other {
			err = d.transition(&r.Event, key, value)
		}
	}
	if err != nil && (r.Kind != Other || string(key) == "time") {
		return &FieldError{string(key), err}
	}
	return nil
}

func (d *Decoder) transition(e *tcp.Event, key, value []byte) (err error) {
	if string(value) == "null" {
		return nil
	}
	var n uint64
	switch string(key) {
	case "cookie":
		e.Cookie, err = strconv.ParseUint(string(inside(value)), 16, 64)
	case "netns":
		n, err = number(value, math.MaxUint32)
		e.NetNS = uint32(n)
	case "cgroup":
		e.CgroupID, err = number(value, math.MaxUint64)
	case "uid":
		n, err = number(value, math.MaxUint32)
		e.UID = uint32(n)
	case "family":
		e.Family, err = familyOf(value)
	case "laddr":
		d.address[0], err = d.addrs[0].parse(inside(value))
	case "raddr":
		d.address[1], err = d.addrs[1].parse(inside(value))
	case "lport":
		n, err = number(value, math.MaxUint16)
		d.ports[0] = uint16(n)
	case "rport":
		n, err = number(value, math.MaxUint16)
		d.ports[1] = uint16(n)
	case "old":
		e.Old, err = stateIn(value)
	case "new":
		e.New, err = stateIn(value)
	case "ms":
		e.InOld, err = millis(value)
	default:
		err = transitionOwner(e, key, value)
	}
	return err
}

// transitionOwner reads the fields from pid to running_pid.
func transitionOwner(e *tcp.Event, key, value []byte) (err error) {
	var n uint64
	switch string(key) {
	case "pid":
		n, err = number(value, math.MaxUint32)
		e.PID = uint32(n)
	case "comm":
		err = commOf(&e.Comm, value)
	case "comm_hex":
		err = (*hexBytes)(&e.Comm).UnmarshalText(inside(value))
	case "evidence":
		e.Evidence, err = namedIn[tcp.Evidence](value)
	case "running_pid":
		n, err = number(value, math.MaxUint32)
		e.RunningPID = uint32(n)
	case "mono":
		n, err = number(value, math.MaxInt64)
		e.Mono = int64(n)
	default:
		err = transitionEnd(e, key, value)
	}
	return err
}

// transitionEnd reads the fields from next to late.
func transitionEnd(e *tcp.Event, key, value []byte) (err error) {
	var n uint64
	switch string(key) {
	case "next":
		e.Next, err = stateIn(value)
	case "reason":
		e.Reason, err = namedIn[tcp.Reason](value)
	case "errno":
		var ok bool
		if e.Errno, ok = output.Errno(string(inside(value))); !ok {
			err = errValue
		}
	case "bytes_sent":
		e.BytesSent, err = number(value, math.MaxUint64)
	case "bytes_received":
		e.BytesRecv, err = number(value, math.MaxUint64)
	case "retransmits":
		n, err = number(value, math.MaxUint32)
		e.Retrans = uint32(n)
	case "srtt_us":
		n, err = number(value, math.MaxInt64/1000)
		e.SRTT = time.Duration(n) * time.Microsecond
	case "missed":
		e.Missed, err = truth(value)
	case "late":
		e.Late, err = truth(value)
	}
	return err
}

// inside returns what stands between the quotes of a string; nothing of what is none.
func inside(value []byte) []byte {
	if len(value) < 2 || value[0] != '"' {
		return nil
	}
	return value[1 : len(value)-1]
}

func kindOf(value []byte) Kind {
	for k := Session; int(k) < len(kindNames); k++ {
		if kindNames[k] == string(inside(value)) {
			return k
		}
	}
	return Other
}

// number reads a whole number.
func number(value []byte, most uint64) (n uint64, err error) {
	if len(value) == 0 || len(value) > len("18446744073709551615") {
		return 0, errValue
	}
	for _, c := range value {
		digit := uint64(c - '0')
		if digit > 9 || n > (math.MaxUint64-digit)/10 {
			return 0, errValue
		}
		n = n*10 + digit
	}
	if n > most {
		return 0, errValue
	}
	return n, nil
}

// millis reads milliseconds with up to six decimals, exactly.
func millis(value []byte) (time.Duration, error) {
	whole, fraction, _ := bytes.Cut(value, []byte("."))
	ms, err := number(whole, math.MaxInt64/uint64(time.Millisecond)-1)
	if err != nil || len(fraction) > 6 {
		return tcp.Unknown, errValue
	}
	ns := uint64(0)
	if len(fraction) > 0 {
		if ns, err = number(fraction, math.MaxUint64); err != nil {
			return tcp.Unknown, err
		}
		for range 6 - len(fraction) {
			ns *= 10
		}
	}
	return time.Duration(ms)*time.Millisecond + time.Duration(ns), nil
}

func truth(value []byte) (bool, error) {
	switch string(value) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, errValue
}

func stateIn(value []byte) (tcp.State, error) {
	if s := stateOf(inside(value)); s != 0 {
		return s, nil
	}
	return 0, errValue
}

func namedIn[T interface {
	~uint8
	String() string
}](value []byte) (T, error) {
	v, err := named[T](string(inside(value)), "name")
	if err != nil || v == 0 {
		return 0, errValue
	}
	return v, nil
}

func familyOf(value []byte) (tcp.Family, error) {
	switch string(inside(value)) {
	case "inet":
		return tcp.Inet, nil
	case "inet6":
		return tcp.Inet6, nil
	case "unknown":
		return 0, nil
	}
	return 0, errValue
}

// commOf reads a name, of which bytes that are no text were lost when it was written.
func commOf(c *tcp.Comm, value []byte) error {
	text := inside(value)
	if bytes.IndexByte(text, '\\') >= 0 {
		var unescaped string
		if err := json.Unmarshal(value, &unescaped); err != nil {
			return errValue
		}
		text = []byte(unescaped)
	}
	*c = tcp.Comm{}
	copy(c[:len(c)-1], text)
	return nil
}

func (a *addrText) parse(text []byte) (netip.Addr, error) {
	if a.text == string(text) && a.addr.IsValid() {
		return a.addr, nil
	}
	addr, err := netip.ParseAddr(string(text))
	if err != nil {
		return netip.Addr{}, errValue
	}
	a.text, a.addr = string(text), addr
	return addr, nil
}

// time reads RFC 3339 in UTC, of which lines near each other have most in common.
func (d *Decoder) time(value []byte) (int64, error) {
	text := inside(value)
	const whole = len("2006-01-02T15:04:05")
	if len(text) != whole+len(".000000000Z") || text[len(text)-1] != 'Z' || text[whole] != '.' {
		t, err := time.Parse(time.RFC3339Nano, string(text))
		if err != nil {
			return 0, errValue
		}
		return t.UnixNano(), nil
	}
	if d.second != string(text[:whole]) {
		t, err := time.Parse("2006-01-02T15:04:05", string(text[:whole]))
		if err != nil {
			return 0, errValue
		}
		d.second, d.unix = string(text[:whole]), t.Unix()
	}
	fraction, err := number(text[whole+1:len(text)-1], 999_999_999)
	if err != nil {
		return 0, err
	}
	return d.unix*int64(time.Second) + int64(fraction), nil
}
