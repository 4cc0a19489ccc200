package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tcptrail/tcptrail/internal/config"
	"github.com/tcptrail/tcptrail/internal/leak"
)

// configure sets the flags that a configuration file names and the command line does not.
func configure(cmd *cobra.Command, path string) error {
	settings, err := config.Read(path)
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	given := map[string]bool{}
	cmd.Flags().Visit(func(f *pflag.Flag) { given[f.Name] = true })
	var errs []error
	for i := range settings {
		s := &settings[i]
		if err := set(cmd, s, given[s.Name]); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", path, &config.Error{Line: s.Line, What: err.Error()}))
		}
	}
	return errors.Join(errs...)
}

// set sets one flag, or only says whether the file names it rightly, where the command line has the last word.
func set(cmd *cobra.Command, s *config.Setting, isGiven bool) error {
	f := cmd.Flags().Lookup(s.Name)
	if f == nil || f.Hidden || isForCommandLine(s.Name) {
		return fmt.Errorf("%q is no setting: %s", s.Name, similarFlags(cmd, s.Name))
	}
	if len(s.Values) > 1 && !takesSeveral(f.Value) {
		return fmt.Errorf("%q takes one value: leave one", s.Name)
	}
	if isGiven {
		return nil
	}
	for _, value := range s.Values {
		if f.Value.Type() == "bool" && value != "true" && value != "false" {
			return fmt.Errorf("%s %q: use true or false", s.Name, value)
		}
		if err := cmd.Flags().Set(s.Name, value); err != nil {
			return explainFlag(cmd, err)
		}
	}
	return nil
}

// isForCommandLine says which flags make no sense in a file.
func isForCommandLine(name string) bool {
	switch name {
	case "config", "check", "help", "version":
		return true
	}
	return false
}

// takesSeveral says whether a flag may be given several times.
func takesSeveral(v pflag.Value) bool {
	switch v.(type) {
	case each, words, *leak.Limits:
		return true
	}
	return false
}
