package output

import (
	"strings"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

func appendCSVHeader(b []byte) []byte {
	return append(append(b, strings.Join(fields[:], ",")...), '\n')
}

// appendCSV appends one transition as one record of CSV: the fields and values of JSON without its quotes, and nothing
// where JSON has null.
func (w *Writer) appendCSV(b []byte, e *tcp.Event) []byte {
	rest := w.utc.at(e.Time)
	b = append(b, w.utc.text...)
	b = appendNano(b, rest)
	b = append(b, "Z,transition,"...)
	b = appendCSVSocket(b, e)
	b = append(append(b, e.Old.String()...), ',')
	b = append(append(b, e.New.String()...), ',')
	if e.InOld >= 0 {
		b = appendMillis(b, uint64(e.InOld))
	}
	b = appendCSVOwner(append(b, ','), e)
	return appendCSVEnd(append(b, ','), e)
}

// appendCSVSocket appends cookie to rport and the comma after it.
func appendCSVSocket(b []byte, e *tcp.Event) []byte {
	if e.Cookie != 0 {
		b = appendHex(b, e.Cookie)
	}
	b = append(appendUint(append(b, ','), uint64(e.NetNS)), ',')
	b = append(appendCSVCount(b, e.CgroupID), ',')
	b = append(appendUint(b, uint64(e.UID)), ',')
	b = append(append(b, e.Family.String()...), ',')
	b = append(appendAddr(b, e.Local.Addr()), ',')
	b = append(appendCSVCount(b, uint64(e.Local.Port())), ',')
	b = append(appendAddr(b, e.Remote.Addr()), ',')
	return append(appendCSVCount(b, uint64(e.Remote.Port())), ',')
}

// appendCSVOwner appends pid to running_pid.
func appendCSVOwner(b []byte, e *tcp.Event) []byte {
	if e.PID != 0 {
		b = append(appendUint(b, uint64(e.PID)), ',')
		b = append(appendCSVText(b, e.Comm.Bytes()), ',')
	} else {
		b = append(b, ",,"...)
	}
	b = append(append(b, e.Evidence.String()...), ',')
	if e.Late {
		return b
	}
	return appendUint(b, uint64(e.RunningPID))
}

// appendCSVEnd appends next to late and ends the record.
func appendCSVEnd(b []byte, e *tcp.Event) []byte {
	b = append(append(b, nextName(e)...), ',')
	b = append(append(b, e.Reason.String()...), ',')
	if e.Errno != 0 {
		b = appendErrno(b, e.Errno)
	}
	b = append(b, ',')
	if e.New == tcp.Close {
		b = append(appendUint(b, e.BytesSent), ',')
		b = append(appendUint(b, e.BytesRecv), ',')
		b = append(appendUint(b, uint64(e.Retrans)), ',')
		if e.SRTT >= 0 {
			b = appendUint(b, uint64(e.SRTT.Microseconds()))
		}
	} else {
		b = append(b, ",,,"...)
	}
	b = appendBool(append(b, ','), e.Missed)
	return append(appendBool(append(b, ','), e.Late), '\n')
}

// appendCSVCount appends a number of which 0 means none.
func appendCSVCount(b []byte, v uint64) []byte {
	if v == 0 {
		return b
	}
	return appendUint(b, v)
}

// appendCSVText appends a name that a process chose, or another that is not ours. What is not printable is replaced,
// and a first character that makes a spreadsheet take the cell for a formula gets an apostrophe before it.
func appendCSVText(b, name []byte) []byte {
	quoted := needsQuotes(name)
	if quoted {
		b = append(b, '"')
	}
	if len(name) > 0 && startsFormula(name[0]) {
		b = append(b, '\'')
	}
	for _, char := range name {
		if char == '"' {
			b = append(b, '"')
		}
		b = append(b, printable(char))
	}
	if quoted {
		b = append(b, '"')
	}
	return b
}

// needsQuotes says whether RFC 4180 asks for quotes, or a space at the start does, which some readers would trim.
func needsQuotes(name []byte) bool {
	for i, c := range name {
		if c == '"' || c == ',' || c == ' ' && i == 0 {
			return true
		}
	}
	return false
}

func startsFormula(c byte) bool { return c == '=' || c == '+' || c == '-' || c == '@' }

// printable returns c if it is printable ASCII, and a question mark for all else: control characters, and what may
// take any width, or none, or turn the direction of a line.
func printable(c byte) byte {
	if c >= ' ' && c <= '~' {
		return c
	}
	return '?'
}
