// Command cloudlicenses is the one binary of the platform: nodes of a cluster,
// its operators' commands and the license commands of a workstation. It wires
// the parts together, knows all of them and decides nothing.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// Exit codes. A command run by `run` adds its own.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	os.Exit(execute(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// execute runs one command line and returns the process's exit code.
func execute(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRootCommand()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)

	unknown := helpOfKnownCommands(root)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		err = unknown()
	}
	if err == nil {
		return exitOK
	}
	var exit exitError
	if errors.As(err, &exit) {
		return exit.code
	}
	_, _ = fmt.Fprintf(stderr, "cloudlicenses: %v\n", err)
	var usage usageError
	if errors.As(err, &usage) {
		if cmd.Name() == "help" {
			cmd = cmd.Root() // which lists the commands
		}
		_, _ = fmt.Fprintf(stderr, "See '%s --help'.\n", cmd.CommandPath())
		return exitUsage
	}
	return exitFailed
}

// usageError is a command line (or configuration) that can't be run as
// written: exit code 2.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

// usagef returns a usageError.
func usagef(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

// exitError ends the process with a code of its own and no message: the
// command that was run has spoken for itself.
type exitError struct{ code int }

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", e.code) }
