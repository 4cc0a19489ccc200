package nettest

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// ssStates are the names in misc/ss.c of iproute2.
var ssStates = map[string]State{
	"ESTAB": Established, "SYN-SENT": SynSent, "SYN-RECV": SynRecv, "FIN-WAIT-1": FinWait1, "FIN-WAIT-2": FinWait2,
	"TIME-WAIT": TimeWait, "UNCONN": Close, "CLOSE-WAIT": CloseWait, "LAST-ACK": LastAck, "LISTEN": Listening,
	"CLOSING": Closing,
}

var (
	errSSLine  = errors.New("not a line of ss")
	errSSUsers = errors.New("malformed list of users")
)

// parseSS parses the output of ss -tanoepHO.
func parseSS(text string) (rows []SSRow, err error) {
	number := 0
	for line := range strings.Lines(text) {
		number++
		row, err := parseSSLine(strings.TrimSuffix(line, "\n"))
		if err != nil {
			return nil, fmt.Errorf("ss: line %d, %q: %w", number, line, err)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// parseSSLine parses five columns and, in no certain order, what comes after them. The first, the state, is not there
// when ss was asked for one state only.
func parseSSLine(line string) (row SSRow, err error) {
	first := 0
	if line != "" && line[0] >= '0' && line[0] <= '9' {
		first = 1
	}
	var columns [5]string
	for i := first; i < len(columns); i++ {
		columns[i], line = cutWord(line)
	}
	known := false
	if row.State, known = ssStates[columns[0]]; !known && first == 0 {
		return row, fmt.Errorf("%w: state %q", errSSLine, columns[0])
	}
	if row.RQueue, err = parseSSNumber(columns[1]); err != nil {
		return row, err
	}
	if row.WQueue, err = parseSSNumber(columns[2]); err != nil {
		return row, err
	}
	if row.Local, err = parseSSAddr(columns[3]); err != nil {
		return row, err
	}
	if row.Remote, err = parseSSAddr(columns[4]); err != nil {
		return row, err
	}
	for line = strings.TrimLeft(line, " \t"); line != "" && err == nil; line = strings.TrimLeft(line, " \t") {
		if users, ok := strings.CutPrefix(line, "users:("); ok {
			row.Users, line, err = parseSSUsers(users)
			continue
		}
		var word string
		word, line = cutWord(line)
		err = row.setDetail(word)
	}
	return row, err
}

// cutWord cuts the first word off.
func cutWord(s string) (word, rest string) {
	s = strings.TrimLeft(s, " \t")
	if i := strings.IndexAny(s, " \t"); i >= 0 {
		return s[:i], s[i:]
	}
	return s, ""
}

func parseSSNumber(text string) (uint32, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	return uint32(n), err
}

// setDetail takes one word of what ss prints after the addresses. Words that this package has no use for are passed
// over.
func (row *SSRow) setDetail(word string) (err error) {
	key, value, ok := strings.Cut(word, ":")
	if !ok {
		if len(word) == 3 && strings.Trim(word, "<->") == "" {
			row.Arrow = word
		}
		return nil
	}
	switch key {
	case "timer":
		row.Timer, err = parseSSTimer(value)
	case "uid":
		row.UID, err = parseSSNumber(value)
	case "ino":
		row.Inode, err = parseSSNumber(value)
	case "sk":
		row.Cookie, err = strconv.ParseUint(value, 16, 64)
	case "cgroup":
		row.Cgroup = value
	}
	return err
}

// parseSSAddr parses 127.0.0.1:80, [::1]:80, 0.0.0.0:*, *:80 (:: without IPV6_V6ONLY), and each with %DEVICE before
// the last colon.
func parseSSAddr(text string) (netip.AddrPort, error) {
	i := strings.LastIndexByte(text, ':')
	if i < 0 {
		return netip.AddrPort{}, fmt.Errorf("%w: address %q", errSSLine, text)
	}
	host, port := text[:i], text[i+1:]
	host, _, _ = strings.Cut(host, "%")
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	addr := netip.IPv6Unspecified()
	if host != "*" {
		var err error
		if addr, err = netip.ParseAddr(host); err != nil {
			return netip.AddrPort{}, err
		}
	}
	if port == "*" {
		return netip.AddrPortFrom(addr, 0), nil
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return netip.AddrPortFrom(addr, uint16(n)), err
}

// parseSSUsers parses ("name",pid=1,fd=3),("name",pid=2,fd=3)) and returns what is after it. A name ends where pid=
// follows, as it may hold quotes and parentheses itself.
func parseSSUsers(text string) (users []SSUser, rest string, err error) {
	for {
		name, after, ok := strings.Cut(text, `",pid=`)
		pid, after, ok2 := strings.Cut(after, ",fd=")
		fd, after, ok3 := strings.Cut(after, ")")
		if !ok || !ok2 || !ok3 || !strings.HasPrefix(name, `("`) {
			return nil, "", errSSUsers
		}
		user := SSUser{Name: name[len(`("`):]}
		var errPID, errFD error
		user.PID, errPID = strconv.Atoi(pid)
		user.FD, errFD = strconv.Atoi(fd)
		if err := errors.Join(errPID, errFD); err != nil {
			return nil, "", err
		}
		users = append(users, user)
		if rest, ok = strings.CutPrefix(after, ")"); ok {
			return users, rest, nil
		}
		if text, ok = strings.CutPrefix(after, ","); !ok {
			return nil, "", errSSUsers
		}
	}
}

// parseSSTimer parses (keepalive,1min23sec,0).
func parseSSTimer(text string) (t SSTimer, err error) {
	fields := strings.Split(strings.TrimSuffix(strings.TrimPrefix(text, "("), ")"), ",")
	if len(fields) != 3 {
		return t, fmt.Errorf("%w: timer %q", errSSLine, text)
	}
	t.Name = fields[0]
	if t.Left, err = parseSSTime(fields[1]); err != nil {
		return t, err
	}
	t.Retries, err = strconv.Atoi(fields[2])
	return t, err
}

// parseSSTime parses what print_ms_timer in misc/ss.c prints: 2min, 1min23sec, 42sec, 200ms, and 1.234ms, which is not
// what it says but 1.234 s. Nothing at all is zero.
func parseSSTime(text string) (time.Duration, error) {
	minutes, rest, ok := strings.Cut(text, "min")
	if !ok {
		minutes, rest = "", text
	}
	if whole, ok := strings.CutSuffix(rest, "ms"); ok && strings.Contains(whole, ".") {
		rest = whole + "s"
	}
	rest = strings.Replace(rest, "sec", "s", 1)
	if minutes != "" {
		rest = minutes + "m" + rest
	}
	if rest == "" {
		return 0, nil
	}
	return time.ParseDuration(rest)
}
