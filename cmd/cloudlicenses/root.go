package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// newRootCommand returns the whole command tree. Every call makes a new one,
// so that tests share nothing.
func newRootCommand() *cobra.Command {
	root := newGroup("cloudlicenses",
		"Checks software licenses out, on a cluster that does not lose them",
		`One binary for everything: a node of the cluster, the operator's commands and
the license commands of a workstation.

  cloudlicenses dev            a whole three-node cluster on this machine
  cloudlicenses server         one node of a real cluster
  cloudlicenses run -- CMD     a program that holds a license while it runs`)
	root.SilenceErrors = true
	root.SilenceUsage = true
	root.Version = versionLine()
	root.SetVersionTemplate("{{.Version}}\n")
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{explainFlagError(cmd, err)}
	})
	root.AddCommand(
		newDevCommand(), newServerCommand(), newClusterCommand(), newCertCommand(),
		newVendorCommand(), newTenantCommand(), newPlanCommand(), newBillingCommand(), newAuditCommand(),
		newCheckoutCommand(), newReturnCommand(), newLeasesCommand(), newRunCommand(),
		newBenchCommand(), newVersionCommand(),
	)
	root.InitDefaultHelpCmd()
	help, _, _ := root.Find([]string{"help"})
	help.Args = knownCommand
	return root
}

// knownCommand demands words that lead to a command, as a usage error: cobra's help
// answers others by the help of the last command that it knew.
func knownCommand(cmd *cobra.Command, args []string) error {
	found, left, err := cmd.Root().Find(args)
	if err == nil && len(left) > 0 {
		return usagef("%s", unknownCommand(found, left[0]))
	}
	return err
}

// newGroup returns a command that only holds others. Alone it prints its help;
// with a word it does not know, it is an error, which cobra's own groups below
// the root are not.
func newGroup(use, short, long string, children ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Long: long,
		SuggestionsMinimumDistance: 2,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return usagef("%s", unknownCommand(cmd, args[0]))
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(children...)
	return cmd
}

// helpOfKnownCommands keeps --help behind a word that is no command from being
// answered by the help of the group before it. The error that it returns is that of
// such a word, once the command line has been run.
func helpOfKnownCommands(root *cobra.Command) func() error {
	var unknown error
	help := root.HelpFunc()
	root.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		if words := cmd.Flags().Args(); cmd.HasSubCommands() && len(words) > 0 {
			unknown = usagef("%s", unknownCommand(cmd, words[0]))
			return
		}
		help(cmd, args)
	})
	return func() error { return unknown }
}

func unknownCommand(cmd *cobra.Command, word string) string {
	msg := fmt.Sprintf("unknown command %q for %q", word, cmd.CommandPath())
	if near := cmd.SuggestionsFor(word); len(near) > 0 {
		msg += fmt.Sprintf("; did you mean %q?", near[0])
	}
	return msg
}

// explainFlagError adds the flag that was probably meant.
func explainFlagError(cmd *cobra.Command, err error) error {
	_, word, found := strings.Cut(err.Error(), "unknown flag: --")
	if !found {
		return err
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	if near := nearest(word, names); near != "" {
		return fmt.Errorf("%w; did you mean --%s?", err, near)
	}
	return err
}

// exactArgs demands n arguments, as a usage error.
func exactArgs(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == n {
			return nil
		}
		if n == 0 {
			return usagef("%q takes no argument, but got %q", cmd.CommandPath(), args[0])
		}
		return usagef("%q wants %s", cmd.CommandPath(), what)
	}
}

// noArgs is exactArgs for commands that work on flags alone.
var noArgs = exactArgs(0, "")

// nearest returns the name that is at most two edits (or a third of the word)
// away from word, or "".
func nearest(word string, names []string) string {
	best, bestDistance := "", max(2, len(word)/3)+1
	for _, name := range slices.Sorted(slices.Values(names)) {
		if d := editDistance(word, name); d < bestDistance {
			best, bestDistance = name, d
		}
	}
	return best
}

// editDistance is Levenshtein's.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
