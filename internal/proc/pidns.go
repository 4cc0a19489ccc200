package proc

import "os"

// hostPIDNS is how the link of the first PID namespace reads (include/linux/proc_ns.h, PROC_PID_INIT_INO).
const hostPIDNS = "pid:[4026531836]"

// IsHostPIDNS says whether the pids of this process are the host's, as BPF programs see them. In a container with a PID
// namespace of its own they are not: there a process has one pid inside and another outside. Where /proc does not say,
// the answer is true.
func (f FS) IsHostPIDNS() bool {
	link, err := os.Readlink(f.path("self", "ns", "pid"))
	return err != nil || link == hostPIDNS
}
