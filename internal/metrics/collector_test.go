package metrics

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tcptrail/tcptrail/internal/leak"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

func TestEverything(t *testing.T) {
	got := samples(t, textOf(t, gather(t, everything(), 1)))
	wantSamples(t, got, map[string]string{
		`tcptrail_build_info{goversion="go1.26.0",version="1.2.3"}`:                        "1",
		`tcptrail_kernel_info{release="6.18.0"}`:                                           "1",
		`tcptrail_sockets{state="ESTABLISHED"}`:                                            "10",
		`tcptrail_sockets{state="TIME_WAIT"}`:                                              "60",
		`tcptrail_sockets{state="NEW_SYN_RECV"}`:                                           "120",
		`tcptrail_sockets{state="ZOMBIE"}`:                                                 "2",
		`tcptrail_transitions_total{new="CLOSE_WAIT",old="ESTABLISHED"}`:                   "11",
		`tcptrail_transitions_total{new="LAST_ACK",old="CLOSE_WAIT"}`:                      "0",
		`tcptrail_state_duration_seconds_sum{state="CLOSE_WAIT"}`:                          "12.5",
		`tcptrail_state_duration_seconds_count{state="CLOSE_WAIT"}`:                        "4",
		`tcptrail_state_duration_seconds_count{state="LAST_ACK"}`:                          "0",
		`tcptrail_stuck_sockets{cause="not_closed",state="CLOSE_WAIT"}`:                    "3",
		`tcptrail_stuck_sockets{cause="sending",state="CLOSE_WAIT"}`:                       "0",
		`tcptrail_stuck_sockets{cause="zombie",state="ZOMBIE"}`:                            "2",
		`tcptrail_stuck_oldest_seconds{state="CLOSE_WAIT"}`:                                "180",
		`tcptrail_findings{level="warn"}`:                                                  "2",
		`tcptrail_findings{level="critical"}`:                                              "0",
		`tcptrail_process_sockets{comm="nginx",pid="42"}`:                                  "7",
		`tcptrail_process_sockets{comm="other",pid="other"}`:                               "2",
		`tcptrail_process_stuck_sockets{comm="nginx",pid="42"}`:                            "3",
		`tcptrail_process_stuck_sockets{comm="other",pid="other"}`:                         "0",
		`tcptrail_cgroup_sockets{cgroup="/system.slice/nginx.service",container=""}`:       "7",
		`tcptrail_cgroup_sockets{cgroup="other",container="other"}`:                        "2",
		`tcptrail_cgroup_stuck_sockets{cgroup="/system.slice/nginx.service",container=""}`: "3",
		`tcptrail_events_seen_total`:                                                       "100",
		`tcptrail_events_delivered_total`:                                                  "80",
		`tcptrail_events_lost_total`:                                                       "10",
		`tcptrail_events_missed_total`:                                                     "3",
		`tcptrail_events_filtered_total`:                                                   "10",
		`tcptrail_events_untracked_total`:                                                  "2",
		`tcptrail_drift_sockets_total`:                                                     "1",
		`tcptrail_alerts_delivered_total{sink="webhook"}`:                                  "5",
		`tcptrail_alerts_failed_total{sink="webhook"}`:                                     "1",
		`tcptrail_alerts_dropped_total{sink="webhook"}`:                                    "2",
		`tcptrail_alerts_queued{sink="webhook"}`:                                           "3",
		`tcptrail_alert_sink_failing{sink="webhook"}`:                                      "1",
		`tcptrail_log_lines_total`:                                                         "80",
		`tcptrail_log_written_bytes_total`:                                                 "20000",
		`tcptrail_log_lost_lines_total`:                                                    "4",
		`tcptrail_log_disk_bytes`:                                                          "9000",
		`tcptrail_stream_subscribers`:                                                      "2",
		`tcptrail_stream_dropped_lines_total`:                                              "6",
		`tcptrail_bpf_program_seconds_total{program="follow_state"}`:                       "1.5",
		`tcptrail_bpf_program_runs_total{program="follow_state"}`:                          "100",
	})
	if n := len(ofFamily(got, "tcptrail_sockets")); n != tcp.States+1 {
		t.Errorf("%d states, want all and zombies", n)
	}
	if oldest := ofFamily(got, "tcptrail_stuck_oldest_seconds"); len(oldest) != 2 {
		t.Errorf("there is no oldest where none is stuck: %v", oldest)
	}
}

// TestAllLabelsAreSafe has names that come from elsewhere than processes.
func TestAllLabelsAreSafe(t *testing.T) {
	got := samples(t, textOf(t, gather(t, &Reading{Version: "\xff", GoVersion: "\x1b", Kernel: "6\n"}, 0)))
	wantSamples(t, got, map[string]string{
		`tcptrail_build_info{goversion="\\u001b",version="�"}`: "1", `tcptrail_kernel_info{release="6\\u000a"}`: "1",
	})
}

func TestUnknownIsAbsent(t *testing.T) {
	if text := textOf(t, gather(t, &Reading{}, 20)); text != "" {
		t.Errorf("of nothing known comes\n%s", text)
	}
	if _, err := families(nil, 20); err == nil {
		t.Error("no reading is no error")
	}
}

// TestKnownIsPresent holds that what is known to be nothing is 0.
func TestKnownIsPresent(t *testing.T) {
	r := &Reading{
		Counts: &tcp.Counts{}, Transitions: &Matrix{}, Durations: &Durations{}, Stuck: &Stuck{}, Processes: []Process{},
		Cgroups: []Cgroup{}, Events: &Events{}, Log: &Log{}, Streams: &Streams{},
	}
	got := samples(t, textOf(t, gather(t, r, 20)))
	for s := tcp.Established; s <= tcp.NewSynRecv; s++ {
		wantSamples(t, got, map[string]string{"tcptrail_sockets" + stateLabel(s): "0"})
	}
	wantSamples(t, got, map[string]string{
		`tcptrail_process_sockets{comm="other",pid="other"}`:                "0",
		`tcptrail_cgroup_stuck_sockets{cgroup="other",container="other"}`:   "0",
		`tcptrail_transitions_total{new="SYN_SENT",old="CLOSE"}`:            "0",
		`tcptrail_state_duration_seconds_bucket{state="CLOSE",le="+Inf"}`:   "0",
		`tcptrail_stuck_sockets{cause="never_accepted",state="CLOSE_WAIT"}`: "0",
	})
	for series, value := range got {
		if value != "0" {
			t.Errorf("%s is %s", series, value)
		}
	}
}

// TestIllegalTransitions has what cannot be shown when it happens, and only then.
func TestIllegalTransitions(t *testing.T) {
	r := &Reading{Transitions: &Matrix{}, Durations: &Durations{}}
	series := `tcptrail_transitions_total{new="LISTEN",old="TIME_WAIT"}`
	legal := samples(t, textOf(t, gather(t, r, 0)))
	if _, there := legal[series]; there {
		t.Errorf("%s is there", series)
	}
	r.Transitions[tcp.TimeWait][tcp.Listen] = 1
	r.Transitions[0][13-1] = 5 // of no state
	r.Durations[tcp.TimeWait].Counts[5] = 1
	got := samples(t, textOf(t, gather(t, r, 0)))
	wantSamples(t, got, map[string]string{
		series: "1", `tcptrail_transitions_total{new="NEW_SYN_RECV",old="UNKNOWN"}`: "5",
		`tcptrail_state_duration_seconds_count{state="TIME_WAIT"}`: "1",
	})
	for old := range r.Transitions {
		for now := range r.Transitions[old] {
			r.Transitions[old][now] = 1
		}
	}
	if all := ofFamily(samples(t, textOf(t, gather(t, r, 0))), "tcptrail_transitions_total"); len(all) != 13*13 {
		t.Errorf("%d series of a full matrix", len(all))
	}
}

func TestStuckOf(t *testing.T) {
	closeWait := leak.Condition(tcp.CloseWait)
	over, left, critical := finding(closeWait, leak.NotClosed, 100), finding(closeWait, leak.NotClosed, 100), finding(closeWait, leak.Sending, 1)
	over.Status, left.Status = leak.Resolved, leak.Left
	critical.Status, critical.Level = leak.Escalated, leak.Critical
	strange := finding(200, 200, 5)
	strange.Level = 200
	s := StuckOf([]leak.Finding{
		over, left, critical, strange, finding(closeWait, leak.NotClosed, 2), finding(closeWait, leak.NotClosed, 3),
		finding(closeWait, leak.NotClosed, -1), finding(closeWait, leak.CauseNone, 1),
	})
	if row := s.Sockets[closeWait]; row[leak.NotClosed] != 5 || row[leak.Sending] != 1 || row[leak.CauseNone] != 1 {
		t.Errorf("sockets: %v", row)
	}
	if s.Oldest[closeWait] != 3*time.Minute || s.Findings[leak.Warn] != 4 || s.Findings[leak.Critical] != 1 {
		t.Errorf("%v, %v", s.Oldest, s.Findings)
	}
	got := samples(t, textOf(t, gather(t, &Reading{Stuck: s}, 0)))
	wantSamples(t, got, map[string]string{`tcptrail_stuck_sockets{cause="unknown",state="CLOSE_WAIT"}`: "1"})
}

// TestTablesFollowLeak fails when leak gets conditions, causes or levels that tables have no room for.
func TestTablesFollowLeak(t *testing.T) {
	for name, last := range map[string]string{
		conditions.String(): "UNKNOWN", causes.String(): "", levels.String(): "",
	} {
		if name != last {
			t.Errorf("%q has no place in Stuck", name)
		}
	}
	for condition := range conditions {
		for _, cause := range possibleCauses(condition) {
			if cause.String() == "" {
				t.Errorf("%v: a cause without a name", condition)
			}
		}
	}
}

// TestPossibleCauses has leak itself say what is possible.
func TestPossibleCauses(t *testing.T) {
	holders := []tcp.Holder{{PID: 1}, {PID: 2}}
	for state := tcp.Established; state <= tcp.NewSynRecv; state++ {
		for _, s := range []tcp.Socket{
			{}, {Unaccepted: true}, {SendQ: 1}, {RecvQ: 1}, {RecvQ: 2}, {Holders: holders}, {Zombie: state == tcp.Close},
		} {
			s.State = state
			cause, _ := leak.Classify(&s)
			condition := leak.Condition(state)
			if s.Zombie {
				condition = leak.Zombie
			}
			found := cause == leak.CauseNone
			for _, possible := range possibleCauses(condition) {
				found = found || possible == cause
			}
			if !found {
				t.Errorf("%v is not possible in %v, and happens", cause, condition)
			}
		}
	}
}

func TestNamedAreMerged(t *testing.T) {
	r := &Reading{Sinks: []Sink{{Name: "a", Queued: 1}, {Name: "a", Queued: 2, Failing: true}}}
	for i := range 1000 {
		r.Sinks = append(r.Sinks, Sink{Name: fmt.Sprint("sink ", i), Delivered: 1})
		r.Programs = append(r.Programs, Program{Name: fmt.Sprint("\x1b", i%100), Time: time.Second, Runs: 1})
	}
	got := samples(t, textOf(t, gather(t, r, 0)))
	wantSamples(t, got, map[string]string{
		`tcptrail_alerts_queued{sink="a"}`: "3", `tcptrail_alert_sink_failing{sink="a"}`: "1",
		`tcptrail_alerts_delivered_total{sink="other"}`:       fmt.Sprint(1000 - maxNamed + 1),
		`tcptrail_bpf_program_runs_total{program="\\u001b0"}`: "10",
		`tcptrail_bpf_program_seconds_total{program="other"}`: fmt.Sprint(10 * (100 - maxNamed)),
	})
	if n := len(ofFamily(got, "tcptrail_alerts_delivered_total")); n != maxNamed+1 {
		t.Errorf("%d sinks", n)
	}
	if strings.Contains(textOf(t, gather(t, r, 0)), "\x1b") {
		t.Error("an escape in the output")
	}
	if r.Sinks[0].Queued != 1 || r.Programs[0].Name != "\x1b0" {
		t.Error("the reading was changed")
	}
}
