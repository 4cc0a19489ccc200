package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tcptrail/tcptrail/internal/kernel"
)

// usageError is wrong use of the command line.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

// Main runs the command that args, without the program's name, ask for and returns the exit code.
func Main(env *Env, args []string) int {
	root := newRoot(env)
	root.SetArgs(args)
	err := root.Execute()
	if err == nil {
		return ExitDone
	}
	// One line, whatever is wrapped inside: cobra's suggestions come in lines of their own.
	fmt.Fprintf(env.Stderr, "tcptrail: %s\n", strings.Join(strings.Fields(err.Error()), " "))
	var (
		unsupported *kernel.UnsupportedError
		usage       usageError
	)
	switch {
	case errors.As(err, &unsupported):
		return ExitUnsupported
	case errors.As(err, &usage):
		fmt.Fprintln(env.Stderr, "tcptrail: see tcptrail --help")
		return ExitUsage
	}
	return ExitFailed
}

const rootHelp = `tcptrail shows every TCP state transition of the host as it happens, in all network namespaces: which socket, from
which state to which, how long it had been there, who owns it and by what evidence, and why it closed.

Without a command it traces.`

func newRoot(env *Env) *cobra.Command {
	root := newTrace(env)
	root.Use = "tcptrail [command]"
	root.Short = "Trace every TCP transition with its true owner"
	root.Long = rootHelp + "\n\n" + legend
	root.Example = strings.ReplaceAll(root.Example, "tcptrail trace", "tcptrail")
	root.Version = env.Version
	root.SilenceErrors = true
	root.SilenceUsage = true
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	root.SetVersionTemplate("tcptrail {{.Version}}\n")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(newTrace(env))
	return root
}

// noArgs refuses words that are neither a command nor a flag.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := ""
	if near := cmd.Root().SuggestionsFor(args[0]); len(near) > 0 {
		hint = fmt.Sprintf(", did you mean %q?", near[0])
	}
	return usageError{fmt.Errorf("unknown command or argument %q%s", args[0], hint)}
}
