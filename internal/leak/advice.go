package leak

import (
	"fmt"
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

// Enter returns the command, with a space behind it, that runs another in a network namespace: "" for our own. It is false
// when none is known.
type Enter func(netns uint32) (command string, ok bool)

// AdviceFor is Advice with the commands for one socket.
func AdviceFor(s *Stuck, enter Enter) Text {
	c := Condition(s.Socket.State)
	if s.Socket.Zombie {
		c = Zombie
	}
	t := Advice(c, s.Cause)
	t.Verify = Commands(t.Verify, s, enter)
	return t
}

// Commands puts the addresses, the process and the descriptor of a socket where the templates have {local}, {remote},
// {port}, {pid}, {fd}, {inode}, {peerpid}, {remotehost}, {remoteport} and {enter}, the command that goes to its network namespace:
// through its process or, where that is not known, as enter says, which may be nil. A command that needs what is not known is
// left out, so that none is given that would find nothing. All but what enter returns comes from the kernel, and is numbers.
func Commands(templates []string, s *Stuck, enter Enter) []string {
	var commands []string
	values := valuesOf(s, enter)
	for _, text := range templates {
		for name, value := range values {
			text = strings.ReplaceAll(text, name, value)
		}
		if !strings.Contains(text, "{") {
			commands = append(commands, text)
		}
	}
	return commands
}

// valuesOf returns what is known.
func valuesOf(s *Stuck, enter Enter) map[string]string {
	values := map[string]string{"{port}": strconv.Itoa(int(s.Socket.Local.Port()))}
	if local := s.Socket.Local; local.Addr().IsValid() {
		values["{local}"] = local.String()
	}
	if remote := s.Socket.Remote; remote.Addr().IsValid() {
		values["{remote}"] = remote.String()
		values["{remotehost}"] = remote.Addr().String()
		values["{remoteport}"] = strconv.Itoa(int(remote.Port()))
	}
	if s.Socket.Inode != 0 {
		values["{inode}"] = number(s.Socket.Inode)
	}
	if s.Peer != nil && s.Peer.PID != 0 {
		values["{peerpid}"] = number(s.Peer.PID)
	}
	if pid := processOf(s, values); pid != 0 {
		values["{pid}"] = number(pid)
		values["{enter}"] = fmt.Sprintf("nsenter -t %d -n ", pid)
	} else if enter != nil {
		if command, ok := enter(s.Socket.NetNS); ok {
			values["{enter}"] = command
		}
	}
	return values
}

// processOf returns the owner or the first holder, and notes its descriptor; 0 if nobody is known.
func processOf(s *Stuck, values map[string]string) uint32 {
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
	return pid
}

func number(n uint32) string { return strconv.FormatUint(uint64(n), 10) }
