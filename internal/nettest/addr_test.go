package nettest

import (
	"errors"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

func TestSockaddrRoundTrip(t *testing.T) {
	tests := map[netip.AddrPort]int{
		Loopback4(443):                           unix.AF_INET,
		Loopback6(443):                           unix.AF_INET6,
		Any6(0):                                  unix.AF_INET6,
		Mapped4(65535):                           unix.AF_INET6,
		netip.MustParseAddrPort("[fe80::1%3]:1"): unix.AF_INET6,
	}
	for want, wantFamily := range tests {
		if got := family(want); got != wantFamily {
			t.Errorf("%v: family %d, want %d", want, got, wantFamily)
		}
		sa, err := toSockaddr(want)
		if got := fromSockaddr(sa); err != nil || got != want {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
	}
}

func TestSockaddrRefuses(t *testing.T) {
	if _, err := toSockaddr(netip.AddrPort{}); !errors.Is(err, unix.EINVAL) {
		t.Errorf("no address: %v, want %v", err, unix.EINVAL)
	}
	if _, err := toSockaddr(netip.MustParseAddrPort("[fe80::1%lo]:1")); err == nil {
		t.Error("took a zone by name")
	}
	if got := fromSockaddr(&unix.SockaddrUnix{}); got.IsValid() {
		t.Errorf("address %v of a Unix socket", got)
	}
}
