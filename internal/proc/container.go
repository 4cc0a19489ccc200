package proc

import (
	"strconv"
	"strings"
)

// containerID is how many hexadecimal digits docker, containerd's CRI, CRI-O and podman give a container's id.
const containerID = 64

// containerOf returns the container that a cgroup's path names, "" if none: the innermost, as containers nest. The path
// of a cgroup inside of a container names it, too; that of a pod, or of a container's monitor, does not.
func containerOf(path string) string {
	for path != "" && path != "/" {
		slash := strings.LastIndexByte(path, '/')
		parent, name := path[:max(slash, 0)], path[slash+1:]
		if container := containerOfName(parent, name); container != "" {
			return container
		}
		path = parent
	}
	return ""
}

// containerOfName returns the container that the directory name below parent stands for.
func containerOfName(parent, name string) string {
	if id := containerOfID(name); id != "" {
		return id
	}
	if lxc, ok := strings.CutPrefix(name, "lxc.payload."); ok {
		return lxc
	}
	// LXC 3 had lxc.payload/NAME and LXC 2 lxc/NAME, which Proxmox has still.
	if strings.HasSuffix(parent, "/lxc") || strings.HasSuffix(parent, "/lxc.payload") {
		return name
	}
	// Containerd has /NAMESPACE/NAME without systemd; of other namespaces than its default only ids are recognized.
	if parent == "/default" {
		return name
	}
	return containerOfMachine(name)
}

// containerOfID finds the id that a runtime's directory ends with: alone (docker, kubelet and podman without systemd),
// behind the runtime's name and a hyphen (docker-, cri-containerd-, crio-, libpod-, nerdctl-), as a scope of systemd or
// not, or behind "SLICE:RUNTIME:", which runc makes when it is told of systemd and does not use it.
func containerOfID(name string) string {
	name = strings.TrimSuffix(name, ".scope")
	start := len(name) - containerID
	if start < 0 {
		return ""
	}
	for _, r := range []byte(name[start:]) {
		if (r < '0' || r > '9') && (r < 'a' || r > 'f') {
			return ""
		}
	}
	before := name[:start]
	switch {
	case before == "", strings.HasSuffix(before, ":"):
		return name[start:]
	case strings.HasSuffix(before, "conmon-"): // podman's and CRI-O's monitor, on the host's side
		return ""
	case strings.HasSuffix(before, "-"):
		return name[start:]
	}
	return ""
}

// containerOfMachine finds the names of systemd-nspawn's containers. machined registers them, and libvirt's virtual
// machines likewise, as qemu-NUMBER-NAME, which are no containers.
func containerOfMachine(name string) string {
	if unit, ok := cutBoth(name, "machine-", ".scope"); ok {
		machine := unescapeUnit(unit)
		if number, isVM := strings.CutPrefix(machine, "qemu-"); isVM {
			if digits, _, ok := strings.Cut(number, "-"); ok && isNumber(digits) {
				return ""
			}
		}
		return machine
	}
	unit, _ := cutBoth(name, "systemd-nspawn@", ".service")
	return unescapeUnit(unit)
}

func cutBoth(name, prefix, suffix string) (middle string, ok bool) {
	middle, begins := strings.CutPrefix(name, prefix)
	middle, ends := strings.CutSuffix(middle, suffix)
	if !begins || !ends {
		return "", false
	}
	return middle, true
}

// unescapeUnit undoes the escapes in names of systemd's units: \x and two hexadecimal digits (systemd.unit(5)). Another
// backslash stays.
func unescapeUnit(unit string) string {
	if !strings.Contains(unit, `\x`) {
		return unit
	}
	var out strings.Builder
	for i := 0; i < len(unit); i++ {
		if strings.HasPrefix(unit[i:], `\x`) && len(unit) >= i+4 {
			if value, err := strconv.ParseUint(unit[i+2:i+4], 16, 8); err == nil {
				out.WriteByte(byte(value))
				i += 3
				continue
			}
		}
		out.WriteByte(unit[i])
	}
	return out.String()
}
