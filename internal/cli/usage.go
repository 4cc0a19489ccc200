package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// usageError is wrong use of the command line.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

// noArgs refuses words that are neither a command nor a flag.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := "see tcptrail --help"
	if near := cmd.Root().SuggestionsFor(args[0]); len(near) > 0 {
		hint = fmt.Sprintf("did you mean %q?", near[0])
	}
	return usageError{fmt.Errorf("unknown command or argument %q: %s", args[0], hint)}
}

// explainFlag says what would be right, where the parser of flags only says what is wrong.
func explainFlag(cmd *cobra.Command, err error) error {
	var (
		unknown *pflag.NotExistError
		missing *pflag.ValueRequiredError
		invalid *pflag.InvalidValueError
	)
	switch {
	case errors.As(err, &missing):
		f := missing.GetFlag()
		err = fmt.Errorf("--%s needs a value: %s", f.Name, f.Usage)
	case errors.As(err, &invalid) && invalid.GetFlag().Value.Type() == "bool":
		err = fmt.Errorf("--%s %q: leave the value out", invalid.GetFlag().Name, invalid.GetValue())
	case errors.As(err, &invalid):
		err = fmt.Errorf("--%s: %w", invalid.GetFlag().Name, invalid.Unwrap())
	case errors.As(err, &unknown):
		err = fmt.Errorf("%w: %s", err, similarFlags(cmd, unknown.GetSpecifiedName()))
	}
	return usageError{err}
}

// similarFlags names the flags that someone may have meant who wrote name.
func similarFlags(cmd *cobra.Command, name string) string {
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden && len(name) > 1 && (strings.Contains("-"+f.Name, "-"+name) || strings.HasPrefix(name, f.Name)) {
			names = append(names, "--"+f.Name)
		}
	})
	if len(names) == 0 {
		return "see " + cmd.CommandPath() + " --help"
	}
	return "did you mean " + strings.Join(names, " or ") + "?"
}
