package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/tcptrail/tcptrail/internal/filter"
	"github.com/tcptrail/tcptrail/internal/leak"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// mute keeps what an expression selects out of findings.
type mute struct {
	expr  *filter.Expr
	lasts time.Duration // from the start on; 0: for good
	host  filter.Host
}

// parseMutes reads --mute flags: a filter, or how long it counts, a colon and a filter.
func parseMutes(env *Env, texts []string) ([]mute, error) {
	if len(texts) == 0 {
		return nil, nil
	}
	host, err := newHost(env.Proc)
	if err != nil {
		return nil, err
	}
	var mutes []mute
	for _, text := range texts {
		m := mute{host: host}
		rule := text
		if before, after, ok := strings.Cut(text, ":"); ok {
			if d, err := time.ParseDuration(strings.TrimSpace(before)); err == nil {
				if d <= 0 {
					return nil, fmt.Errorf("--mute %q: a time has to be above 0", text)
				}
				m.lasts, rule = d, after
			}
		}
		if strings.TrimSpace(rule) == "" {
			return nil, fmt.Errorf("--mute %q: which sockets? Use a filter, as 'comm rsync' or '2h: dport = :873'", text)
		}
		if m.expr, err = filter.Parse(rule, resolver{env.Proc}); err != nil {
			return nil, fmt.Errorf("--mute %q, %w", text, err)
		}
		mutes = append(mutes, m)
	}
	return mutes, nil
}

// from returns the mute as it counts from a time of CLOCK_MONOTONIC on.
func (m *mute) from(now int64) leak.Mute {
	until := leak.Never
	if m.lasts > 0 {
		until = now + int64(m.lasts)
	}
	return leak.Mute{Match: func(s *tcp.Socket) bool { return m.expr.MatchSocket(s, m.host) }, Until: until}
}
