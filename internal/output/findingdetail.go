package output

import (
	"fmt"
	"strings"

	"github.com/tcptrail/tcptrail/internal/leak"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

const (
	// detailIndent and detailText are the columns at which the label of a detail begins, and what it says.
	detailIndent = 4
	detailText   = detailIndent + len("opened at") + 2
	// briefHolders is how many holders a table names; Wide names all that a finding has.
	briefHolders = 4
)

// detail appends a line with a label, if there is anything to say.
func (p *page) detail(label, text string) {
	if text == "" {
		return
	}
	p.label(label)
	p.words(text, detailText)
	p.end()
}

// label begins a line with a label: in a column of its own, or on a narrow page before the text and a little to the left.
func (p *page) label(label string) {
	at := p.indent(detailText)
	p.start(min(detailIndent, at/2))
	p.put(label)
	switch {
	case p.column < at:
		p.pad(at)
	case label != "":
		p.put(": ")
	}
}

// details appends what there is to say below the headline.
func (w *Findings) details(p *page, f *leak.Finding) {
	if w.o.Folded {
		w.folded(p, f)
		return
	}
	p.detail("what", w.where(f))
	p.detail("proven", w.certainty(f))
	p.detail("fds", w.descriptors(f))
	p.detail("holders", w.holders(f))
	p.detail("listener", w.listener(f))
	p.detail("peer", w.peer(f))
	p.detail("blame", w.blames(f))
	p.detail("proxy", w.leg(f))
	p.detail("opened at", w.callSite(f))
	w.stack(p, f)
	p.detail("evidence", w.evidence(f))
	w.sample(p, f)
	w.advice(p, f)
}

// folded is details in as few lines as tell whom to talk to, and about what.
func (w *Findings) folded(p *page, f *leak.Finding) {
	where := w.where(f)
	if d := w.descriptors(f); d != "" {
		where += "; " + d
	}
	p.detail("what", where)
	p.detail("opened at", w.callSite(f))
	p.detail("holders", w.holders(f))
	p.detail("listener", w.listener(f))
	p.detail("peer", w.peer(f))
	p.detail("proxy", w.leg(f))
	p.detail("fix", w.adviceFor(f).Fix)
}

// where says which connections they are.
func (w *Findings) where(f *leak.Finding) string {
	endpoint, outgoing := f.Key.Endpoint, f.Key.Direction == leak.Outgoing
	switch {
	case endpoint.Addr().IsValid():
		return "connections to " + w.endpoint(endpoint)
	case endpoint.Port() != 0:
		return fmt.Sprintf("connections to its port %d%s", endpoint.Port(), w.service(endpoint.Port()))
	case f.Endpoints > 0 && outgoing:
		return "connections to " + w.counted(f.Endpoints, "endpoint")
	case f.Endpoints > 0:
		return "connections to " + w.counted(f.Endpoints, "port") + " of its own"
	case outgoing:
		return "connections that it opened"
	case f.Key.Direction == leak.Incoming:
		return "connections that others opened"
	}
	return ""
}

// certainty says how many sockets are past the limit for certain, unless all are.
func (w *Findings) certainty(f *leak.Finding) string {
	switch {
	case f.Proven >= f.Count:
		return ""
	case f.Proven <= 0:
		return "none of them is past the limit for certain: nobody saw when they got there"
	}
	return fmt.Sprintf("%s of %s are past the limit for certain: nobody saw when the others got there",
		w.count(uint64(f.Proven)), w.count(uint64(max(f.Count, 0))))
}

// descriptors says how much of the process's limit is used up.
func (w *Findings) descriptors(f *leak.Finding) string {
	d := &f.FDs
	if !d.Known {
		return ""
	}
	text := fmt.Sprintf("%s of %s descriptors", w.count(uint64(max(d.Held, 0))), w.count(d.Limit))
	if isFinite(d.Share) {
		text += " (" + percent(d.Share) + ")"
	}
	if d.Used > d.Held {
		text += ", " + w.count(uint64(d.Used)) + " in use"
	}
	switch {
	case d.Exhausted == 0:
		text += ", the limit is reached"
	case d.Exhausted > 0:
		text += ", limit in about " + durationText(d.Exhausted)
	}
	return text
}

// holders names the processes that hold the sockets, unless that is the owner alone.
func (w *Findings) holders(f *leak.Finding) string {
	if len(f.Holders) == 0 || len(f.Holders) == 1 && f.OtherHolders <= 0 && f.Holders[0].PID == f.Key.PID {
		return ""
	}
	shown := f.Holders
	if w.o.Format != Wide {
		shown = shown[:min(len(shown), briefHolders)]
	}
	names := make([]string, len(shown))
	for i := range shown {
		h := &shown[i]
		names[i] = process(h.PID, &h.Comm) + " " + w.count(uint64(max(h.Sockets, 0)))
	}
	text := strings.Join(names, ", ")
	if rest := len(f.Holders) - len(shown) + max(f.OtherHolders, 0); rest > 0 {
		text += " and " + w.count(uint64(rest)) + " more"
	}
	return text
}

// listener says where connections wait for accept().
func (w *Findings) listener(f *leak.Finding) string {
	l := f.Listener
	if l == nil {
		return ""
	}
	verb := "wait"
	if l.Waiting == 1 {
		verb = "waits"
	}
	text := fmt.Sprintf("%s of %s: %s %s, %s may", w.endpoint(l.Local), process(l.PID, &l.Comm),
		w.counted(int(l.Waiting), "connection"), verb, w.count(uint64(l.Backlog)))
	if l.Waiting > l.Backlog { // the kernel takes one more than the backlog (sk_acceptq_is_full)
		text += ": full"
	}
	return text
}

// peer says who has the other end, and which of the two keeps the other waiting.
func (w *Findings) peer(f *leak.Finding) string {
	peer := f.Peer
	if peer == nil {
		return ""
	}
	who := process(peer.PID, &peer.Comm)
	if peer.NetNS != 0 && (peer.PID == 0 || len(f.Sample) > 0 && f.Sample[0].Socket.NetNS != peer.NetNS) {
		who += " in network namespace " + w.namespace(peer.NetNS)
	}
	text := "the other end is " + peer.State.String() + " at " + who
	if f.Count > 1 {
		text = "the other end of the oldest is " + peer.State.String() + " at " + who
	}
	switch {
	case peer.State != tcp.CloseWait:
	case peer.AtFault:
		text += ": that one is at fault"
	case f.Signs.Has(leak.SignUnreadData):
		text += ": it has data left to send, and this end does not read"
	default:
		text += ": it has data left to send"
	}
	if peer.Sockets > 1 {
		text += fmt.Sprintf("; %s of %s have such a peer on this host", w.count(uint64(peer.Sockets)), w.count(uint64(max(f.Count, 0))))
	}
	if peer.Finding != "" {
		text += "; finding " + printableText(peer.Finding)
	}
	return text
}

// blames says which other findings this one is the cause of.
func (w *Findings) blames(f *leak.Finding) string {
	if len(f.Blames) == 0 {
		return ""
	}
	names := make([]string, len(f.Blames))
	for i, id := range f.Blames {
		names[i] = w.other(id)
	}
	return "keeps the other end waiting: " + strings.Join(names, ", ")
}

// other names another finding, with what the same report says of it.
func (w *Findings) other(id string) string {
	text := "finding " + printableText(id)
	if f := w.byID[id]; f != nil {
		text = w.sockets(f) + " of " + w.owner(&f.Key) + " (" + text + ")"
	}
	return text
}

// leg says what may be the other side of a proxy.
func (w *Findings) leg(f *leak.Finding) string {
	if f.Leg == nil {
		return ""
	}
	return fmt.Sprintf("maybe the other side of %s: a guess, from %s that got there at the same time", w.other(f.Leg.Finding),
		w.counted(f.Leg.Pairs, "pair"))
}

// evidence names the signs.
func (w *Findings) evidence(f *leak.Finding) string {
	text := strings.Join(f.Signs.Names(), ", ")
	if f.RecvQ > 0 || f.SendQ > 0 {
		if text != "" {
			text += "; "
		}
		text += fmt.Sprintf("Recv-Q %s, Send-Q %s in all", w.count(f.RecvQ), w.count(f.SendQ))
	}
	return text
}
