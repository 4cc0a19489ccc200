package cli

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// row is a line of JSON with the fields that README promises; a pointer for those that may be null or missing.
type row struct {
	Time       time.Time
	Event      string
	Cookie     string
	NetNS      uint32 `json:"netns"`
	Cgroup     *uint64
	UID        *uint32
	Family     string
	LAddr      string `json:"laddr"`
	LPort      *uint16
	RAddr      string `json:"raddr"`
	RPort      *uint16
	Old, New   string
	MS         *float64
	PID        *int
	Comm       *string
	Evidence   *string
	RunningPID *int `json:"running_pid"`
	Next       *string
	Reason     *string
	Errno      *string
	Sent       *uint64 `json:"bytes_sent"`
	Received   *uint64 `json:"bytes_received"`
	Retrans    *uint32 `json:"retransmits"`
	SRTT       *uint64 `json:"srtt_us"`
	Missed     bool
	Late       bool
}

// always are the fields of every line.
var always = []string{
	"time", "event", "cookie", "netns", "cgroup", "uid", "family", "laddr", "lport", "raddr", "rport", "old", "new", "ms",
	"pid", "comm", "evidence", "running_pid",
}

// closing are the fields of every line with CLOSE as new.
var closing = []string{"next", "reason", "errno", "bytes_sent", "bytes_received", "retransmits", "srtt_us"}

// parseRows reads lines of JSON and checks that they have the fields that they ought to have.
func parseRows(t *testing.T, text string) []row {
	t.Helper()
	var rows []row
	for line := range strings.Lines(text) {
		if !strings.HasSuffix(line, "}\n") {
			t.Fatalf("torn line: %q", line)
		}
		decoder := json.NewDecoder(strings.NewReader(line))
		decoder.DisallowUnknownFields()
		var r row
		if err := decoder.Decode(&r); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		var all map[string]any
		if err := json.Unmarshal([]byte(line), &all); err != nil {
			t.Fatal(err)
		}
		want := always
		if r.New == "CLOSE" {
			want = append(want, closing...)
		}
		for _, field := range want {
			if _, ok := all[field]; !ok {
				t.Errorf("no field %q: %s", field, line)
			}
		}
		rows = append(rows, r)
	}
	return rows
}

// name tells a transition from all others in a test.
func (r *row) name() string { return r.Cookie + " " + r.Old + ">" + r.New }

// names returns the names of the rows for which choose says yes, in their order.
func names(rows []row, choose func(*row) bool) []string {
	var chosen []string
	for i := range rows {
		if choose == nil || choose(&rows[i]) {
			chosen = append(chosen, rows[i].name())
		}
	}
	return chosen
}
