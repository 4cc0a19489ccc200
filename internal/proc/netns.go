package proc

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// netnsForms is what a refusal offers.
const netnsForms = `give self, a pid, a name that "ip netns" lists, the path of a namespace file such as ` +
	"/proc/PID/ns/net, or an inode number such as net:[4026532178]"

// defaultNetNSDirs are where ip netns keeps names; the second is an older spelling, mostly a link to the first.
var defaultNetNSDirs = []string{"/run/netns", "/var/run/netns"}

// NetNS returns the inode number of the network namespace that arg names:
//
//   - self: that of the calling thread;
//   - a number that can be a pid (up to 4194303): that of this process or thread;
//   - a greater number, or net:[NUMBER]: the inode number itself, if a process, a thread or a mount has it;
//   - a word with a slash: the path of a namespace file, as /run/netns/blue or /proc/1/ns/net;
//   - any other word: a name of ip netns.
//
// Inode numbers of namespaces begin at 4026531840 (PROC_DYNAMIC_FIRST in the kernel's fs/proc/generic.c); Linux 6.18
// has its first network namespace just below, at 4026531833. No pid comes near.
//
// Processes of other users, and those with more capabilities, show their namespace to CAP_SYS_PTRACE alone. Without it
// such a pid is refused, and an inode number that was not found is believed.
func (f FS) NetNS(arg string) (inode uint32, err error) {
	number, inBrackets := parseNSLink(arg)
	switch {
	case f.Elsewhere && !inBrackets && !isNumber(arg):
		err = errElsewhere
	case arg == "self":
		inode, err = f.netnsOfTask("thread-self")
	case inBrackets:
		inode, err = number, f.checkNetNS(number)
	case isNumber(arg):
		inode, err = f.netnsOfNumber(arg)
	case strings.Contains(arg, "/"):
		inode, err = f.netnsOfFile(arg)
	default:
		inode, err = f.netnsOfName(arg)
	}
	if err != nil {
		return 0, fmt.Errorf("network namespace %q: %w", arg, err)
	}
	return inode, nil
}

// netnsOfNumber tells pids from inode numbers.
func (f FS) netnsOfNumber(digits string) (uint32, error) {
	number, err := strconv.ParseUint(digits, 10, 32)
	if err != nil || number == 0 {
		return 0, fmt.Errorf("neither a pid (up to %d) nor an inode number (up to %d)", maxPID, uint32(math.MaxUint32))
	}
	if number > maxPID {
		return uint32(number), f.checkNetNS(uint32(number))
	}
	return f.netnsOfTask(decimal(uint32(number)))
}

// netnsOfTask returns the namespace of a directory in /proc.
func (f FS) netnsOfTask(task string) (uint32, error) {
	link, err := os.Readlink(f.path(task, "ns", "net"))
	switch {
	case errors.Is(err, os.ErrPermission):
		return 0, errNotOurs
	case isGone(err):
		if _, err := os.Stat(f.path(task)); err == nil {
			return 0, errors.New("the process is ending and has left its network namespace")
		}
		return 0, f.noProcess(task, err)
	case err != nil:
		return 0, err
	}
	inode, ok := parseNSLink(link)
	if !ok {
		return 0, fmt.Errorf("unknown format of %s: %q", f.path(task, "ns", "net"), link)
	}
	return inode, nil
}

// netnsOfName looks a name up as ip netns does.
func (f FS) netnsOfName(name string) (uint32, error) {
	dirs := f.ipDirs()
	if name == "" || name == "." || name == ".." {
		return 0, errors.New(netnsForms)
	}
	for _, dir := range dirs {
		path := filepath.Join(dir, name)
		if _, err := os.Lstat(path); err == nil {
			return f.netnsOfFile(path)
		}
	}
	return 0, fmt.Errorf("no such name in %s: %s", dirs[0], netnsForms)
}

// parseNSLink reads the form that links in /proc/PID/ns have.
func parseNSLink(link string) (inode uint32, ok bool) {
	digits, found := strings.CutPrefix(link, "net:[")
	digits, closed := strings.CutSuffix(digits, "]")
	number, err := strconv.ParseUint(digits, 10, 32)
	return uint32(number), found && closed && err == nil && isNumber(digits) && number != 0
}
