// Package nettest is the world that privileged tests run in: network namespaces, TCP sockets with nothing between them
// and the kernel, other processes that hold sockets, and a peer that speaks TCP by hand over a TUN device.
//
// A package whose tests use it hands its TestMain over:
//
//	func TestMain(m *testing.M) { os.Exit(nettest.Main(m)) }
//
// Everything happens in a namespace of the test's own, and who acts is always explicit:
//
//	ns := nettest.NewNS(t)
//	server := nettest.StartActor(t, ns, "server") // a process of its own
//	client := nettest.InProcess(t, ns)            // the test's process
//	l := server.Listen(nettest.Loopback4(0), 1)
//	c := client.Dial(l.Local())
//	s := l.Accept()
//	c.Close()
//	s.WaitState(nettest.CloseWait)
//
// For who looks at sockets there are worlds ready made, [EveryState], [NS.Crowd] and [NS.Churn], and other views to
// compare with: [NS.Sockets], [NS.ProcNet] and [NS.SS].
//
// Methods of [NS] and [Socket] return errors and may be called from any goroutine, one at a time for a Socket. Those of
// [Actor], [Conn], [TUN], [Peer], [States] and [Crowd], and whatever takes a testing.TB, end the test when they do not
// succeed, so they belong to the goroutine that runs the test. Nothing sleeps to let something happen: the kernel's own
// view is polled until it is as expected, or [Timeout] is over.
//
// The package needs root: CAP_SYS_ADMIN for namespaces and CAP_NET_ADMIN within them.
package nettest
