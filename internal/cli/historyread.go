package cli

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tcptrail/tcptrail/internal/archive"
	"github.com/tcptrail/tcptrail/internal/filter"
	"github.com/tcptrail/tcptrail/internal/history"
	"github.com/tcptrail/tcptrail/internal/output"
	"github.com/tcptrail/tcptrail/internal/record"
	"github.com/tcptrail/tcptrail/internal/replay"
)

// endpoints is addresses and ports, joined by commas. An empty one is refused, as in words.
type endpoints struct{ to *[]history.Endpoint }

func (e endpoints) Set(text string) error {
	all := *e.to
	for token := range strings.SplitSeq(text, ",") {
		one, err := parseEndpoint(token)
		if err != nil {
			return err
		}
		all = append(all, one)
	}
	*e.to = all
	return nil
}

func (e endpoints) String() string {
	var texts []string
	for _, one := range *e.to {
		text := ""
		if one.Prefix.IsValid() {
			text = one.Prefix.String()
		}
		if one.Port != 0 {
			text = fmt.Sprintf("[%s]:%d", text, one.Port)
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, ",")
}

func (e endpoints) Type() string { return "address" }

// parseEndpoint reads an address or a network, with a port behind it or not, or a colon and a port alone.
func parseEndpoint(text string) (e history.Endpoint, err error) {
	address := text
	if at := strings.LastIndexByte(text, ':'); at >= 0 && (at == 0 || strings.Count(text, ":") == 1 || text[at-1] == ']') {
		port, err := strconv.ParseUint(text[at+1:], 10, 16)
		if err != nil || port == 0 {
			return e, fmt.Errorf("%q: after the colon goes a port, as 10.0.0.7:443 or [::1]:443", text)
		}
		address, e.Port = text[:at], uint16(port)
	}
	if address != "" || e.Port == 0 {
		e.Prefix, err = filter.ParsePrefix(address)
	}
	return e, err
}

// readHistory reads twice: to find out which sockets are meant, and then all about them, wherever it stands.
func readHistory(streams []replay.Stream, q history.Query, a *historyAccount) ([]output.Connection, error) {
	read := map[string]bool{}
	for _, s := range streams {
		a.files += len(s)
	}
	selector := history.NewSelector(q)
	picked := replay.Pick(streams, func(s *archive.Summary) bool { return mayAnswer(s, &q) })
	err := a.play(picked, read, selector.Add)
	var found []output.Connection
	if err == nil && !selector.Empty() {
		found, err = weave(streams, selector, q.Until, a, read)
	}
	a.read += len(read)
	return found, err
}

// weave puts together what is known of the sockets that are meant.
func weave(streams []replay.Stream, selector *history.Selector, until int64, a *historyAccount, read map[string]bool) ([]output.Connection, error) {
	var alive []int64
	cookies, all := selector.Cookies()
	picked := replay.Pick(streams, func(s *archive.Summary) bool {
		if s.Loose > 0 || (until == 0 || s.First <= until) && (!all || hasOne(s, cookies, cookieKey)) {
			return true
		}
		alive = append(alive, s.Last)
		return false
	})
	builder := history.NewBuilder(selector)
	if err := a.play(picked, read, builder.Add); err != nil {
		return nil, err
	}
	for _, at := range alive {
		builder.Alive(at)
	}
	a.more += selector.More()
	if at := builder.Stopped(); at != 0 {
		a.stopped = append(a.stopped, at)
	}
	return builder.Connections(), nil
}

// mayAnswer says whether there may be a line in a file that answers what is asked. Lines about no socket tell what all others
// are worth, so that files with such are read in any case: of log --layout process, those of the host.
func mayAnswer(s *archive.Summary, q *history.Query) bool {
	if s.Loose > 0 {
		return true
	}
	return s.Last >= q.Since && (q.Until == 0 || s.First <= q.Until) &&
		hasOne(s, q.PIDs, func(pid uint32) (archive.Keys, bool) { return archive.Keys{PID: pid}, true }) &&
		hasOne(s, q.Cookies, cookieKey) &&
		hasOne(s, q.Local, func(e history.Endpoint) (archive.Keys, bool) {
			return archive.Keys{Local: e.Prefix.Addr()}, e.Prefix.IsSingleIP()
		}) &&
		hasOne(s, q.Remote, func(e history.Endpoint) (archive.Keys, bool) {
			return archive.Keys{Remote: e.Prefix.Addr()}, e.Prefix.IsSingleIP()
		})
}

func cookieKey(cookie uint64) (archive.Keys, bool) { return archive.Keys{Cookie: cookie}, true }

// hasOne says whether a file may have one of several things, of which some are no keys; nothing is asked for by none.
func hasOne[T any](s *archive.Summary, things []T, key func(T) (archive.Keys, bool)) bool {
	return len(things) == 0 || slices.ContainsFunc(things, func(thing T) bool {
		k, ok := key(thing)
		return !ok || s.MayHave(k)
	})
}

// historyAccount is what is to be said about how a history came about.
type historyAccount struct {
	files, read int
	stats       replay.Stats // the worse of the two times that it was read
	more        uint64
	stopped     []int64 // when there was no room for more, ns since 1970
}

// play hands out all lines of some files.
func (a *historyAccount) play(streams []replay.Stream, read map[string]bool, add func(*record.Record)) error {
	for _, s := range streams {
		for i := range s {
			read[s[i].Name] = true
		}
	}
	player, err := replay.Open(streams)
	if err != nil {
		return err
	}
	for {
		r, err := player.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return errors.Join(err, player.Close())
		}
		add(r)
	}
	s := player.Stats()
	a.stats.Lines = max(a.stats.Lines, s.Lines)
	a.stats.Torn = max(a.stats.Torn, s.Torn)
	if s.Bad > a.stats.Bad {
		a.stats.Bad, a.stats.First = s.Bad, s.First
	}
	return player.Close()
}

// tell says what could not be had, and how many files that took.
func (a *historyAccount) tell(env *Env, found int) {
	say := func(format string, args ...any) { fmt.Fprintf(env.Stderr, "tcptrail: "+format+"\n", args...) }
	if a.stats.Bad > 0 {
		say("%s could not be read, the first in %s", plural(int(a.stats.Bad), "line"), oneLine(a.stats.First.Error()))
	}
	if a.stats.Torn > 0 {
		say("%s torn off", plural(int(a.stats.Torn), "last line"))
	}
	if a.more > 0 {
		say("%s before these are left out, for there were more than %d: narrow it by --since or --until", plural(int(a.more), "socket"), history.MaxSockets)
	}
	for _, at := range a.stopped {
		say("this is up to %s, for there were more lines than fit into memory: narrow it by --since or a condition",
			time.Unix(0, at).Format(time.RFC3339))
	}
	if found == 0 {
		say("no connection of that is recorded")
	}
	say("read %d of %s", a.read, plural(a.files, "file"))
}
