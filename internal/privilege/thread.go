package privilege

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// initUserNS is what /proc/PID/ns/user reads in the first user namespace, whose inode number never changes
// (PROC_USER_INIT_INO in the kernel's include/linux/proc_ns.h).
const initUserNS = "user:[4026531837]"

// holding is what every thread holds at least. Capabilities belong to threads, and the Go runtime moves a goroutine
// from one thread to another.
type holding struct {
	effective, permitted Set
}

// Missing returns those of need that are not effective on every thread of the process, or do not count: bpf() asks for
// capabilities in the first user namespace (kernel/bpf/syscall.c, bpf_capable), so that in any other all of need is
// missing. It is also all missing when the kernel does not tell. Without /proc only the calling thread is asked.
func Missing(need Set) Set {
	if foreignUserNS() {
		return need
	}
	have, err := held()
	if err != nil {
		return need
	}
	return need &^ have.effective
}

// foreignUserNS says whether the process is known to be in another than the first user namespace.
func foreignUserNS() bool {
	link, err := os.Readlink("/proc/self/ns/user")
	return err == nil && link != initUserNS
}

// held returns what all threads have in common.
func held() (holding, error) {
	common, err := capget(0)
	if err != nil {
		return holding{}, fmt.Errorf("read capabilities: %w", err)
	}
	for _, tid := range threads() {
		h, err := capget(tid)
		if errors.Is(err, unix.ESRCH) { // the thread has ended since
			continue
		}
		if err != nil {
			return holding{}, fmt.Errorf("read capabilities of thread %d: %w", tid, err)
		}
		common.effective &= h.effective
		common.permitted &= h.permitted
	}
	return common, nil
}

// threads returns the ids of the process's threads; none when there is no /proc.
func threads() []int {
	entries, _ := os.ReadDir("/proc/self/task")
	var tids []int
	for _, e := range entries {
		if tid, err := strconv.Atoi(e.Name()); err == nil {
			tids = append(tids, tid)
		}
	}
	return tids
}

// capget returns what one thread holds; 0 is the calling thread.
func capget(tid int) (holding, error) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3, Pid: int32(tid)}
	var data [2]unix.CapUserData // version 3 splits each set in two words, the low one first
	if err := unix.Capget(&header, &data[0]); err != nil {
		return holding{}, err
	}
	return holding{
		effective: Set(data[0].Effective) | Set(data[1].Effective)<<32,
		permitted: Set(data[0].Permitted) | Set(data[1].Permitted)<<32,
	}, nil
}
