package kernel

import (
	"testing"

	"github.com/tcptrail/tcptrail/internal/nettest"
)

// What is measured is at least what the test has made.
func TestPrivilegedProgramsAreMeasured(t *testing.T) {
	measuring, err := MeasurePrograms()
	if err != nil {
		t.Fatal(err)
	}
	defer measuring.Close()
	s := newStage(t)
	l := s.actor("server").Listen(nettest.Loopback4(0), 8)
	client := s.actor("client")
	s.trace(Options{})
	const conns = 10
	for range conns {
		c, a := client.Dial(l.Local()), l.Accept()
		c.Close()
		a.Close()
	}
	programs, err := s.tracer.Programs()
	if err != nil {
		t.Fatal(err)
	}
	s.end()
	for _, p := range programs {
		if p.Time <= 0 || p.Runs == 0 {
			t.Errorf("%+v", p)
		}
		if p.Name == bpfProgInetSockSetState && p.Runs >= 6*conns {
			return
		}
	}
	t.Errorf("got %+v", programs)
}
