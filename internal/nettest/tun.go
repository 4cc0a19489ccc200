package nettest

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// maxPacket is the longest IPv4 packet.
const maxPacket = 64 << 10

// maxPending is how many segments wait for their peer. A scenario exchanges a dozen; what is beyond was never asked
// for, and the oldest goes.
const maxPending = 1024

// TUN is a network that consists of the kernel, at one address, and peers played by the test at any other. Nothing
// happens on it unless the test makes it happen: packets wait until they are read.
type TUN struct {
	tb      testing.TB
	fd      int
	net     netip.Prefix
	pending []packet // read, and not yet asked for
}

// packet is a segment from the kernel with the bytes that it came in.
type packet struct {
	Segment
	raw []byte
}

// OpenTUN makes a TUN device in the namespace, up, with the kernel at 10.9.8.1 and the peers in 10.9.8.0/24. It is gone
// when the test ends.
func OpenTUN(tb testing.TB, ns *NS) *TUN {
	tb.Helper()
	t := &TUN{tb: tb, net: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 9, 8, 1}), 24)}
	if err := ns.Do(t.open); err != nil {
		tb.Fatalf("open TUN device: %v", err)
	}
	tb.Cleanup(func() {
		if err := unix.Close(t.fd); err != nil {
			tb.Errorf("close TUN device: %v", err)
		}
	})
	return t
}

// open makes the device in the thread's namespace: tun_chr_open in drivers/net/tun.c remembers who opens it.
func (t *TUN) open() error {
	const path = "/dev/net/tun"
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	if err := t.configure(fd); err != nil {
		return errors.Join(err, unix.Close(fd))
	}
	t.fd = fd
	return nil
}

func (t *TUN) configure(fd int) error {
	ifr, err := unix.NewIfreq("tun%d")
	if err != nil {
		return err
	}
	// Bare packets: without IFF_VNET_HDR the kernel computes every checksum and cuts segments itself.
	ifr.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr); err != nil {
		return os.NewSyscallError("TUNSETIFF", err)
	}
	if err := setAddr(ifr.Name(), t.net); err != nil {
		return err
	}
	return setUp(ifr.Name())
}

// Local returns the kernel's address with the port.
func (t *TUN) Local(port uint16) netip.AddrPort { return netip.AddrPortFrom(t.net.Addr(), port) }

// write sends a packet to the kernel, which takes it in within the call (tun_get_user in drivers/net/tun.c ends in
// netif_receive_skb).
func (t *TUN) write(b []byte) error {
	return restart("write to TUN device", func() error {
		_, err := unix.Write(t.fd, b)
		return err
	})
}

// next returns the first segment that fits, pending or still to come, and takes it out. The others stay for whoever
// asks for them.
func (t *TUN) next(fits func(Segment) bool) (packet, error) {
	seen := 0
	for {
		for ; seen < len(t.pending); seen++ {
			if p := t.pending[seen]; fits(p.Segment) {
				t.pending = append(t.pending[:seen], t.pending[seen+1:]...)
				return p, nil
			}
		}
		if err := t.receive(); err != nil {
			return packet{}, err
		}
		if len(t.pending) > maxPending {
			t.pending = t.pending[1:]
			seen--
		}
	}
}

// receive waits for one TCP segment and puts it with the pending.
func (t *TUN) receive() error {
	for {
		raw, err := t.read()
		if err != nil {
			return err
		}
		s, err := parseSegment(raw)
		if errors.Is(err, errNotTCP) {
			continue
		}
		if err != nil {
			return fmt.Errorf("packet of %d bytes: %w", len(raw), err)
		}
		t.pending = append(t.pending, packet{s, raw})
		return nil
	}
}

// read waits for a packet.
func (t *TUN) read() ([]byte, error) {
	if err := waitFD(t.fd, unix.POLLIN); err != nil {
		return nil, fmt.Errorf("wait for a segment: %w", err)
	}
	n, buf := 0, make([]byte, maxPacket)
	err := restart("read from TUN device", func() (err error) {
		n, err = unix.Read(t.fd, buf)
		return err
	})
	return buf[:n], err
}
