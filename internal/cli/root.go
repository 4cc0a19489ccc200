package cli

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"
)

const rootHelp = `Shows every TCP state transition of the host as it happens, in all network
namespaces: which socket, from which state to which, how long it had been there,
who owns it and by what evidence, and why it closed.

Without a command it traces.`

// suggestionDistance is how many letters of a command may be wrong for it to be suggested; cobra's own choice.
const suggestionDistance = 2

func newRoot(env *Env) *cobra.Command {
	root := newTrace(env)
	root.Use = "tcptrail [flags] [FILTER]"
	root.Args = cobra.ArbitraryArgs
	root.Short = "Trace every TCP transition with its true owner"
	root.Long = rootHelp + "\n\n" + traceFilterHelp + "\n\n" + legend
	root.Example = strings.ReplaceAll(root.Example, "tcptrail trace", "tcptrail")
	root.Version = env.Version
	root.SilenceErrors = true
	root.SilenceUsage = true
	root.SuggestionsMinimumDistance = suggestionDistance
	root.SetOut(env.said)
	root.SetErr(env.Stderr)
	root.SetVersionTemplate("tcptrail {{.Version}}\n")
	root.SetFlagErrorFunc(explainFlag)
	root.AddCommand(newTrace(env), newList(env), newCount(env), newLeaks(env), newRun(env), newLog(env), newServe(env), newReplay(env), newHistory(env))
	root.SetHelpCommand(newHelp())
	root.InitDefaultCompletionCmd()
	tightenCompletion(root)
	return root
}

// newHelp is cobra's help command, but for refusing what it does not know.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:               "help [command]",
		Short:             "Help about a command",
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(help *cobra.Command, args []string) error {
			cmd, rest, err := help.Root().Find(args)
			if err != nil {
				return usageError{err}
			}
			if err := noArgs(help, rest); err != nil {
				return err
			}
			cmd.InitDefaultHelpFlag()
			cmd.InitDefaultVersionFlag()
			return cmd.Help()
		},
	}
}

// tightenCompletion makes cobra's completion commands refuse wrong use as all others do.
func tightenCompletion(root *cobra.Command) {
	for _, cmd := range root.Commands() {
		if cmd.Name() != "completion" {
			continue
		}
		cmd.Short = "Completions for a shell: source <(tcptrail completion bash)"
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			if err := noArgs(cmd, args); err != nil {
				return err
			}
			return usageError{errors.New("completion needs a shell: bash, fish, powershell or zsh")}
		}
		cmd.Args = nil
		for _, shell := range cmd.Commands() {
			shell.Args = noArgs
		}
	}
}
