package api

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/cluster"
	"github.com/cloudlicenses/cloudlicenses/fsm/directory"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// readyTimeout bounds how long /readyz asks around.
const readyTimeout = 2 * time.Second

// health is GET /healthz: the process answers.
func (c *adminCall) health() error {
	return c.reply(http.StatusOK, struct {
		Status string `json:"status"`
		Node   string `json:"node"`
	}{"ok", c.server.cfg.NodeID})
}

// readiness is the reply of /readyz.
type readiness struct {
	Status  string   `json:"status"` // "ready" or "not_ready"
	Node    string   `json:"node"`
	Reasons []string `json:"reasons,omitempty"`
	// Warnings are no reason to send nothing here.
	Warnings []string `json:"warnings,omitempty"`
}

// ready is GET /readyz: 200 once every group has a leader that can be reached
// and the cluster's secrets are open, else 503 with the reasons.
func (c *adminCall) ready() error {
	ctx, cancel := context.WithTimeout(c.r.Context(), readyTimeout)
	defer cancel()
	r := readiness{Status: "ready", Node: c.server.cfg.NodeID, Reasons: c.server.notReady(ctx), Warnings: c.server.warnings()}
	if len(r.Reasons) > 0 {
		r.Status = "not_ready"
		return c.reply(http.StatusServiceUnavailable, r)
	}
	return c.reply(http.StatusOK, r)
}

// warnings says what a node does not do at the moment: one that has no room for
// writes still answers reads, and passes writes on to other leaders.
func (s *Server) warnings() []string {
	free, reserve, low := s.cfg.Node.Space()
	if !low {
		return nil
	}
	return []string{fmt.Sprintf("storage_full: the data folder has %d bytes free, and --min-free-disk is %d: new writes to the groups that this node leads are refused", free, reserve)}
}

func (s *Server) notReady(ctx context.Context) (reasons []string) {
	if s.shard.Secrets() == nil {
		reasons = append(reasons, "the cluster's secrets are not open yet")
	}
	select {
	case <-s.cfg.Node.Ready():
	default:
		return append(reasons, "the node has not joined its cluster yet")
	}
	for _, group := range s.cfg.Node.Groups(ctx) {
		if group.Leader == "" {
			reasons = append(reasons, groupKind(group.ID)+" group "+strconv.FormatUint(uint64(group.ID), 10)+" has no reachable leader")
		}
	}
	return reasons
}

func groupKind(id cluster.GroupID) string {
	if id == 0 {
		return "directory"
	}
	return "license"
}

// groupView is a group as GET /v1/cluster shows it.
type groupView struct {
	ID          cluster.GroupID         `json:"id"`
	Kind        string                  `json:"kind"`
	Leader      *string                 `json:"leader"`
	Term        uint64                  `json:"term"`
	CommitIndex uint64                  `json:"commit_index"`
	Replicas    []cluster.ReplicaStatus `json:"replicas"`
}

// cluster is GET /v1/cluster.
func (c *adminCall) cluster() error {
	view := struct {
		Nodes  []cluster.Member `json:"nodes"`
		Groups []groupView      `json:"groups"`
	}{Nodes: c.server.cfg.Node.Members(), Groups: []groupView{}}
	if view.Nodes == nil {
		view.Nodes = []cluster.Member{}
	}
	for _, g := range c.server.cfg.Node.Groups(c.r.Context()) {
		shown := groupView{ID: g.ID, Kind: groupKind(g.ID), Term: g.Term, CommitIndex: g.CommitIndex, Replicas: g.Replicas}
		if g.Leader != "" {
			shown.Leader = &g.Leader
		}
		if shown.Replicas == nil {
			shown.Replicas = []cluster.ReplicaStatus{}
		}
		view.Groups = append(view.Groups, shown)
	}
	return c.reply(http.StatusOK, view)
}

// maxJoinAddresses bounds one join.
const maxJoinAddresses = 100

// oneLine is the text of an error that may be memberlist's list of them.
func oneLine(err error) string {
	var lines []string
	for line := range strings.Lines(err.Error()) {
		line = strings.Trim(line, " \t\r\n*")
		if line != "" && !strings.HasSuffix(line, "occurred:") { // the list's heading
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "; ")
}

// join is POST /v1/cluster/join: gossip with more addresses.
func (c *adminCall) join() error {
	var body struct {
		Addresses []string `json:"addresses"`
	}
	if err := c.decode(&body); err != nil {
		return err
	}
	if len(body.Addresses) < 1 || len(body.Addresses) > maxJoinAddresses {
		return invalid("/addresses", "must be 1 to "+strconv.Itoa(maxJoinAddresses)+" gossip addresses, host:port")
	}
	joined, err := c.server.cfg.Node.JoinPeers(body.Addresses)
	if err != nil && joined == 0 {
		return &problem{code: cloudlicenses.InvalidField, detail: "none of the addresses answered: " + oneLine(err)}
	}
	return c.reply(http.StatusOK, struct {
		Joined int `json:"joined"`
	}{joined})
}

// stateHash is GET /v1/groups/{group}/hash: of this node's replica.
func (c *adminCall) stateHash() error {
	id, err := strconv.ParseUint(c.r.PathValue("group"), 10, 32)
	if err != nil {
		return &problem{code: cloudlicenses.NotFound, detail: "no such group"}
	}
	// Both machines answer with a tuple of this shape.
	var hash license.StateHash
	op := license.QueryHash
	if id == 0 {
		op = directory.QueryHash
	}
	fresh, err := c.server.shard.ReadGroup(c.r.Context(), cluster.GroupID(id), shard.Command{Op: op, Result: &hash}, c.readOptions())
	if err != nil {
		return err
	}
	if hash.Code != cloudlicenses.OK {
		return &problem{code: hash.Code}
	}
	c.fresh(fresh)
	return c.reply(http.StatusOK, struct {
		Group        uint64 `json:"group"`
		AppliedIndex uint64 `json:"applied_index"`
		Hash         string `json:"hash"`
	}{id, hash.AppliedIndex, hex.EncodeToString(hash.Hash[:])})
}

// readOptions are those of every read of the admin address: the local
// replica, unless the request asks otherwise.
func (c *adminCall) readOptions() shard.ReadOptions {
	return shard.ReadOptions{
		Linearizable: c.r.URL.Query().Get("consistency") == "linearizable",
		MinIndex:     c.r.Header.Get(headerMinIndex),
	}
}

// fresh sets the headers that say how fresh an answer is.
func (c *adminCall) fresh(f shard.Freshness) {
	c.w.Header().Set(headerApplied, f.Applied)
	c.w.Header().Set(headerStaleness, strconv.FormatInt(f.StalenessMillis, 10))
}
