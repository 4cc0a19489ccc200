package history

import "github.com/tcptrail/tcptrail/internal/record"

// boots numbers the boots of hosts that sessions are of: cookies and clocks mean something within one alone.
type boots struct {
	known   map[string]int
	count   int // 0 is of lines that no session is known of
	current int
}

const (
	// maxHost is longer than a host's name may be (HOST_NAME_MAX), and maxBootID than a boot's id is (a UUID).
	maxHost   = 64
	maxBootID = 64
)

// begin is told of a session. A boot without an id is like no other.
func (b *boots) begin(s *record.SessionInfo) {
	id := cut(s.BootID, maxBootID)
	if n, ok := b.known[id]; ok && id != "" {
		b.current = n
		return
	}
	b.count++
	b.current = b.count
	if id == "" || len(b.known) >= maxMarks {
		return
	}
	if b.known == nil {
		b.known = map[string]int{}
	}
	b.known[id] = b.current
}

func cut(text string, most int) string { return text[:min(len(text), most)] }
