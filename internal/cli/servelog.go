package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// newServeLog returns what serve writes to stderr: lines for people, or a JSON object each.
func newServeLog(w io.Writer, format, level string) (*slog.Logger, error) {
	var least slog.Level
	switch level {
	case "debug", "info", "warn", "error":
		_ = least.UnmarshalText([]byte(level)) // one of its own words
	default:
		return nil, fmt.Errorf("--log-level %q: use debug, info, warn or error", level)
	}
	switch format {
	case "text":
		return slog.New(&lineHandler{w: w, least: least}), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: least})), nil
	}
	return nil, fmt.Errorf("--log-format %q: use text or json", format)
}

// lineHandler writes messages as all commands do. Attributes are for machines, and in lines for those who look for bugs.
type lineHandler struct {
	w     io.Writer
	least slog.Level
	with  []slog.Attr
}

func (h *lineHandler) Enabled(_ context.Context, level slog.Level) bool { return level >= h.least }

func (h *lineHandler) Handle(_ context.Context, r slog.Record) error {
	var line strings.Builder
	line.WriteString("tcptrail: " + oneLine(r.Message))
	if r.Level < slog.LevelInfo {
		add := func(a slog.Attr) bool {
			fmt.Fprintf(&line, " %s=%q", a.Key, a.Value.String())
			return true
		}
		for _, a := range h.with {
			add(a)
		}
		r.Attrs(add)
	}
	line.WriteByte('\n')
	_, err := io.WriteString(h.w, line.String())
	return err
}

func (h *lineHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *h
	with.with = append(with.with[:len(with.with):len(with.with)], attrs...)
	return &with
}

// WithGroup leaves groups out: a line is flat.
func (h *lineHandler) WithGroup(string) slog.Handler { return h }

// logged is a stderr that makes warnings of the lines that are written to it.
type logged struct{ log *slog.Logger }

func (l logged) Write(text []byte) (int, error) {
	for line := range bytes.Lines(text) {
		if message := strings.TrimPrefix(string(bytes.TrimSpace(line)), "tcptrail: "); message != "" {
			l.log.Warn(message)
		}
	}
	return len(text), nil
}

// isForMachines says whether a log has objects rather than lines.
func isForMachines(log *slog.Logger) bool {
	_, ok := log.Handler().(*slog.JSONHandler)
	return ok
}
