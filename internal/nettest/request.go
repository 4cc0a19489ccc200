package nettest

import (
	"errors"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// op is what an actor can be asked to do.
type op string

// The operations. Those that take a descriptor take it as request.FD; those that make one answer it as response.FD.
const (
	opOpen          op = "open"       // N: address family
	opOpenMPTCP     op = "open MPTCP" // N: address family
	opBind          op = "bind"
	opListen        op = "listen" // N: backlog
	opConnect       op = "connect"
	opStartConnect  op = "start connect"
	opFinishConnect op = "finish connect"
	opDisconnect    op = "disconnect"
	opAccept        op = "accept"
	opDup           op = "dup"
	opIdentify      op = "identify"
	opWrite         op = "write"    // N: bytes
	opFill          op = "fill"     // answers N: bytes
	opRead          op = "read"     // N: bytes
	opReadEOF       op = "read EOF" // answers N: bytes
	opShutdown      op = "shutdown"
	opLinger0       op = "linger0"
	opUserTimeout   op = "user timeout" // N: nanoseconds
	opState         op = "state"        // answers State
	opWaitState     op = "wait state"
	opClose         op = "close"
	opSend          op = "send descriptor"    // passed: one end of a socket pair
	opReceive       op = "receive descriptor" // passed: the other end
	opSpawn         op = "spawn"              // Inherit, Name; passed: the new actor's command channel
	opSetName       op = "set name"
	opGather        op = "gather a crowd" // Addr: where to listen meanwhile; N: connections
	opHalfClose     op = "half close"     // N: connections of the crowd
	opDisperse      op = "disperse a crowd"
	opChurn         op = "churn" // N: worker's number; passed: what ends it by hanging up; answers N: connections
	opExit          op = "exit"  // not answered
)

// request is one command to an actor: a JSON object in one datagram, with descriptors passed beside it.
type request struct {
	Op      op
	FD      int            `json:",omitempty"`
	N       int            `json:",omitempty"`
	Addr    netip.AddrPort `json:",omitzero"`
	State   State          `json:",omitempty"`
	Name    []byte         `json:",omitempty"` // not a string: JSON has those in UTF-8, and a name may be any bytes
	Inherit []int          `json:",omitempty"`
}

// duration returns N as nanoseconds.
func (r request) duration() time.Duration { return time.Duration(r.N) }

// response is the answer, sent when the system call has returned.
type response struct {
	FD       int        `json:",omitempty"`
	N        int        `json:",omitempty"`
	PID      int        `json:",omitempty"`
	State    State      `json:",omitempty"`
	Identity Identity   `json:",omitzero"`
	Errno    unix.Errno `json:",omitempty"` // 0 if no errno is behind Error
	Error    string     `json:",omitempty"` // empty for success
}

// remoteError is an error that an actor answered. It matches its errno.
type remoteError struct {
	text  string
	errno unix.Errno
}

func (e *remoteError) Error() string { return e.text }

func (e *remoteError) Unwrap() error {
	if e.errno == 0 {
		return nil
	}
	return e.errno
}

// setErr puts err into the response.
func (r *response) setErr(err error) {
	r.Error = err.Error()
	var errno unix.Errno
	if errors.As(err, &errno) {
		r.Errno = errno
	}
}

// err returns what setErr was given, as far as it can be told.
func (r *response) err() error {
	if r.Error == "" {
		return nil
	}
	return &remoteError{text: r.Error, errno: r.Errno}
}

// errNoDescriptor is the answer to a descriptor that is none of the actor's sockets.
var errNoDescriptor = errors.New("not an open socket of this actor")
