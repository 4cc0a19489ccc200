package nettest

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"reflect"
	"testing"

	"golang.org/x/sys/unix"
)

const testSeq = 7

// netlinkMessage makes one message, padded.
func netlinkMessage(kind, flags uint16, seq uint32, payload []byte) []byte {
	b := make([]byte, headerSize)
	binary.NativeEndian.PutUint32(b[0:], uint32(headerSize+len(payload)))
	binary.NativeEndian.PutUint16(b[4:], kind)
	binary.NativeEndian.PutUint16(b[6:], flags)
	binary.NativeEndian.PutUint32(b[8:], seq)
	b = append(b, payload...)
	return append(b, make([]byte, -len(b)&3)...)
}

func errnoPayload(errno unix.Errno) []byte {
	return binary.NativeEndian.AppendUint32(nil, uint32(-int32(errno)))
}

// encodeSocket is decodeSocket backwards.
func encodeSocket(s SocketInfo) []byte {
	b := make([]byte, messageSize)
	b[0], b[1] = unix.AF_INET6, byte(s.State)
	if s.Local.Addr().Is4() {
		b[0] = unix.AF_INET
	}
	binary.BigEndian.PutUint16(b[4:], s.Local.Port())
	binary.BigEndian.PutUint16(b[6:], s.Remote.Port())
	copy(b[8:], s.Local.Addr().AsSlice())
	copy(b[24:], s.Remote.Addr().AsSlice())
	binary.NativeEndian.PutUint32(b[44:], uint32(s.Cookie))
	binary.NativeEndian.PutUint32(b[48:], uint32(s.Cookie>>32))
	for i, v := range []uint32{s.RQueue, s.WQueue, s.UID, s.Inode} {
		binary.NativeEndian.PutUint32(b[56+4*i:], v)
	}
	return b
}

func exampleSockets() []SocketInfo {
	return []SocketInfo{
		{
			State: Established, Local: netip.MustParseAddrPort("192.0.2.1:443"),
			Remote: netip.MustParseAddrPort("198.51.100.2:50000"), Cookie: 0xa1b2c3d4e5f6,
			Inode: 1, UID: 2, RQueue: 3, WQueue: 4,
		},
		{
			State: TimeWait, Local: netip.MustParseAddrPort("[2001:db8::1]:80"),
			Remote: netip.MustParseAddrPort("[::ffff:192.0.2.9]:443"), Cookie: 1,
		},
	}
}

func TestDecodeSocket(t *testing.T) {
	for _, want := range exampleSockets() {
		if got, err := decodeSocket(encodeSocket(want)); err != nil || got != want {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
	unknown := encodeSocket(exampleSockets()[0])
	unknown[0] = unix.AF_UNIX
	if _, err := decodeSocket(unknown); err == nil {
		t.Error("decoded a socket of family AF_UNIX")
	}
}

func TestDumpReply(t *testing.T) {
	socket := encodeSocket(exampleSockets()[0])
	message := netlinkMessage(unix.SOCK_DIAG_BY_FAMILY, unix.NLM_F_MULTI, testSeq, socket)
	done := netlinkMessage(unix.NLMSG_DONE, 0, testSeq, errnoPayload(0))
	tests := []struct {
		name        string
		datagram    []byte
		sockets     int
		done        bool
		interrupted bool
		err         error
	}{
		{name: "empty"},
		{name: "sockets", datagram: join(message, message), sockets: 2},
		{name: "done", datagram: join(message, done), sockets: 1, done: true},
		{name: "after done", datagram: join(done, message), done: true},
		{name: "bare done", datagram: netlinkMessage(unix.NLMSG_DONE, 0, testSeq, nil), done: true},
		{
			name: "error in done", datagram: netlinkMessage(unix.NLMSG_DONE, 0, testSeq, errnoPayload(unix.ENOMEM)),
			done: true, err: unix.ENOMEM,
		},
		{
			name: "error", datagram: netlinkMessage(unix.NLMSG_ERROR, 0, testSeq, errnoPayload(unix.EPERM)),
			done: true, err: unix.EPERM,
		},
		{name: "bare error", datagram: netlinkMessage(unix.NLMSG_ERROR, 0, testSeq, nil), done: true, err: errShort},
		{
			name: "interrupted", datagram: netlinkMessage(unix.SOCK_DIAG_BY_FAMILY, unix.NLM_F_DUMP_INTR, testSeq, socket),
			sockets: 1, interrupted: true,
		},
		{
			name: "interrupted at the end", datagram: netlinkMessage(unix.NLMSG_DONE, unix.NLM_F_DUMP_INTR, testSeq, nil),
			done: true, interrupted: true,
		},
		{name: "another dump's", datagram: netlinkMessage(unix.NLMSG_ERROR, 0, testSeq-1, nil)},
		{name: "padded", datagram: join(netlinkMessage(unix.NLMSG_NOOP, 0, testSeq, []byte{1}), done), done: true},
		{name: "half a header", datagram: message[:headerSize-1], err: errShort},
		{name: "cut off", datagram: message[:len(message)-1], err: errShort},
		{name: "length zero", datagram: make([]byte, headerSize), err: errShort},
		{
			name: "half a socket", datagram: netlinkMessage(unix.SOCK_DIAG_BY_FAMILY, 0, testSeq, socket[:8]),
			sockets: 1, err: errShort,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := dumpReply{seq: testSeq}
			if err := d.add(test.datagram); !errors.Is(err, test.err) {
				t.Errorf("error %v, want %v", err, test.err)
			}
			if len(d.sockets) != test.sockets || d.done != test.done || d.interrupted != test.interrupted {
				t.Errorf("%d sockets, done %t, interrupted %t", len(d.sockets), d.done, d.interrupted)
			}
		})
	}
}

func join(parts ...[]byte) (all []byte) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

func TestDumpReplyUnknownMessage(t *testing.T) {
	d := dumpReply{seq: testSeq}
	if err := d.add(netlinkMessage(999, 0, testSeq, nil)); err == nil {
		t.Error("took a message of type 999")
	}
}

// However a datagram is cut or bent, decoding ends, without panic and with no more sockets than there is room for.
func FuzzDumpReply(f *testing.F) {
	for _, s := range exampleSockets() {
		f.Add(netlinkMessage(unix.SOCK_DIAG_BY_FAMILY, 0, testSeq, encodeSocket(s)))
	}
	f.Add(netlinkMessage(unix.NLMSG_DONE, 0, testSeq, errnoPayload(unix.EINTR)))
	f.Add(netlinkMessage(unix.NLMSG_ERROR, unix.NLM_F_DUMP_INTR, testSeq, nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		first, again := dumpReply{seq: testSeq}, dumpReply{seq: testSeq}
		err := first.add(b)
		if len(first.sockets) > len(b)/headerSize {
			t.Errorf("%d sockets in %d bytes", len(first.sockets), len(b))
		}
		if (err == nil) != (again.add(b) == nil) || !reflect.DeepEqual(first, again) {
			t.Error("decoded twice, two results")
		}
	})
}
