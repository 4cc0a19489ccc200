package kernel

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tcptrail/tcptrail/internal/filter"
	"github.com/tcptrail/tcptrail/internal/nettest"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// randomFilters is how many filters one run compares, each with a tracer of its own beside the others.
const randomFilters = 8

// The kernel and Go decide alike: tracers with random filters side by side, all over the same traffic, against what an
// unfiltered one saw.
func TestPrivilegedFilterAgreesWithGo(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))

	s := newStage(t)
	s.trace(Options{})
	server, client := s.actor("server"), s.actor("client")
	v4, v6 := server.Listen(nettest.Loopback4(0), 8), server.Listen(nettest.Any6(0), 8)
	ports := []uint16{v4.Local().Port(), v6.Local().Port()}
	var filters []filter.Filter
	var recorders []*recorder
	for range randomFilters {
		f := randomFilter(t, rng, ports, []uint32{uint32(server.PID()), uint32(client.PID()), 1})
		f.NetNS = []uint32{s.ns.Inode()}
		filters = append(filters, f)
		recorders = append(recorders, record(t, Options{Filter: f}))
	}
	converse(s, client, v4, v6)
	s.end()
	all := afterListeners(s.events)
	for i, r := range recorders {
		r.stop(t)
		var want []string
		for _, e := range all {
			e := withPort(e, all)
			if filters[i].Match(&e) {
				want = append(want, what(&e))
			}
		}
		var got []string
		for _, e := range r.events {
			got = append(got, what(&e))
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("filter %+v:\n kernel %q\n go     %q", filters[i], got, want)
		}
	}
}

// afterListeners leaves out the birth of the listeners, which the filtered tracers are too young for.
func afterListeners(events []tcp.Event) []tcp.Event {
	return slices.DeleteFunc(slices.Clone(events), func(e tcp.Event) bool { return e.New == tcp.Listen })
}

// withPort gives a connecting socket the local port that it gets a moment later, as the kernel side does when ports
// are asked for.
func withPort(e tcp.Event, all []tcp.Event) tcp.Event {
	for _, later := range all {
		if e.Local.Port() == 0 && later.Cookie == e.Cookie && later.Local.Port() != 0 {
			e.Local = later.Local
		}
	}
	return e
}

func what(e *tcp.Event) string { return fmt.Sprintf("%x %v>%v", e.Cookie, e.Old, e.New) }

func randomFilter(t *testing.T, rng *rand.Rand, ports []uint16, pids []uint32) filter.Filter {
	var f filter.Filter
	f.Version = filter.IPVersion(rng.IntN(3))
	some := func() bool { return rng.IntN(3) == 0 }
	states := func() tcp.StateSet { return tcp.StateSet(rng.IntN(1<<13)) | tcp.SetOf(tcp.Established) }
	if some() {
		f.States = states()
	}
	if some() {
		f.Old = states()
	}
	if some() {
		f.New = states()
	}
	if some() {
		f.PIDs = pids[rng.IntN(len(pids)):]
	}
	flag := func(to **filter.Ports) {
		low, high := ports[rng.IntN(len(ports))], uint16(65535)
		if rng.IntN(2) == 0 {
			high = low
		}
		if err := (filter.PortsFlag{To: to}).Set(fmt.Sprintf("%d-%d", low, high)); err != nil {
			t.Fatal(err)
		}
	}
	if some() {
		flag(&f.LocalPorts)
	}
	if some() {
		flag(&f.RemotePorts)
	}
	return f
}

// converse makes one connection of each kind that a filter can tell apart.
func converse(s *stage, client *nettest.Actor, v4, v6 *nettest.Conn) {
	s.t.Helper()
	for _, to := range []struct {
		listener *nettest.Conn
		dial     func() *nettest.Conn
	}{
		{v4, func() *nettest.Conn { return client.Dial(v4.Local()) }},
		{v6, func() *nettest.Conn { return client.Dial(nettest.Loopback4(v6.Local().Port())) }},
		{v6, func() *nettest.Conn { return client.Dial(nettest.Loopback6(v6.Local().Port())) }},
	} {
		c := to.dial()
		a := to.listener.Accept()
		c.Shutdown()
		a.WaitState(nettest.CloseWait)
		a.Close()
		c.WaitState(nettest.Close)
		c.Close()
		reset := to.dial()
		a = to.listener.Accept()
		reset.Linger0()
		reset.Close()
		a.WaitState(nettest.Close)
		a.Close()
	}
}

// A port that is not known at connect() must not make the filter blind to the connection, nor forget its owner.
func TestPrivilegedLocalPortFilterSeesTheWholeConnection(t *testing.T) {
	s := newStage(t)
	l := s.actor("server").Listen(nettest.Loopback4(0), 1)
	var o Options
	if err := (filter.PortsFlag{To: &o.Filter.LocalPorts}).Set("32768-65535"); err != nil {
		t.Fatal(err)
	}
	s.trace(o)
	c := s.actor("client").Dial(l.Local())
	c.Close()
	s.waitOrphan(c)
	s.end()
	s.expect(c, then(opened, "ESTABLISHED>FIN_WAIT1 close:client", "FIN_WAIT1>FIN_WAIT2 close:client",
		"FIN_WAIT2>CLOSE close:client fin_local next=FIN_WAIT2")...)
	if birth := s.of(c)[0]; !birth.Late || birth.Local.Port() != c.Local().Port() {
		t.Errorf("birth: late %v, local %v, want it held back until the port was there", birth.Late, birth.Local)
	}
}
