package traffic

import (
	"testing"

	"golang.org/x/sys/unix"
)

func state(t *testing.T, fd int) uint8 {
	t.Helper()
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		t.Fatal(err)
	}
	return info.State
}

func TestCrowd(t *testing.T) {
	const n, half = 5, 2
	c, err := Gather(7, n)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.HalfClose(half); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		client, server := uint8(unix.BPF_TCP_ESTABLISHED), uint8(unix.BPF_TCP_ESTABLISHED)
		if i < half {
			client, server = unix.BPF_TCP_FIN_WAIT2, unix.BPF_TCP_CLOSE_WAIT
		}
		if got := state(t, c.clients[i]); got != client {
			t.Errorf("connection %d: client in state %d, want %d", i, got, client)
		}
		if got := state(t, c.servers[i]); got != server {
			t.Errorf("connection %d: server in state %d, want %d", i, got, server)
		}
	}
	if err := c.HalfClose(n + 1); err == nil {
		t.Error("shut down more than there are")
	}
}

func TestCrowdOfNone(t *testing.T) {
	c, err := Gather(7, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.HalfClose(0); err != nil {
		t.Error(err)
	}
	c.Close()
}
