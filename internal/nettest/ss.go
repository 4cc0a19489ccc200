package nettest

import (
	"errors"
	"fmt"
	"os/exec"
	"time"
)

// SSRow is one socket as ss of iproute2 prints it. A listener has in RQueue and WQueue what sock_diag has there.
type SSRow struct {
	SocketInfo
	Timer  SSTimer
	Users  []SSUser // in the order of ss
	Cgroup string   // path, or "unreachable:" and its number in hexadecimal; "" when ss says nothing
	Arrow  string   // "<->": directions that are open; "-->", "<--", "---"
}

// SSTimer is the timer that is pending; its Name is empty when none is.
type SSTimer struct {
	Name    string // on, keepalive, timewait, persist, unknown
	Left    time.Duration
	Retries int
}

// SSUser is a descriptor that leads to the socket.
type SSUser struct {
	Name    string // of the process: whatever it likes, up to 15 bytes
	PID, FD int
}

// SS runs the installed ss in the namespace, as ss -tanoepHO and the arguments, such as a filter. Asked for one state
// alone, ss does not print it, and the rows' State is Gone. Where there is no ss, the error is exec.ErrNotFound. ss looks
// for users in all of /proc: beside many descriptors that takes seconds.
//
// A process may choose a name that makes ss's output mean something else: what comes after it on a line is then wrong,
// or no line at all and an error.
func (ns *NS) SS(args ...string) (rows []SSRow, err error) {
	path, err := exec.LookPath("ss")
	if err != nil {
		return nil, err
	}
	err = ns.Do(func() error {
		text, err := exec.Command(path, append([]string{"-tanoepHO"}, args...)...).Output() // starts on this thread
		if exit := new(exec.ExitError); errors.As(err, &exit) {
			return fmt.Errorf("ss: %w: %s", err, exit.Stderr)
		}
		if err != nil {
			return err
		}
		rows, err = parseSS(string(text))
		return err
	})
	return rows, err
}
