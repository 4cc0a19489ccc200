package filter

import (
	"path"
	"slices"
	"strings"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// verdict is what is known of a socket's processes: whether there is any to ask, and whether one of them fits.
type verdict struct{ known, fits bool }

// add takes in one process; of one that is not known it does not matter whether it fits.
func (v *verdict) add(known, fits bool) {
	v.known = v.known || known
	v.fits = v.fits || known && fits
}

// verdictOn returns the verdict on one process.
func verdictOn(known, fits bool) verdict { return verdict{known, known && fits} }

// under says what becomes of the verdict under an operator. Nothing holds for processes that nobody knows; `!=` holds
// where some are known and none of them fits.
func (v verdict) under(c comparison) bool {
	if c == notEqual {
		return v.known && !v.fits
	}
	return v.fits
}

// pidTerm compares the pids of the owner and, of a socket, the holders: one of them is enough.
type pidTerm struct {
	is   comparison
	pids []uint32 // several only to be equal to or not
}

func (t pidTerm) fits(pid uint32) bool {
	if t.is.isOrder() {
		return holds(t.is, pid, t.pids[0])
	}
	return slices.Contains(t.pids, pid)
}

func (t pidTerm) matchEvent(e *tcp.Event, _ Host) bool {
	return verdictOn(e.PID != 0, t.fits(e.PID)).under(t.is)
}

func (t pidTerm) matchSocket(s *tcp.Socket, _ Host) bool {
	v := verdictOn(s.PID != 0, t.fits(s.PID))
	for i := range s.Holders {
		pid := s.Holders[i].PID
		v.add(pid != 0, t.fits(pid))
	}
	return v.under(t.is)
}

func (t pidTerm) appendTo(text []byte) []byte {
	text = appendComparison(text, "pid", t.is)
	start := len(text)
	for _, pid := range t.pids {
		text = appendNumber(appendComma(text, start), pid)
	}
	return text
}

// commTerm matches the names of the owner and the holders, as Filter.Comms does.
type commTerm struct {
	is      comparison // equal or notEqual
	pattern []string   // one
}

func (t commTerm) matchEvent(e *tcp.Event, _ Host) bool {
	return verdictOn(e.PID != 0, matchComm(t.pattern, &e.Comm)).under(t.is)
}

func (t commTerm) matchSocket(s *tcp.Socket, _ Host) bool {
	v := verdictOn(s.PID != 0, matchComm(t.pattern, &s.Comm))
	for i := range s.Holders {
		holder := &s.Holders[i]
		v.add(holder.PID != 0, matchComm(t.pattern, &holder.Comm))
	}
	return v.under(t.is)
}

func (t commTerm) appendTo(text []byte) []byte {
	return appendWord(appendComparison(text, "comm", t.is), t.pattern[0])
}

// exeTerm matches the paths of the programs that the owner and the holders run, as far as the Host knows them: a
// pattern as in path.Match; one without a slash matches the last element alone.
type exeTerm struct {
	is      comparison // equal or notEqual
	pattern string
}

// deleted is what the kernel appends to the path of a file that is gone, as after an upgrade (d_path in fs/d_path.c).
const deleted = " (deleted)"

func (t exeTerm) fits(exe string) bool {
	if strings.IndexByte(t.pattern, '/') < 0 {
		exe = exe[strings.LastIndexByte(exe, '/')+1:]
	}
	if t.fitsName(exe) {
		return true
	}
	name, gone := strings.CutSuffix(exe, deleted)
	return gone && t.fitsName(name)
}

func (t exeTerm) fitsName(name string) bool {
	matched, err := path.Match(t.pattern, name)
	return t.pattern == name || matched && err == nil
}

func (t exeTerm) add(v *verdict, pid uint32, h Host) {
	if pid != 0 && h != nil {
		exe, ok := h.Exe(pid)
		v.add(ok, ok && t.fits(exe))
	}
}

func (t exeTerm) matchEvent(e *tcp.Event, h Host) bool {
	var v verdict
	t.add(&v, e.PID, h)
	return v.under(t.is)
}

func (t exeTerm) matchSocket(s *tcp.Socket, h Host) bool {
	var v verdict
	t.add(&v, s.PID, h)
	for i := range s.Holders {
		t.add(&v, s.Holders[i].PID, h)
	}
	return v.under(t.is)
}

func (t exeTerm) appendTo(text []byte) []byte {
	return appendWord(appendComparison(text, "exe", t.is), t.pattern)
}
