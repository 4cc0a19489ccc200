package filter

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// maxComm is how many bytes the kernel keeps of a name: TASK_COMM_LEN (include/linux/sched.h) without the terminator.
const maxComm = len(tcp.Comm{}) - 1

// CheckComm refuses a value of Filter.Comms that is no pattern or that no process can have. In a pattern * and ? do not
// match a slash, which names of kernel workers have: kworker/* selects them.
func CheckComm(pattern string) error {
	if pattern == "" {
		return errors.New(`"": name is empty: use a name or a pattern, as nginx or php*`)
	}
	if _, err := path.Match(pattern, ""); err != nil {
		return fmt.Errorf(`%q: malformed pattern: use * ? [a-z], and \ before one of these in a name`, pattern)
	}
	if len(pattern) > maxComm && !strings.ContainsAny(pattern, `*?[\`) {
		return fmt.Errorf("%q: the kernel keeps %d bytes of a name: use %q", pattern, maxComm, pattern[:maxComm])
	}
	return nil
}

func matchComm(patterns []string, comm *tcp.Comm) bool {
	name := string(comm.Bytes()) // short enough for the compiler to keep it on the stack
	for _, pattern := range patterns {
		if pattern == name {
			return true
		}
		if matched, err := path.Match(pattern, name); err == nil && matched {
			return true
		}
	}
	return false
}
