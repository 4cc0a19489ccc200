package cli

import (
	"fmt"
	"time"

	"github.com/tcptrail/tcptrail/internal/kernel"
)

// account is what became of every transition that was seen.
type account struct {
	kernel    kernel.Stats
	delivered uint64
	filtered  uint64 // refused here, after what the kernel refused
	beyond    uint64 // came after the limit was reached
	final     bool   // nothing is under way any more
	elapsed   time.Duration
}

// String returns the summary line. The numbers are read one after the other while they change, so that until the end
// they may be a few apart.
func (a *account) String() string {
	filtered := a.kernel.Filtered + a.filtered
	line := fmt.Sprintf("seen %d, delivered %d, lost %d, missed %d, filtered %d",
		a.kernel.Seen, a.delivered, a.kernel.Lost, a.kernel.Missed, filtered)
	if a.beyond > 0 {
		line += fmt.Sprintf(", after the limit %d", a.beyond)
	}
	if rest := int64(a.kernel.Seen - a.delivered - a.kernel.Lost - filtered - a.beyond); rest > 0 {
		if a.final {
			line += fmt.Sprintf(", not delivered %d", rest)
		} else {
			line += fmt.Sprintf(", under way %d", rest)
		}
	}
	if a.kernel.Untracked > 0 {
		line += fmt.Sprintf(", untracked %d", a.kernel.Untracked)
	}
	return fmt.Sprintf("%s in %v", line, a.elapsed.Round(time.Millisecond))
}

// huntAccount is what became of what a watch for leaks has seen.
type huntAccount struct {
	kernel  kernel.Stats
	told    int
	elapsed time.Duration
}

// String returns the summary line. What the kernel filtered is of states without limits.
func (a *huntAccount) String() string {
	line := fmt.Sprintf("seen %d, watched %d, lost %d, missed %d", a.kernel.Seen, a.kernel.Seen-a.kernel.Lost-a.kernel.Filtered,
		a.kernel.Lost, a.kernel.Missed)
	if a.kernel.Untracked > 0 {
		line += fmt.Sprintf(", untracked %d", a.kernel.Untracked)
	}
	if a.kernel.Unstacked > 0 {
		line += fmt.Sprintf(", without stack %d", a.kernel.Unstacked)
	}
	return fmt.Sprintf("%s, told %d in %v", line, a.told, a.elapsed.Round(time.Millisecond))
}
