package leak

import "github.com/tcptrail/tcptrail/internal/tcp"

// meanings says what each condition is.
var meanings = [conditions]string{
	tcp.Established: "ESTABLISHED: both sides may send.",
	tcp.SynSent:     "SYN_SENT: we asked for a connection, and no answer has come.",
	tcp.SynRecv:     "SYN_RECV: a peer asked for a connection, we answered, and its last step has not come.",
	tcp.FinWait1:    "FIN_WAIT1: we ended our side, and the peer has not acknowledged all of it.",
	tcp.FinWait2:    "FIN_WAIT2: we ended our side, the peer knows, and has not ended its own.",
	tcp.CloseWait:   "CLOSE_WAIT: the peer has ended its side, and waits for us to end ours.",
	tcp.LastAck:     "LAST_ACK: both sides ended, and the peer has not acknowledged our end.",
	tcp.Closing:     "CLOSING: both sides ended at once, and the peer has not acknowledged our end.",
	Zombie:          "ZOMBIE: the connection is over, but its descriptor is still open. ss does not show it.",
}

// The commands that verify. See Commands.
const (
	showSocket   = "{enter}ss -tanepio 'src {local} and dst {remote}'"
	showFD       = "ls -l /proc/{pid}/fd/{fd}"
	showStacks   = "gdb -p {pid} -batch -ex 'thread apply all bt'"
	showListener = "{enter}ss -tlnp 'sport = :{port}'"
	showHolders  = `find /proc/[0-9]*/fd -lname 'socket:\[{inode}]' 2>/dev/null`
	showPeer     = "gdb -p {peerpid} -batch -ex 'thread apply all bt'"
)

// What does not help.
const (
	noKeepalive   = "Keepalive: a peer that lives answers it; and if none does, the descriptor stays open."
	noTimeWait    = "tcp_tw_reuse, tcp_max_tw_buckets: they are about TIME_WAIT. tcp_tw_recycle is gone since 4.12."
	noFinTimeout  = "tcp_fin_timeout: it is for sockets that nobody holds; this one is held."
	noFDLimit     = "A higher descriptor limit (ulimit -n): it is hit later, no more."
	noBacklog     = "A longer backlog (somaxconn): it holds more of what nobody accepts."
	noPeerRestart = "Restarting the peer: it has done its part. The socket is held here."
)

// texts says what each cause is, and what to do.
var texts = map[Cause]Text{
	NeverAccepted: {
		Why: "The connection is complete and waits in the listener's queue: nobody called accept() for it.",
		Fix: "Make the program call accept() in a loop that nothing blocks, or close the listener.\n" +
			"Look for a full worker pool, an accept thread that died, or accept() failing with EMFILE.",
		Verify: []string{showListener, showSocket, showStacks},
		NoHelp: []string{noBacklog, noKeepalive, noTimeWait},
	},
	Inherited: {
		Why: "Several processes hold the socket. close() in one of them sends nothing: the last one ends it.",
		Fix: "Open sockets with SOCK_CLOEXEC (accept4, O_CLOEXEC), close them in the child after fork(),\n" +
			"or call shutdown(), which ends the connection whoever holds it.",
		Verify: []string{showHolders, showFD, showSocket},
		NoHelp: []string{noKeepalive, noFDLimit, noTimeWait},
	},
	Sending: {
		Why: "There is data left to send, and it does not go: the peer takes no more, or does not answer.",
		Fix: "Set a time limit for sending (a write deadline, TCP_USER_TIMEOUT), and close() when it passes.\n" +
			"Look at the peer: it ended its side, and seems to read no longer.",
		Verify: []string{showSocket, showFD, showStacks},
		NoHelp: []string{"Larger buffers (tcp_wmem): more is left unsent.", noTimeWait},
	},
	UnreadData: {
		Why: "Data that the peer sent before its end was never read: the program stopped reading.",
		Fix: "Read until read() returns 0 or fails, then close(). If the rest is not wanted, close() at once.\n" +
			"Look for a reader that waits for a lock, a queue or another connection.",
		Verify: []string{showSocket, showFD, showStacks},
		NoHelp: []string{noKeepalive, noFDLimit, noPeerRestart},
	},
	UnreadFin: {
		Why: "All data was read, but not the end: the program has not looked at the socket since.",
		Fix: "Poll idle connections for reading, too, and close() one when read() returns 0.\n" +
			"A connection pool has to check connections that lie idle, or to drop them after a while.",
		Verify: []string{showSocket, showFD, showStacks},
		NoHelp: []string{noKeepalive, noFDLimit, noTimeWait},
	},
	NotClosed: {
		Why: "The program has read the end (read() returned 0), and never called close(): a leak.",
		Fix: "close() on every path on which read() returns 0 or fails, error paths too.\n" +
			"In Go, close the response body; in Java and Python, use try-with-resources or with.",
		Verify: []string{showSocket, showFD, showStacks},
		NoHelp: []string{noKeepalive, noFDLimit, noTimeWait, noPeerRestart},
	},
	HalfClosed: {
		Why: "The program called shutdown(SHUT_WR), not close(), and the peer does not end its side.",
		Fix: "Set a time limit for what the peer still has to say, and close() when it passes.\n" +
			"A peer on this host in CLOSE_WAIT has to close(); if it has data left to send, read it here.",
		Verify: []string{showSocket, showFD, showStacks, showPeer},
		NoHelp: []string{noFinTimeout, noKeepalive, noTimeWait},
	},
	Orphan: {
		Why: "The program has closed it. The kernel waits for the peer's end, and gives up after tcp_fin_timeout.",
		Fix: "Nothing has to be done: it holds no descriptor, and ends by itself.",
	},
	ZombieHeld: {
		Why: "The peer reset the connection, it timed out, or both sides ended; nobody called close().",
		Fix: "close() when read() or write() fails, and when a connection lies idle: poll reports POLLHUP.\n" +
			"What is only written to, or kept in a pool, has to be looked at from time to time.",
		Verify: []string{showFD, showStacks},
		NoHelp: []string{"ss and netstat: they do not see it.", noKeepalive, noFDLimit, noTimeWait},
	},
	Idle: {
		Why: "No data has gone either way for that long.",
		Fix: "If the peer may be gone without a word, turn on keepalive, or use a read deadline.\n" +
			"If it is kept on purpose, as in a pool, give this state a longer limit.",
		Verify: []string{showSocket, showFD, showStacks},
		NoHelp: []string{noFinTimeout, noTimeWait},
	},
	Unanswered: {
		Why: "The peer, or a firewall on the way, does not answer what was sent.",
		Fix: "See whether packets reach the peer and its answers come back; the kernel gives up by itself.\n" +
			"To give up sooner, set a connect deadline, or TCP_USER_TIMEOUT for what follows.",
		Verify: []string{showSocket, "{enter}tcpdump -ni any 'host {remotehost} and port {remoteport}'"},
		NoHelp: []string{noTimeWait, noFDLimit},
	},
}
