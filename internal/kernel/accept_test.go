package kernel

import (
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"github.com/tcptrail/tcptrail/internal/nettest"
)

// hasTrampolines says whether the kernel lets a program hook the return of a function at all.
func hasTrampolines() bool {
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.Tracing, AttachType: ebpf.AttachTraceFExit, AttachTo: "inet_csk_accept", License: "GPL",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
	})
	if err != nil {
		return false
	}
	_ = program.Close()
	return true
}

// One process listens and another, which inherited the listener, accepts: as inetd, systemd and prefork servers do.
func TestPrivilegedAcceptedByAnother(t *testing.T) {
	s := newStage(t)
	s.trace(Options{})
	parent := s.actor("parent")
	l := parent.Listen(nettest.Loopback4(0), 1)
	_, inherited := s.spawn(parent, "worker", l)
	client := s.actor("client").Dial(l.Local())
	server := inherited[0].Accept()
	client.Close()
	server.WaitState(nettest.CloseWait)
	server.Close()
	s.wait(server, nettest.Gone)
	s.end()
	born := []string{"LISTEN>SYN_RECV listen:parent", "SYN_RECV>ESTABLISHED listen:parent"}
	ended := []string{"CLOSE_WAIT>LAST_ACK close:worker", "LAST_ACK>CLOSE close:worker fin_remote"}
	if hasTrampolines() {
		if s.tracer.accept == nil {
			t.Fatalf("accept() can be watched here and is not: %v", s.tracer.Notes())
		}
		s.expect(server, then(then(born, "ESTABLISHED>CLOSE_WAIT accept:worker"), ended...)...)
		return
	}
	if len(s.tracer.Notes()) != 1 {
		t.Errorf("accept() cannot be watched here, and nothing says so: %q", s.tracer.Notes())
	}
	s.expect(server, then(then(born, "ESTABLISHED>CLOSE_WAIT listen:parent"), ended...)...)
}
