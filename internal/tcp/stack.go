package tcp

import "time"

// Stack is the user stack of a process in the system call that opened sockets: connect(), listen() or accept().
type Stack struct {
	ID      uint32        // number that sockets refer to; never 0
	PID     uint32        // thread group
	Started time.Duration // CLOCK_BOOTTIME at which the process began: with PID it names the process for good
	// Program tells the programs of the process apart: symbolize.Stack has what it is.
	Program uint64
	Used    int64 // CLOCK_MONOTONIC of the last socket opened from it, a second older at most
	Call    Call
	// PCs are addresses of code in the process: first that behind the system call, then return addresses, as far as frame
	// pointers lead.
	PCs []uint64
	// Words are those at the user stack pointer, lowest address first: where the code that made the system call has no
	// frame of its own, the first return address among them is its caller. All zero when they could not be read.
	Words []uint64
}

// Call is the system call in which a stack was taken.
type Call uint8

// The calls; the numbers are those of enum stack_call in bpf/stack.h.
const (
	CallConnect Call = iota + 1
	CallListen
	CallAccept
)

var callNames = [...]string{"", "connect", "listen", "accept"}

// String returns the name of the system call; "" for a number that is none.
func (c Call) String() string {
	if int(c) >= len(callNames) {
		return ""
	}
	return callNames[c]
}
