package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"time"
)

const (
	// formFirstLook is when a node that waits for its cluster first looks why,
	// and formLookEvery how often it does after that.
	formFirstLook = 2 * time.Second
	formLookEvery = 10 * time.Second
	// formProbeTimeout bounds one probe of another node.
	formProbeTimeout = 2 * time.Second
)

// strangerError: the nodes this one was told to join are not of its cluster,
// by their keys or their certificates. Waiting does not mend it.
type strangerError struct{ text string }

func (e *strangerError) Error() string { return e.text }

// watchForming looks from time to time why the cluster has not formed, until
// ctx is done. A node that has never belonged to a cluster gives up among
// strangers; one that has says so and waits, since it may be the others that
// were started wrongly.
func (n *node) watchForming(ctx context.Context, giveUp context.CancelCauseFunc) {
	look := time.NewTimer(formFirstLook)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.engine.Ready():
			return
		case <-look.C:
			look.Reset(formLookEvery)
		}
		err := n.diagnose(ctx)
		var stranger *strangerError
		if errors.As(err, &stranger) && n.engine.ClusterID() == "" {
			giveUp(err)
			return
		}
		n.cfg.logger.Warn("waiting for the cluster to form", "bootstrap_expect", n.cfg.bootstrapExpect,
			"join", n.cfg.join, "members", n.aliveMembers(), "reason", err)
	}
}

func (n *node) aliveMembers() []string {
	var ids []string
	for _, m := range n.engine.Members() {
		if m.State == "alive" {
			ids = append(ids, m.ID)
		}
	}
	return ids
}

// diagnose asks the other nodes why they do not take this one in. It returns
// nil where nothing is wrong with those that answer.
func (n *node) diagnose(ctx context.Context) error {
	var errs []error
	if len(n.aliveMembers()) < 2 {
		for _, addr := range n.cfg.join {
			if addr == n.cfg.gossipAddr {
				continue
			}
			if _, err := n.engine.JoinPeers([]string{addr}); err != nil {
				errs = append(errs, explainGossip(addr, err, n.cfg.certDir))
			}
		}
	}
	if n.cfg.security.raftClient != nil {
		for _, m := range n.engine.Members() {
			if m.ID != n.cfg.id && m.State == "alive" {
				errs = append(errs, n.probeCertificate(ctx, m.ID, m.RaftAddr))
			}
		}
	}
	return errors.Join(errs...)
}

// explainGossip tells a wrong key from a node that is not there. memberlist
// sends the other node's reason back as text.
func explainGossip(addr string, err error, certDir string) error {
	text := err.Error()
	switch {
	case strings.Contains(text, "no installed keys could decrypt"):
		return &strangerError{fmt.Sprintf("the gossip key is not that of the node at %s: give every node the same %s (here %s)",
			addr, gossipKeyFile, filepath.Join(certDir, gossipKeyFile))}
	case strings.Contains(text, "encryption is not configured"), strings.Contains(text, "remote state is not encrypted"):
		return &strangerError{fmt.Sprintf("of this node and the one at %s one is secured and the other runs with --insecure: start both alike", addr)}
	default:
		return fmt.Errorf("gossip with %s: %w", addr, err)
	}
}

// probeCertificate sees whether another node's certificate is from this node's
// CA.
func (n *node) probeCertificate(ctx context.Context, id, addr string) error {
	dialer := tls.Dialer{NetDialer: &net.Dialer{Timeout: formProbeTimeout}, Config: n.cfg.security.raftClient}
	ctx, cancel := context.WithTimeout(ctx, formProbeTimeout)
	defer cancel()
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err == nil {
		return conn.Close()
	}
	var unknown x509.UnknownAuthorityError
	if errors.As(err, &unknown) {
		return &strangerError{fmt.Sprintf("node %s at %s has a certificate of another CA: make this node's with the cluster's own CA ('cloudlicenses cert create-node --node-id %s')",
			id, addr, n.cfg.id)}
	}
	return fmt.Errorf("node %s at %s: %w", id, addr, err)
}
