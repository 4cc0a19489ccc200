// Package alert delivers the life of findings to where people look: files, commands, webhooks, Alertmanager, syslog, the
// journal. It knows nothing of sockets: an Alert is plain text, made by the caller.
//
// A Dispatcher gives each sink a queue of its own. What a sink that is slow or down has not heard yet waits there, at
// most once for each finding and in its newest state, so that nothing blocks, memory stays bounded, and no finding that
// is still true is lost.
package alert

import "time"

// Alert is what there is to say about a finding at one time. It is passed by value, and nothing that it points to may be
// changed later: it may wait for hours, for several sinks.
type Alert struct {
	ID       string    // of the finding: the same as long as it goes on
	Status   Status    //
	Severity string    // Warn or Critical
	Time     time.Time // of this report, on the wall clock
	Since    time.Time // of the report that had the finding first
	Summary  string    // one line, for people
	// Description is for people who want to know more; it may have several lines.
	Description string
	// JSON is the finding as one object without a line feed.
	JSON []byte
	// Labels say what the finding is about, and do not change in its life; Fields are what does: how many, how old. What
	// is unknown is left out. Names are lower case words of letters, digits and underscores, and none of those that sinks
	// have themselves: alertname, finding, id, status, severity, since, summary, description, json.
	Labels, Fields []Pair
}

// Pair is a name and a value.
type Pair struct{ Name, Value string }

// The severities. Sinks that have an order of severities take any other for Warn.
const (
	Warn     = "warn"
	Critical = "critical"
)

// Status is where in its life a finding is.
type Status uint8

// The statuses.
const (
	Firing    Status = iota + 1 // it is true, for the first time or still
	Escalated                   // it is true, and has become worse
	Resolved                    // it is not true any more
	Muted                       // it is over, for somebody does not want to hear of it
	Merged                      // it is over, and another one says what it said
)

var statusNames = [...]string{"", "firing", "escalated", "resolved", "muted", "merged"}

// String returns the name as in JSON; "" for a number that is no status.
func (s Status) String() string {
	if int(s) >= len(statusNames) {
		return ""
	}
	return statusNames[s]
}

// IsOver says whether there will be no more of the finding, unless it comes back.
func (s Status) IsOver() bool { return s >= Resolved }

// size is about how much memory an alert takes.
func (a *Alert) size() int {
	const fixed = 512 // the structures themselves
	n := fixed + len(a.Summary) + len(a.Description) + len(a.JSON)
	for _, pairs := range [...][]Pair{a.Labels, a.Fields} {
		for _, p := range pairs {
			n += len(p.Name) + len(p.Value)
		}
	}
	return n
}
