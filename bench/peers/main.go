// Program bench-peers runs systems that can do the same job as cloudlicenses,
// counting seats and keeping leases on the disks of a majority, and puts them
// under the same load: PostgreSQL, etcd and Redis. See README.md.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/cloudlicenses/cloudlicenses/bench/peers/etcd"
	"github.com/cloudlicenses/cloudlicenses/bench/peers/peer"
	"github.com/cloudlicenses/cloudlicenses/bench/peers/postgres"
	"github.com/cloudlicenses/cloudlicenses/bench/peers/redis"
)

// peers in the order of `list`.
var peers = []peer.Peer{postgres.Postgres{}, etcd.Etcd{}, redis.Redis{}}

// exitNotInstalled is the status where a peer cannot be installed.
const exitNotInstalled = 3

func main() {
	etcd.BecomeNode()
	// Also when nobody reads its output any more, a run stops what it started.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	defer stop()
	root := &cobra.Command{
		Use:           "bench-peers",
		Short:         "The same job done by other systems, under the same load",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(newRunCommand(), newListCommand())
	err := root.ExecuteContext(ctx)
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "bench-peers:", err)
	os.Exit(status(err))
}

// status is the program's exit status for an error.
func status(err error) int {
	if errors.Is(err, peer.ErrNotInstalled) {
		return exitNotInstalled
	}
	return 1
}

func newListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "Peers, their schemes, and what they guarantee",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			out := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			for _, p := range peers {
				fmt.Fprintf(out, "%s: an acknowledged checkout is %s.\n", p.Name(), p.Guarantee())
				for _, s := range p.Schemes() {
					fmt.Fprintf(out, "  %s\t%s\t%s\n", s.Name, s.Kind, s.Text)
				}
			}
			return out.Flush()
		},
	}
}

// peerOf finds a peer by its name.
func peerOf(name string) (peer.Peer, error) {
	names := make([]string, 0, len(peers))
	for _, p := range peers {
		if p.Name() == name {
			return p, nil
		}
		names = append(names, p.Name())
	}
	return nil, fmt.Errorf("no peer %q; there are: %q", name, names)
}
