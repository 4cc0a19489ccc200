package nettest

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// setUp brings an interface of the thread's namespace up.
func setUp(name string) error {
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		return fmt.Errorf("interface %q: %w", name, err)
	}
	ifr.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return configure(unix.SIOCSIFFLAGS, ifr)
}

// setAddr gives an interface of the thread's namespace an IPv4 address and the route to its network.
func setAddr(name string, prefix netip.Prefix) error {
	mask := ^uint32(0) << (32 - prefix.Bits())
	for _, set := range []struct {
		request uint
		addr    []byte
	}{
		{unix.SIOCSIFADDR, prefix.Addr().AsSlice()},
		{unix.SIOCSIFNETMASK, []byte{byte(mask >> 24), byte(mask >> 16), byte(mask >> 8), byte(mask)}},
	} {
		ifr, err := unix.NewIfreq(name)
		if err == nil {
			err = ifr.SetInet4Addr(set.addr)
		}
		if err != nil {
			return fmt.Errorf("interface %q: %w", name, err)
		}
		if err := configure(set.request, ifr); err != nil {
			return err
		}
	}
	return nil
}

// configure issues an interface ioctl, which takes any socket of the namespace (netdevice(7)).
func configure(request uint, ifr *unix.Ifreq) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	defer func() { _ = unix.Close(fd) }()
	if err := unix.IoctlIfreq(fd, request, ifr); err != nil {
		return fmt.Errorf("configure %s (ioctl %#x): %w", ifr.Name(), request, err)
	}
	return nil
}
