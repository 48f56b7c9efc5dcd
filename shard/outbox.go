package shard

import (
	"context"
	"encoding/hex"
	"strconv"

	"github.com/cloudlicenses/cloudlicenses/cluster"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// Leads reports whether this node leads a group, and its machine holds all that
// was acknowledged before.
func (s *Shard) Leads(group cluster.GroupID) bool { return s.node.Leads(group) }

// DoGroup has a license group commit a command that names no tenant. It must be
// one that may be said again: an unknown outcome is settled as in Do.
func (s *Shard) DoGroup(ctx context.Context, group cluster.GroupID, cmd Command) error {
	reply, err := s.propose(ctx, group, fsm.Header{Op: cmd.Op, Version: license.Version}, cmd.Payload)
	if err != nil {
		return err
	}
	_, err = settled(reply.Value, cmd.Result)
	return err
}

// MailID is the id of a mail, the same in every attempt by whichever leader. The
// sequence of its group does not show in it: it would tell of others' mails.
func (s *Shard) MailID(group cluster.GroupID, sequence uint64, email string) (string, error) {
	hash, err := s.hashSecret("mail", strconv.FormatUint(uint64(group), 10), strconv.FormatUint(sequence, 10), email)
	return hex.EncodeToString(hash[:16]), err
}
