package record

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// socketLine is a socket in JSON. Its times are absolute, so that they stay true for as long as nothing happens to it.
type socketLine struct {
	Cookie     hexNumber      `json:"cookie"`
	Seen       int64          `json:"seen"` // CLOCK_MONOTONIC, ns, as all times here
	NetNS      uint32         `json:"netns"`
	Cgroup     uint64         `json:"cgroup,omitempty"`
	UID        uint32         `json:"uid"`
	Family     string         `json:"family"`
	Local      netip.AddrPort `json:"local"`
	Remote     netip.AddrPort `json:"remote"`
	State      stateName      `json:"state"`
	Kind       string         `json:"kind"`
	Zombie     bool           `json:"zombie,omitempty"`
	Orphan     bool           `json:"orphan,omitempty"`
	Unaccepted bool           `json:"unaccepted,omitempty"`
	Autobound  bool           `json:"autobound,omitempty"`
	AgeSource  string         `json:"age_source,omitempty"`
	Since      int64          `json:"since,omitempty"`       // in its state no later than
	NotBefore  int64          `json:"since_after,omitempty"` // and no earlier than; 0: unknown
	PID        uint32         `json:"pid,omitempty"`
	Comm       hexBytes       `json:"comm_hex,omitempty"`
	Evidence   string         `json:"evidence,omitempty"`
	Stack      uint32         `json:"stack,omitempty"`
	Holders    []holderLine   `json:"holders,omitempty"`
	RecvQ      uint32         `json:"recv_q,omitempty"`
	SendQ      uint32         `json:"send_q,omitempty"`
	Inode      uint32         `json:"inode,omitempty"`
	Mark       uint32         `json:"mark,omitempty"`
	Device     uint32         `json:"device,omitempty"`
	Errno      uint16         `json:"errno,omitempty"`
	Shutdown   tcp.Shutdown   `json:"shutdown,omitempty"`
	Retrans    uint32         `json:"retransmits,omitempty"`
	BytesSent  uint64         `json:"bytes_sent,omitempty"`
	BytesRecv  uint64         `json:"bytes_received,omitempty"`
	RTT        time.Duration  `json:"rtt"`
	RTTVar     time.Duration  `json:"rttvar"`
	Sent       int64          `json:"last_sent,omitempty"` // 0: unknown, as the next two
	Received   int64          `json:"last_received,omitempty"`
	Acked      int64          `json:"last_ack,omitempty"`
	Timer      string         `json:"timer,omitempty"`
	Expires    int64          `json:"timer_expires,omitempty"`
	Retries    uint8          `json:"timer_retries,omitempty"`
}

type holderLine struct {
	PID  uint32   `json:"pid"`
	FD   uint32   `json:"fd"`
	Comm hexBytes `json:"comm_hex"`
}

// hexNumber is a number as a string of hexadecimal digits, as ss prints cookies.
type hexNumber uint64

func (n hexNumber) MarshalText() ([]byte, error) { return strconv.AppendUint(nil, uint64(n), 16), nil }

func (n *hexNumber) UnmarshalText(text []byte) error {
	v, err := strconv.ParseUint(string(text), 16, 64)
	*n = hexNumber(v)
	return err
}

// hexBytes are the bytes of a name that a process chose, which need not be text.
type hexBytes tcp.Comm

func (h hexBytes) MarshalText() ([]byte, error) {
	return hex.AppendEncode(nil, (*tcp.Comm)(&h).Bytes()), nil
}

func (h *hexBytes) UnmarshalText(text []byte) error {
	*h = hexBytes{}
	if len(text) > 2*len(h) {
		return fmt.Errorf("name of %d bytes", len(text)/2)
	}
	_, err := hex.Decode(h[:], text)
	return err
}

// stateName is a state in the kernel's spelling.
type stateName tcp.State

func (s stateName) MarshalText() ([]byte, error) { return []byte(tcp.State(s).String()), nil }

func (s *stateName) UnmarshalText(text []byte) error {
	state := stateOf(text)
	if state == 0 {
		return fmt.Errorf("no state %.20q", text)
	}
	*s = stateName(state)
	return nil
}

// stateOf returns the state with the very name; 0 for none.
func stateOf(name []byte) tcp.State {
	for s := tcp.Established; s <= tcp.NewSynRecv; s++ {
		if s.String() == string(name) {
			return s
		}
	}
	return 0
}

// absolute returns when something was that is so long ago, 0 when that is unknown.
func absolute(seen int64, ago time.Duration) int64 {
	if ago == tcp.Unknown {
		return 0
	}
	return seen - int64(ago)
}

func relative(seen, at int64) time.Duration {
	if at == 0 {
		return tcp.Unknown
	}
	return time.Duration(max(0, seen-at))
}

func lineOf(s *tcp.Socket) socketLine {
	l := socketLine{
		Cookie: hexNumber(s.Cookie), Seen: s.Seen, NetNS: s.NetNS, Cgroup: s.CgroupID, UID: s.UID, Family: s.Family.String(),
		Local: s.Local, Remote: s.Remote, State: stateName(s.State), Kind: s.Kind.String(), Zombie: s.Zombie, Orphan: s.Orphan,
		Unaccepted: s.Unaccepted, Autobound: s.Autobound, AgeSource: s.Age.Source.String(), PID: s.PID, Comm: hexBytes(s.Comm),
		Evidence: s.Evidence.String(), Stack: s.Stack, RecvQ: s.RecvQ, SendQ: s.SendQ, Inode: s.Inode, Mark: s.Mark,
		Device: s.Device, Errno: s.Errno, Shutdown: s.Shutdown, Retrans: s.Retrans, BytesSent: s.BytesSent, BytesRecv: s.BytesRecv,
		RTT: s.RTT, RTTVar: s.RTTVar, Sent: absolute(s.Seen, s.LastSent), Received: absolute(s.Seen, s.LastReceived),
		Acked: absolute(s.Seen, s.LastAck), Timer: s.Timer.Kind.String(), Retries: s.Timer.Retries,
	}
	if s.Age.Known() {
		l.Since, l.NotBefore = absolute(s.Seen, s.Age.AtLeast), absolute(s.Seen, s.Age.AtMost)
	}
	if s.Timer.Kind != tcp.TimerNone {
		l.Expires = s.Seen + int64(s.Timer.Left)
	}
	for i := range s.Holders {
		h := &s.Holders[i]
		l.Holders = append(l.Holders, holderLine{h.PID, h.FD, hexBytes(h.Comm)})
	}
	return l
}

// named returns the value whose name it is; "" is none.
func named[T interface {
	~uint8
	String() string
}](name, what string) (v T, err error) {
	if name == "" || name == v.String() {
		return 0, nil
	}
	for v = 1; v < maxNamed; v++ {
		if v.String() == name {
			return v, nil
		}
	}
	return 0, fmt.Errorf("%s %.40q is none that this version knows", what, name)
}

// maxNamed is over the highest number of any type that has names.
const maxNamed = 32

// socket returns what the line says of a socket at a time when it is looked at, in ns of CLOCK_MONOTONIC.
func (l *socketLine) socket(seen int64) (tcp.Socket, error) {
	s := tcp.Socket{
		Cookie: uint64(l.Cookie), Seen: seen, NetNS: l.NetNS, CgroupID: l.Cgroup, UID: l.UID, Local: l.Local, Remote: l.Remote,
		State: tcp.State(l.State), Zombie: l.Zombie, Orphan: l.Orphan, Unaccepted: l.Unaccepted, Autobound: l.Autobound,
		PID: l.PID, Comm: tcp.Comm(l.Comm), Stack: l.Stack, RecvQ: l.RecvQ, SendQ: l.SendQ, Inode: l.Inode, Mark: l.Mark,
		Device: l.Device, Errno: l.Errno, Shutdown: l.Shutdown, Retrans: l.Retrans, BytesSent: l.BytesSent,
		BytesRecv: l.BytesRecv, RTT: l.RTT, RTTVar: l.RTTVar, LastSent: relative(seen, l.Sent),
		LastReceived: relative(seen, l.Received), LastAck: relative(seen, l.Acked),
	}
	var errs [5]error
	s.Family, errs[0] = named[tcp.Family](l.Family, "family")
	s.Kind, errs[1] = named[tcp.Kind](l.Kind, "kind")
	s.Evidence, errs[2] = named[tcp.Evidence](l.Evidence, "evidence")
	s.Timer.Kind, errs[3] = named[tcp.TimerKind](l.Timer, "timer")
	s.Age.Source, errs[4] = named[tcp.AgeSource](l.AgeSource, "age_source")
	if s.Age.Known() {
		s.Age.AtLeast, s.Age.AtMost = relative(seen, l.Since), relative(seen, l.NotBefore)
	}
	if s.Timer.Kind != tcp.TimerNone {
		s.Timer.Retries, s.Timer.Left = l.Retries, time.Duration(max(0, l.Expires-seen))
	}
	for _, h := range l.Holders {
		s.Holders = append(s.Holders, tcp.Holder{PID: h.PID, FD: h.FD, Comm: tcp.Comm(h.Comm)})
	}
	return s, errors.Join(errs[:]...)
}
