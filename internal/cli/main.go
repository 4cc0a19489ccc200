package cli

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"github.com/tcptrail/tcptrail/internal/filter"
	"github.com/tcptrail/tcptrail/internal/kernel"
	"github.com/tcptrail/tcptrail/internal/output"
	"github.com/tcptrail/tcptrail/internal/proc"
)

// Main runs the command that args, without the program's name, ask for and returns the exit code. It writes to stderr no
// longer than it takes anything, and at an error one line.
func Main(env *Env, args []string) int {
	own := *env
	own.Stderr = &impatient{w: env.Stderr, limit: env.drainLimit()}
	own.args = joinTime(args)
	own.said = &said{w: env.Stdout}
	root := newRoot(&own)
	root.SetArgs(own.args)
	err := root.Execute()
	if err == nil {
		err = wrote(own.said.err)
	}
	if err == nil {
		return ExitDone
	}
	if errors.Is(err, errFound) {
		return ExitFound
	}
	var exit exitError
	if errors.As(err, &exit) {
		return int(exit)
	}
	fmt.Fprintf(own.Stderr, "tcptrail: %s\n", oneLine(err.Error()))
	var syntax *filter.SyntaxError
	if errors.As(err, &syntax) {
		fmt.Fprintln(own.Stderr, syntax.Caret())
	}
	return exitCode(err)
}

// exitCode returns what an error means to scripts.
func exitCode(err error) int {
	var (
		unsupported *kernel.UnsupportedError
		usage       usageError
	)
	switch {
	case errors.As(err, &unsupported), errors.Is(err, proc.ErrNoProc):
		return ExitUnsupported
	case errors.As(err, &usage):
		return ExitUsage
	}
	return ExitFailed
}

// said is what goes to stdout that is no command's output: help, version, completions. Who writes those drops errors, or
// takes a reader that went away for one; here they are kept instead.
type said struct {
	w   io.Writer
	err error
}

func (s *said) Write(b []byte) (int, error) {
	if s.err == nil {
		_, s.err = s.w.Write(b)
	}
	return len(b), nil
}

// joinTime lets the value of -T follow at once or as a word of its own. A flag that may stand alone, as this one may for
// the habits of tcpstates, otherwise takes its value only after "=".
func joinTime(args []string) []string {
	args = slices.Clone(args)
	for i := 0; i < len(args) && args[i] != "--"; i++ {
		if style, ok := strings.CutPrefix(args[i], "-T"); ok && isTimeStyle(style) {
			args[i] = "-T=" + style
		}
		if (args[i] == "-T" || args[i] == "--time") && i+1 < len(args) && isTimeStyle(args[i+1]) {
			args[i] += "=" + args[i+1]
			args = slices.Delete(args, i+1, i+2)
		}
	}
	return args
}

func isTimeStyle(word string) bool {
	_, err := output.ParseTimeStyle(word)
	return err == nil
}

// oneLine puts the lines of a text, as of joined errors, on one, and leaves out what a terminal would obey.
func oneLine(text string) string {
	text = strings.ReplaceAll(strings.TrimSpace(text), "\n", "; ")
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) { // a control character, or one that hides or turns round what is beside it
			return '?'
		}
		return r
	}, text)
}
