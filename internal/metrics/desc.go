package metrics

import "github.com/prometheus/client_golang/prometheus"

// prefix begins the name of each metric but those of the process and of Go.
const prefix = "tcptrail_"

// What is exported. Names and labels are promised: rules and dashboards in deploy/prometheus use them.
var (
	descBuild  = desc("build_info", "1, with the version of tcptrail and of Go.", "version", "goversion")
	descKernel = desc("kernel_info", "1, with the release of the kernel.", "release")

	descSockets = desc("sockets", "Sockets in each state, as ss counts them: requests in SYN_RECV. "+
		"ZOMBIE are those in CLOSE after a connection that a process still holds.", "state")
	descTransitions = desc("transitions_total", "Transitions of full sockets between states.", "old", "new")
	descDurations   = desc("state_duration_seconds", "Time that full sockets spent in the state that they left.", "state")

	descStuck    = desc("stuck_sockets", "Sockets that are in a state for longer than its limit.", "state", "cause")
	descOldest   = desc("stuck_oldest_seconds", "Time that the oldest stuck socket is in its state, at least.", "state")
	descFindings = desc("findings", "Findings about stuck sockets.", "level")

	descProcess      = desc("process_sockets", "Sockets of the processes that own most, and of all others.", "pid", "comm")
	descProcessStuck = desc("process_stuck_sockets", "Stuck sockets of the processes that own most of them, and of all others.",
		"pid", "comm")
	descCgroup      = desc("cgroup_sockets", "Sockets of the cgroups that have most, and of all others.", "cgroup", "container")
	descCgroupStuck = desc("cgroup_stuck_sockets", "Stuck sockets of the cgroups that have most of them, and of all others.",
		"cgroup", "container")

	descSeen      = desc("events_seen_total", "Transitions that the tracer saw.")
	descDelivered = desc("events_delivered_total", "Transitions that reached the log or a stream.")
	descLost      = desc("events_lost_total", "Transitions that were not delivered for want of room. All counts have them.")
	descMissed    = desc("events_missed_total", "Transitions that the kernel hid from the tracer, found out afterwards.")
	descFiltered  = desc("events_filtered_total", "Transitions that the filter refused.")
	descUntracked = desc("events_untracked_total", "Transitions of sockets of which nothing could be kept for want of memory.")
	descDrift     = desc("drift_sockets_total", "Sockets by which gauges were corrected to agree with the kernel's tables.")

	descSinkDelivered = desc("alerts_delivered_total", "Alerts that the sink took.", "sink")
	descSinkFailed    = desc("alerts_failed_total", "Alerts that the sink refused for good.", "sink")
	descSinkDropped   = desc("alerts_dropped_total", "Alerts that were dropped before the sink took them.", "sink")
	descSinkQueued    = desc("alerts_queued", "Alerts that the sink has yet to hear.", "sink")
	descSinkFailing   = desc("alert_sink_failing", "1 if the last attempt to deliver to the sink failed.", "sink")

	descLogLines = desc("log_lines_total", "Lines written to the log.")
	descLogBytes = desc("log_written_bytes_total", "Bytes written to the log, before compression.")
	descLogLost  = desc("log_lost_lines_total", "Lines that could not be written to the log.")
	descLogDisk  = desc("log_disk_bytes", "Bytes that the files of the log take.")

	descSubscribers   = desc("stream_subscribers", "Readers of the event stream.")
	descStreamDropped = desc("stream_dropped_lines_total", "Lines that readers of the event stream were too slow for.")

	descProgramTime = desc("bpf_program_seconds_total", "Time that the kernel spent in the program.", "program")
	descProgramRuns = desc("bpf_program_runs_total", "Runs of the program in the kernel.", "program")
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prefix+name, help, labels, nil)
}
