package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/cloudlicenses/cloudlicenses/clients/go"
)

// returnTimeout bounds the return of the lease after the program has ended; a
// lease that can't be returned ends by itself. After returnSilence a person is
// told what is waited for.
const (
	returnTimeout = 10 * time.Second
	returnSilence = time.Second
)

// leaseIDEnv tells the program which lease it runs under.
const leaseIDEnv = "CLOUDLICENSES_LEASE_ID"

// What `run` does when its lease is lost.
const (
	lostWarn = "warn"
	lostStop = "stop"
)

// Exit codes of `run` where the program could not be started, as a shell's.
const (
	exitNotExecutable = 126
	exitNotFound      = 127
	exitSignalBase    = 128
)

func newRunCommand() *cobra.Command {
	var w workstation
	var flags checkoutFlags
	var onLost string
	cmd := &cobra.Command{
		Use:   "run --product P -- CMD [ARGS…]",
		Short: "Run a program while holding a license",
		Long: `Checks a license out, keeps it alive, runs CMD, and returns the license when CMD
ends. Signals are passed on to CMD, and its exit code is that of run. CMD finds
its lease in CLOUDLICENSES_LEASE_ID. When no license is granted CMD is not
started, and the exit code is 1.
` + workstationEnvironment,
		Example: `  export LICENSE_SERVER_URL=https://mercedes.cloudlicenses.com LICENSE_API_KEY=clsk_mercedes_…
  cloudlicenses run --product davinci-configurator-se -- davinci --project door.dpa`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("no command to run: put it after --, as in 'cloudlicenses run --product P -- CMD ARGS'")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := flags.check(); err != nil {
				return err
			}
			if onLost != lostWarn && onLost != lostStop {
				return usagef("--on-lost %q: want %s or %s", onLost, lostWarn, lostStop)
			}
			client, err := w.connect()
			if err != nil {
				return err
			}
			defer client.Close()
			path, err := exec.LookPath(args[0])
			if err != nil {
				return notStarted(cmd.ErrOrStderr(), err)
			}
			program := exec.Command(path, args[1:]...)
			program.Args[0] = args[0]
			program.Stdin, program.Stdout, program.Stderr = cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()
			return runLicensed(cmd.Context(), client, flags.request, program, onLost)
		},
	}
	cmd.Flags().SetInterspersed(false)
	w.addTo(cmd)
	flags.addTo(cmd)
	cmd.Flags().StringVar(&onLost, "on-lost", lostWarn, "when the lease is lost: warn, or stop the program with SIGTERM")
	return cmd
}

// runLicensed runs program under a lease.
func runLicensed(ctx context.Context, client *licenseclient.Client, request licenseclient.CheckoutRequest, program *exec.Cmd, onLost string) error {
	// Signals count from here on: one that comes during the checkout ends it.
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2)
	defer signal.Stop(signals)

	lease, err := checkoutUnlessSignaled(ctx, client, request, signals)
	if err != nil {
		return explainCheckout(client, &request, err)
	}
	keep, stopKeeping := context.WithCancel(context.WithoutCancel(ctx))
	defer stopKeeping()
	lease.KeepAlive(keep)

	program.Env = append(os.Environ(), leaseIDEnv+"="+lease.ID)
	err = program.Start()
	if err == nil {
		err = attend(program, lease, signals, onLost)
	} else {
		err = notStarted(program.Stderr, err)
	}
	giveBack(context.WithoutCancel(ctx), lease, program.Stderr)
	return err
}

// giveBack returns the lease, and says what it waits for and how it ended.
func giveBack(ctx context.Context, lease *licenseclient.Lease, stderr io.Writer) {
	first, cancel := context.WithTimeout(ctx, returnSilence)
	err := lease.Return(first)
	cancel()
	var unfinished *licenseclient.UnfinishedError
	if errors.As(err, &unfinished) {
		_, _ = fmt.Fprintf(stderr, "cloudlicenses: %s can't be returned yet, trying for %s more: %v\n", lease.ID, returnTimeout, err)
		again, cancelAgain := context.WithTimeout(ctx, returnTimeout)
		err = lease.Return(again)
		cancelAgain()
		if err == nil {
			_, _ = fmt.Fprintf(stderr, "cloudlicenses: %s is returned\n", lease.ID)
		}
	}
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "cloudlicenses: %s was not returned (it ends by itself): %v\n", lease.ID, err)
	}
}

// checkoutUnlessSignaled is Checkout, given up at a signal that would end the
// process.
func checkoutUnlessSignaled(ctx context.Context, client *licenseclient.Client, request licenseclient.CheckoutRequest, signals <-chan os.Signal) (*licenseclient.Lease, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	type outcome struct {
		lease *licenseclient.Lease
		err   error
	}
	done := make(chan outcome, 1)
	go func() {
		lease, err := client.Checkout(ctx, request)
		done <- outcome{lease, err}
	}()
	select {
	case o := <-done:
		return o.lease, o.err
	case s := <-signals:
		stopped := fmt.Errorf("stopped by %s", s)
		cancel(stopped)
		if o := <-done; o.err == nil { // granted at that very moment
			returning, cancelReturn := context.WithTimeout(context.WithoutCancel(ctx), returnTimeout)
			defer cancelReturn()
			return nil, errors.Join(stopped, o.lease.Return(returning))
		}
		return nil, stopped
	}
}

// attend waits for the program, passes signals on and watches the lease.
func attend(program *exec.Cmd, lease *licenseclient.Lease, signals <-chan os.Signal, onLost string) error {
	ended := make(chan error, 1)
	go func() { ended <- program.Wait() }()
	lost := lease.Lost()
	for {
		select {
		case err := <-ended:
			return exitOf(err)
		case s := <-signals:
			if fromTerminal(s) {
				continue // the terminal has sent it to the program itself
			}
			_ = program.Process.Signal(s) // it may have ended just now
		case <-lost:
			lost = nil
			_, _ = fmt.Fprintf(program.Stderr, "cloudlicenses: %s is lost: %v\n", lease.ID, lease.Err())
			if onLost == lostStop {
				_ = program.Process.Signal(syscall.SIGTERM)
			}
		}
	}
}

// fromTerminal reports whether a signal is one that a terminal sends to its
// whole foreground group, which the program is in too.
func fromTerminal(s os.Signal) bool {
	if s != syscall.SIGINT && s != syscall.SIGQUIT {
		return false
	}
	group, err := unix.IoctlGetInt(int(os.Stdin.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

// exitOf turns the end of a program into the exit code that a shell would
// report: 128 + n where signal n ended it.
func exitOf(err error) error {
	if err == nil {
		return nil
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return exitError{exitSignalBase + int(status.Signal())}
	}
	return exitError{exit.ExitCode()}
}

// notStarted says why a program could not be started, with a shell's codes.
func notStarted(stderr io.Writer, err error) error {
	_, _ = fmt.Fprintf(stderr, "cloudlicenses: %v\n", err)
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist) {
		return exitError{exitNotFound}
	}
	return exitError{exitNotExecutable}
}
