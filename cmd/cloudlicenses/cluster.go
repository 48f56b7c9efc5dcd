package main

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

func newClusterCommand() *cobra.Command {
	return newGroup("cluster", "Look at and tend a cluster",
		"Operator's commands for a running cluster, spoken to one node's admin address.\n"+operatorEnvironment,
		newClusterStatusCommand(), newClusterJoinCommand())
}

// clusterStatus is GET /v1/cluster (contract "Operators").
type clusterStatus struct {
	Nodes []struct {
		ID      string `json:"id"`
		State   string `json:"state"`
		HTTP    string `json:"http"`
		Region  string `json:"region"`
		Zone    string `json:"zone"`
		Version string `json:"version"`
	} `json:"nodes"`
	Groups []struct {
		ID          uint32  `json:"id"`
		Kind        string  `json:"kind"`
		Leader      *string `json:"leader"`
		Term        uint64  `json:"term"`
		CommitIndex uint64  `json:"commit_index"`
		Replicas    []struct {
			Node         string `json:"node"`
			Role         string `json:"role"`
			AppliedIndex uint64 `json:"applied_index"`
		} `json:"replicas"`
	} `json:"groups"`
}

func newClusterStatusCommand() *cobra.Command {
	op := &operator{}
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show nodes, groups, leaders and replicas",
		Long:  "Shows the nodes as gossip knows them and every group with its leader and replicas.\n" + operatorEnvironment,
		Example: `  CLOUDLICENSES_ADMIN_TOKEN=$(cat data/n1/admin.token) cloudlicenses cluster status --admin http://127.0.0.1:8081
  cloudlicenses cluster status --admin-token-file data/n1/admin.token --output json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := op.connect(); err != nil {
				return err
			}
			var status clusterStatus
			if err := op.call(cmd.Context(), http.MethodGet, "/v1/cluster", nil, &status); err != nil {
				return err
			}
			if op.output == outputJSON {
				return printJSON(cmd.OutOrStdout(), status)
			}
			if err := status.print(cmd); err != nil {
				return err
			}
			var left outboxStatus
			if err := op.call(cmd.Context(), http.MethodGet, "/v1/outbox", nil, &left); err != nil {
				_, err = fmt.Fprintf(cmd.ErrOrStderr(), "\nThe outbox can't be read: %v\n", err) // of a group without a leader
				return err
			}
			return left.print(cmd.OutOrStdout())
		},
	}
	op.addTo(cmd)
	return cmd
}

func (s *clusterStatus) print(cmd *cobra.Command) error {
	nodes := table{header: []string{"NODE", "STATE", "HTTP", "REGION", "ZONE", "VERSION"}}
	for _, n := range s.Nodes {
		nodes.add(n.ID, n.State, n.HTTP, n.Region, n.Zone, n.Version)
	}
	if err := nodes.print(cmd.OutOrStdout()); err != nil {
		return err
	}
	groups := table{header: []string{"GROUP", "KIND", "LEADER", "TERM", "COMMIT", "REPLICAS (applied)"}}
	for _, g := range s.Groups {
		leader := ""
		if g.Leader != nil {
			leader = *g.Leader
		}
		replicas := make([]string, len(g.Replicas))
		for i, r := range g.Replicas {
			replicas[i] = fmt.Sprintf("%s:%s(%d)", r.Node, r.Role, r.AppliedIndex)
		}
		groups.add(strconv.FormatUint(uint64(g.ID), 10), g.Kind, leader, strconv.FormatUint(g.Term, 10),
			strconv.FormatUint(g.CommitIndex, 10), strings.Join(replicas, " "))
	}
	if _, err := fmt.Fprintln(cmd.OutOrStdout()); err != nil {
		return err
	}
	return groups.print(cmd.OutOrStdout())
}

// outboxStatus is the reply of GET /v1/outbox.
type outboxStatus struct {
	Groups []struct {
		ID       uint32       `json:"id"`
		Pending  outboxCounts `json:"pending"`
		Dead     outboxCounts `json:"dead"`
		OldestAt *string      `json:"oldest_at"`
	} `json:"groups"`
}

type outboxCounts struct {
	Mails    int64 `json:"mails"`
	Webhooks int64 `json:"webhooks"`
}

// print says what has not left yet, or could not; nothing where all has.
func (s *outboxStatus) print(w io.Writer) error {
	left := table{header: []string{"OUTBOX OF GROUP", "MAILS", "WEBHOOKS", "OLDEST", "FAILED MAILS", "FAILED WEBHOOKS"}}
	for _, g := range s.Groups {
		if g.Pending == (outboxCounts{}) && g.Dead == (outboxCounts{}) {
			continue
		}
		oldest := ""
		if g.OldestAt != nil {
			oldest = *g.OldestAt
		}
		number := func(n int64) string { return strconv.FormatInt(n, 10) }
		left.add(number(int64(g.ID)), number(g.Pending.Mails), number(g.Pending.Webhooks), oldest, number(g.Dead.Mails), number(g.Dead.Webhooks))
	}
	if len(left.rows) == 0 {
		return nil
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	return left.print(w)
}

func newClusterJoinCommand() *cobra.Command {
	op := &operator{}
	cmd := &cobra.Command{
		Use:   "join ADDR [ADDR…]",
		Short: "Have a node gossip with more addresses",
		Long: `Tells the node behind --admin the gossip addresses of other nodes, as --join does
at its start.
` + operatorEnvironment,
		Example: `  cloudlicenses cluster join 10.0.0.2:7001 10.0.0.3:7001 --admin http://10.0.0.1:8081`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("name at least one gossip address (host:port) to join")
			}
			for _, a := range args {
				if _, _, err := splitAddress(a); err != nil {
					return usagef("%q: %w", a, err)
				}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := op.connect(); err != nil {
				return err
			}
			request := struct {
				Addresses []string `json:"addresses"`
			}{args}
			var reply struct {
				Joined int `json:"joined"`
			}
			if err := op.call(cmd.Context(), http.MethodPost, "/v1/cluster/join", request, &reply); err != nil {
				return err
			}
			if op.output == outputJSON {
				return printJSON(cmd.OutOrStdout(), reply)
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "%d of %d addresses answered.\n", reply.Joined, len(args))
			return err
		},
	}
	op.addTo(cmd)
	return cmd
}
