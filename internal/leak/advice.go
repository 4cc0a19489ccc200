package leak

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Text is what to tell a person about stuck sockets, in lines of at most 100 columns.
type Text struct {
	Meaning string   // of the state
	Why     string   // the cause, in words
	Fix     string   // what the program has to change
	Verify  []string // commands that show it; as a template, see Commands
	NoHelp  []string // what people reach for, and why it does not help here
}

// Advice returns what to tell about a condition and its cause. What is not known is told in general terms.
func Advice(c Condition, cause Cause) Text {
	t := texts[cause]
	t.Meaning = meanings[c]
	if t.Why == "" {
		t.Why = "The cause is not known."
	}
	return t
}

// AdviceFor is Advice with the commands for one socket.
func AdviceFor(s *Stuck) Text {
	c := Condition(s.Socket.State)
	if s.Socket.Zombie {
		c = Zombie
	}
	t := Advice(c, s.Cause)
	t.Verify = Commands(t.Verify, s)
	return t
}

// Commands puts the addresses, the process and the descriptor of a socket where the templates have {local}, {remote},
// {port}, {pid}, {fd}, {inode}, {peerpid}, {remotehost}, {remoteport} and {enter}, the command that goes to its network namespace.
// A command that needs what is not known is left out. All of it comes from the kernel, and is numbers.
func Commands(templates []string, s *Stuck) []string {
	var commands []string
	values := valuesOf(s)
	for _, text := range templates {
		for name, value := range values {
			if value != "" || name == "{enter}" {
				text = strings.ReplaceAll(text, name, value)
			}
		}
		if !strings.Contains(text, "{") {
			commands = append(commands, text)
		}
	}
	return commands
}

func valuesOf(s *Stuck) map[string]string {
	values := map[string]string{
		"{local}": endpoint(s.Socket.Local), "{remote}": endpoint(s.Socket.Remote),
		"{port}": strconv.Itoa(int(s.Socket.Local.Port())), "{pid}": "", "{fd}": "", "{inode}": "", "{peerpid}": "", "{enter}": "",
	}
	if values["{remote}"] != "" {
		values["{remotehost}"] = s.Socket.Remote.Addr().String()
		values["{remoteport}"] = strconv.Itoa(int(s.Socket.Remote.Port()))
	}
	pid := s.Socket.PID
	for i := range s.Socket.Holders {
		h := &s.Socket.Holders[i]
		if pid == 0 {
			pid = h.PID
		}
		if h.PID == pid {
			values["{fd}"] = number(h.FD)
			break
		}
	}
	if pid != 0 {
		values["{pid}"] = number(pid)
		values["{enter}"] = fmt.Sprintf("nsenter -t %d -n ", pid)
	}
	if s.Socket.Inode != 0 {
		values["{inode}"] = number(s.Socket.Inode)
	}
	if s.Peer != nil && s.Peer.PID != 0 {
		values["{peerpid}"] = number(s.Peer.PID)
	}
	return values
}

func number(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

func endpoint(a netip.AddrPort) string {
	if !a.Addr().IsValid() {
		return ""
	}
	return a.String()
}
