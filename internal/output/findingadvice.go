package output

import (
	"strings"

	"github.com/tcptrail/tcptrail/internal/leak"
)

// safeInCommands are the characters of a name, beside letters and digits, that a shell takes as they are.
const safeInCommands = "._-+:@%/"

// enter returns the command that runs another in a network namespace whose processes are not known: as "ip netns" knows it,
// or by where it is mounted.
func (w *Findings) enter(netns uint32) (command string, ok bool) {
	if netns != 0 && netns == w.o.NetNS {
		return "", true
	}
	if w.o.Names.NetNS == nil {
		return "", false
	}
	name := w.o.Names.NetNS(netns)
	switch {
	case name == "" || strings.ContainsFunc(name, func(r rune) bool { return !isPlain(r, safeInCommands) }):
		return "", false
	case name[0] == '/':
		return "nsenter --net=" + name + " ", true
	case name[0] == '-':
		return "", false // an option
	}
	return "ip netns exec " + name + " ", true
}

// isPlain says whether r is an ASCII letter, a digit, or one of the others.
func isPlain(r rune, others string) bool {
	return r >= '0' && r <= '9' || r|' ' >= 'a' && r|' ' <= 'z' || strings.ContainsRune(others, r)
}

// adviceFor returns what to tell about a finding, each text without line feeds, the commands for its oldest socket; none
// where no socket is there to name.
func (w *Findings) adviceFor(f *leak.Finding) leak.Text {
	t := leak.Advice(f.Key.Condition, f.Key.Cause)
	if len(f.Sample) > 0 && !isGone(f) {
		t.Verify = leak.Commands(t.Verify, &f.Sample[0], w.enter)
	} else {
		t.Verify = nil
	}
	for _, text := range []*string{&t.Meaning, &t.Why, &t.Fix} {
		*text = strings.ReplaceAll(*text, "\n", " ")
	}
	return t
}

// advice appends what to do: in a table why, the change and one command, in Wide all that there is.
func (w *Findings) advice(p *page, f *leak.Finding) {
	t := w.adviceFor(f)
	if w.o.Format == Wide {
		p.detail("state", t.Meaning)
	} else {
		t.NoHelp = nil
		t.Verify = t.Verify[:min(len(t.Verify), 1)]
	}
	p.detail("why", t.Why)
	p.detail("fix", t.Fix)
	label := "verify"
	for _, command := range t.Verify {
		p.label(label)
		w.command(p, printableText(command))
		p.end()
		label = ""
	}
	label = "no help"
	for _, text := range t.NoHelp {
		p.detail(label, text)
		label = ""
	}
}

// command appends a command, whole where there is no terminal: who copies it from a file gets it in one line.
func (w *Findings) command(p *page, text string) {
	if w.o.Width <= 0 {
		p.put(text)
		return
	}
	p.command(text, detailText)
}
