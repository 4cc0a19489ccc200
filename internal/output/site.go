package output

import (
	"fmt"
	"path"

	"github.com/tcptrail/tcptrail/internal/leak"
)

// Site is the place in the code that opened sockets. Its texts come from programs and need not be printable.
type Site struct {
	Call   string  // the system call: connect, listen or accept
	Place  int     // which of Frames the programmer looks for: the first outside of runtime and libraries
	Frames []Frame // innermost first; none when it is not known
}

// Frame is a function that was running then. What is unknown is empty.
type Frame struct {
	Function string
	File     string
	Line     int
	Module   string // file of the program or library
	Offset   uint64 // in the module, as addr2line takes it
	PC       uint64
	Guess    bool // found on the stack, not by frame pointers
	Inlined  bool // into the next one
}

// Text returns the frame that the programmer looks for, as its module and offset if that is all that is known; "" for none.
func (s *Site) Text() string {
	if len(s.Frames) == 0 {
		return ""
	}
	return s.place().text()
}

// text returns the function and the place in it, or what is known instead.
func (f *Frame) text() string {
	switch {
	case f.Function != "" && f.File != "":
		return fmt.Sprintf("%s (%s:%d)", printableText(f.Function), printableText(path.Base(f.File)), f.Line)
	case f.Function != "" && f.Module != "":
		return fmt.Sprintf("%s (%s)", printableText(f.Function), printableText(path.Base(f.Module)))
	case f.Function != "":
		return printableText(f.Function)
	case f.Module != "":
		return fmt.Sprintf("%s+%#x", printableText(f.Module), f.Offset)
	}
	return fmt.Sprintf("%#x", f.PC)
}

// marked is text with what there is to say about where it comes from.
func (f *Frame) marked() string {
	text := f.text()
	if f.Inlined {
		text += ", inlined"
	}
	if f.Guess {
		text += ", a guess"
	}
	return text
}

// site returns where the sockets of a finding were opened; false when that is not known.
func (w *Findings) site(f *leak.Finding) (Site, bool) {
	if f.Key.CallSite == 0 || w.o.CallSite == nil {
		return Site{}, false
	}
	s, ok := w.o.CallSite(f.Key.CallSite)
	return s, ok && len(s.Frames) > 0
}

// place returns the frame that the programmer looks for.
func (s *Site) place() *Frame {
	if s.Place < 0 || s.Place >= len(s.Frames) {
		return &s.Frames[0]
	}
	return &s.Frames[s.Place]
}

// callSite says where in the code the sockets were opened.
func (w *Findings) callSite(f *leak.Finding) string {
	s, ok := w.site(f)
	if !ok {
		return ""
	}
	text := s.place().marked()
	if s.Call == "listen" {
		text += ", by listen(): accept() is not watched here"
	} else if s.Call != "" {
		text += ", by " + printableText(s.Call) + "()"
	}
	return text
}

// stack appends all frames.
func (w *Findings) stack(p *page, f *leak.Finding) {
	s, ok := w.site(f)
	if !ok || w.o.Format != Wide {
		return
	}
	label := "stack"
	for i := range s.Frames {
		p.detail(label, s.Frames[i].marked())
		label = ""
	}
}

// appendJSONSite appends call and frames.
func (w *Findings) appendJSONSite(b []byte, f *leak.Finding) []byte {
	s, ok := w.site(f)
	if !ok {
		return append(b, `,"call":null,"frames":[]`...)
	}
	b = append(appendJSONText(append(b, `,"call":`...), s.Call), `,"frames":[`...)
	for i := range s.Frames {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendJSONFrame(b, &s.Frames[i])
	}
	return append(b, ']')
}

func appendJSONFrame(b []byte, f *Frame) []byte {
	b = appendJSONText(append(b, `{"function":`...), f.Function)
	b = appendJSONText(append(b, `,"file":`...), f.File)
	b = appendJSONCount(append(b, `,"line":`...), uint64(max(f.Line, 0)))
	b = appendJSONText(append(b, `,"module":`...), f.Module)
	b = append(b, `,"offset":`...)
	if f.Module == "" {
		b = append(b, "null"...)
	} else {
		b = append(appendHex(append(b, '"'), f.Offset), '"')
	}
	b = append(appendHex(append(b, `,"pc":"`...), f.PC), '"')
	if f.Guess {
		b = append(b, `,"guess":true`...)
	}
	if f.Inlined {
		b = append(b, `,"inlined":true`...)
	}
	return append(b, '}')
}
