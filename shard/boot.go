package shard

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/cluster"
	"github.com/cloudlicenses/cloudlicenses/fsm/directory"
)

// Files of the data folder.
const (
	clusterIDFile  = "cluster.id"
	adminTokenFile = "admin.token"
)

// bootPoll is how often a node that does not lead looks for the cluster's
// birth record, which another node writes.
const bootPoll = 20 * time.Millisecond

var (
	// ErrOtherCluster means that the data folder belongs to another cluster.
	ErrOtherCluster = errors.New("the data folder belongs to another cluster")
	// ErrJoinToken means that the join token is not the cluster's.
	ErrJoinToken = errors.New("the join token is not the one that the cluster was started with: check --join-token")
)

// BootConfig is what a node brings to its cluster's birth.
type BootConfig struct {
	// KEK is the 32-byte key of --kek-file, which wraps the cluster's secrets.
	KEK []byte
	// Region is this node's: where tenants that name none are placed, and
	// that of the groups whose nodes' regions are not known.
	Region string
	Domain string
	// JoinToken is kept, hashed, by the node that founds the cluster, and
	// compared by one that joins it for the first time.
	JoinToken string
	// DataDir takes the files cluster.id and admin.token.
	DataDir string
	// AdminTokenFile overrides <DataDir>/admin.token.
	AdminTokenFile string
}

// Boot waits until every group has a leader, founds the cluster where that is
// still to be done (at the directory's leader: id, placement and secrets),
// opens its secrets and writes the files of the data folder. It returns once
// the node may serve. An error is final: ErrKEK, ErrOtherCluster,
// ErrJoinToken, ctx's or that of a file.
func (s *Shard) Boot(ctx context.Context, cfg BootConfig) error {
	if _, err := wrapAEAD(cfg.KEK); err != nil {
		return err
	}
	select {
	case <-s.node.Ready():
	case <-ctx.Done():
		return fmt.Errorf("waiting for the cluster to form: %w", context.Cause(ctx))
	}
	birth, err := s.birth(ctx, cfg)
	if err != nil {
		return err
	}
	if err := s.adopt(birth, cfg); err != nil {
		return err
	}
	if err := s.node.AdoptClusterID(birth.ClusterID); err != nil {
		return fmt.Errorf("%w: %w", ErrOtherCluster, err)
	}
	s.region.Store(&cfg.Region)
	s.logger.Info("cluster is open", "cluster_id", birth.ClusterID, "groups", len(birth.Groups))
	return nil
}

// Fits asks the cluster that a node is about to join whether the node's KEK
// opens its secrets. The error is a *cluster.UnfitError where it does not.
func (s *Shard) Fits(ctx context.Context, kek []byte) error {
	var result directory.ClusterResult
	_, err := s.ReadDirectory(ctx, Command{Op: directory.QueryCluster, Result: &result}, ReadOptions{Linearizable: true})
	if err != nil {
		return fmt.Errorf("read the cluster's birth record: %w", err)
	}
	if result.Code != cloudlicenses.OK {
		return nil // it is being founded: Boot will tell
	}
	if _, err := unwrapSecrets(result.Init.Secrets, kek, result.Init.ClusterID); err != nil {
		return &cluster.UnfitError{Err: err}
	}
	return nil
}

// Secrets returns the cluster's secrets; nil until Boot has returned.
func (s *Shard) Secrets() *Secrets { return s.secrets.Load() }

// birth returns the cluster's birth record, and makes it where this node leads
// the directory and there is none.
func (s *Shard) birth(ctx context.Context, cfg BootConfig) (*directory.Init, error) {
	ticker := time.NewTicker(bootPoll)
	defer ticker.Stop()
	for {
		var result directory.ClusterResult
		_, err := s.ReadDirectory(ctx, Command{Op: directory.QueryCluster, Result: &result}, ReadOptions{Linearizable: true})
		switch {
		case err != nil && !errors.Is(err, cluster.ErrNoLeader):
			return nil, fmt.Errorf("read the cluster's birth record: %w", err)
		case err == nil && result.Code == cloudlicenses.OK:
			return &result.Init, nil
		case err == nil && s.node.Leads(directoryGroup):
			if err := s.found(ctx, cfg); err != nil {
				return nil, err
			}
			continue // whoever was first, its record is there now
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for the cluster's birth record: %w", context.Cause(ctx))
		}
	}
}

// found proposes the birth record. Another node's may come first.
func (s *Shard) found(ctx context.Context, cfg BootConfig) error {
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("make a cluster id: %w", err)
	}
	birth := &directory.Init{
		ClusterID: id.String(),
		Domain:    cfg.Domain,
		Groups:    groupsOf(s.node.Placement(), s.node.Members(), cfg.Region),
		AtMillis:  time.Now().UnixMilli(),
	}
	if birth.Secrets, err = wrapSecrets(newSecrets(), cfg.KEK, birth.ClusterID); err != nil {
		return err
	}
	if cfg.JoinToken != "" {
		birth.JoinTokenHash = hashToken(cfg.JoinToken)
	}
	var ack directory.Ack
	if _, err := s.DoDirectory(ctx, Command{Op: directory.OpInit, Payload: birth, Result: &ack}); err != nil {
		if errors.Is(err, cluster.ErrNoLeader) || errors.Is(err, cluster.ErrOutcomeUnknown) {
			s.logger.Warn("founding the cluster is delayed", "error", err)
			return nil
		}
		return fmt.Errorf("found the cluster: %w", err)
	}
	if ack.Code != cloudlicenses.OK && ack.Code != cloudlicenses.AlreadyExists {
		return fmt.Errorf("found the cluster: %w", &Refusal{Code: ack.Code, Detail: ack.Detail})
	}
	return nil
}

// groupsOf lists the license groups in order of id. A group is in the region
// that most of its nodes are in (the first by name where several are).
func groupsOf(placement map[cluster.GroupID][]string, members []cluster.Member, fallback string) []directory.Group {
	regions := make(map[string]string, len(members))
	for _, m := range members {
		regions[m.ID] = m.Region
	}
	groups := make([]directory.Group, 0, len(placement))
	for id, nodes := range placement {
		if id == directoryGroup {
			continue
		}
		nodes = slices.Sorted(slices.Values(nodes))
		groups = append(groups, directory.Group{ID: uint32(id), Region: commonRegion(nodes, regions, fallback), Nodes: nodes})
	}
	slices.SortFunc(groups, func(a, b directory.Group) int { return cmp.Compare(a.ID, b.ID) })
	return groups
}

func commonRegion(nodes []string, regions map[string]string, fallback string) string {
	counts := map[string]int{}
	for _, node := range nodes {
		if region := regions[node]; region != "" {
			counts[region]++
		}
	}
	best := fallback
	for region, n := range counts {
		if n > counts[best] || (n == counts[best] && region < best) {
			best = region
		}
	}
	return best
}

// adopt checks that this node belongs to the cluster, opens its secrets and
// writes the files.
func (s *Shard) adopt(birth *directory.Init, cfg BootConfig) error {
	idPath := filepath.Join(cfg.DataDir, clusterIDFile)
	known, err := os.ReadFile(idPath)
	switch {
	case errors.Is(err, os.ErrNotExist):
		if len(birth.JoinTokenHash) > 0 && subtle.ConstantTimeCompare(birth.JoinTokenHash, hashToken(cfg.JoinToken)) != 1 {
			return ErrJoinToken
		}
	case err != nil:
		return fmt.Errorf("read the cluster id: %w", err)
	default:
		if id := strings.TrimSpace(string(known)); id != birth.ClusterID {
			return fmt.Errorf("%w: %s belongs to cluster %s, but the nodes it reached are cluster %s; give this node an empty --data-dir or check --join",
				ErrOtherCluster, cfg.DataDir, id, birth.ClusterID)
		}
	}
	secrets, err := unwrapSecrets(birth.Secrets, cfg.KEK, birth.ClusterID)
	if err != nil {
		return err
	}
	keys, err := NewKeys(cfg.KEK)
	if err != nil {
		return err
	}
	kekID, err := keys.id()
	if err != nil {
		return err
	}
	if err := writeFile(filepath.Join(cfg.DataDir, kekIDFile), kekID, 0o600); err != nil {
		return fmt.Errorf("write the name of the cluster's key: %w", err)
	}
	tokenPath := cfg.AdminTokenFile
	if tokenPath == "" {
		tokenPath = filepath.Join(cfg.DataDir, adminTokenFile)
	}
	if err := writeFile(tokenPath, secrets.AdminToken+"\n", 0o600); err != nil {
		return fmt.Errorf("write the admin token: %w", err)
	}
	if err := writeFile(idPath, birth.ClusterID+"\n", 0o644); err != nil {
		return fmt.Errorf("write the cluster id: %w", err)
	}
	s.keys.Store(keys)
	s.secrets.Store(secrets)
	return nil
}

func hashToken(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// writeFile replaces a file so that a crash leaves the old one or the new one;
// one that holds content already is left alone.
func writeFile(path, content string, mode os.FileMode) (err error) {
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, []byte(content)) {
		return os.Chmod(path, mode)
	}
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(tmp.Name())
		}
	}()
	_, err = tmp.WriteString(content)
	err = errors.Join(err, tmp.Chmod(mode), tmp.Sync(), tmp.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
