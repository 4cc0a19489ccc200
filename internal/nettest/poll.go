package nettest

import "time"

// Timeout bounds whatever waits: a blocking system call on a socket, a state to be reached, a segment to arrive. On
// loopback all of them take microseconds; a loaded machine may need a second, and the longest wait on purpose is the
// kernel's own first retransmission of a SYN, one second (TCP_TIMEOUT_INIT in include/net/tcp.h).
const Timeout = 5 * time.Second

// pollInterval is how often the kernel is asked for its view. Short beside the timers that tests wait for (40 ms for a
// delayed ACK, 200 ms for a retransmission: TCP_DELACK_MIN, TCP_RTO_MIN), long beside the microseconds that asking
// takes.
const pollInterval = 500 * time.Microsecond

// poll calls ready until it says true or fails, at most for Timeout. It says whether ready ever did.
func poll(ready func() (bool, error)) (bool, error) {
	for deadline := time.Now().Add(Timeout); ; {
		if ok, err := ready(); ok || err != nil {
			return ok, err
		}
		if time.Now().After(deadline) {
			return false, nil
		}
		time.Sleep(pollInterval)
	}
}
