package output

import (
	"strings"

	"github.com/tcptrail/tcptrail/internal/leak"
)

// adviceFor returns what to tell about a finding, each text without line feeds, the commands for its oldest socket; none
// where no socket is there to name.
func adviceFor(f *leak.Finding) leak.Text {
	t := leak.Advice(f.Key.Condition, f.Key.Cause)
	if len(f.Sample) > 0 && !isGone(f) {
		t.Verify = leak.Commands(t.Verify, &f.Sample[0])
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
	t := adviceFor(f)
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
