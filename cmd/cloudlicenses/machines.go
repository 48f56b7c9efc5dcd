package main

import (
	"fmt"
	"log/slog"

	"github.com/cloudlicenses/cloudlicenses/cluster"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/directory"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
	"github.com/cloudlicenses/cloudlicenses/outbox"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// directoryGroup is the group whose machine is the directory; every other
// group is a license group.
const directoryGroup cluster.GroupID = 0

// stateMachine is what both machines of fsm have in common. They never know
// the cluster, so their types differ from cluster.Machine's by a name or two.
type stateMachine interface {
	Apply(index uint64, stampMillis int64, commands [][]byte, wantResults bool) ([][]byte, error)
	AppliedIndex() uint64
	Admit(nowMillis int64, command []byte) []byte
	Small(command []byte) bool
	Lead(node string) []byte
	Due(nowMillis int64) []byte
	Query(query []byte) ([]byte, error)
	Snapshot() (fsm.Snapshot, error)
	Restore(dir string) error
	Close() error
}

// hosted makes a machine of fsm one that a cluster hosts.
type hosted struct {
	stateMachine
	// pulse tells of the pulse of a group that this node leads; nil: nobody asks.
	pulse func(nowMillis int64)
}

// Due implements cluster.Machine. Only a leader is asked, every pulse.
func (h hosted) Due(nowMillis int64) []byte {
	if h.pulse != nil {
		h.pulse(nowMillis)
	}
	return h.stateMachine.Due(nowMillis)
}

// Apply implements cluster.Machine.
func (h hosted) Apply(e cluster.Entry) ([][]byte, error) {
	return h.stateMachine.Apply(e.Index, e.StampMillis, e.Commands, e.WantResults)
}

// Snapshot implements cluster.Machine.
func (h hosted) Snapshot() (cluster.Snapshot, error) { return h.stateMachine.Snapshot() }

// machineOpener returns the function by which a node opens its machines, whose
// data keys keys opens. What they leave is told to drainer; nil: nobody delivers.
func machineOpener(options fsm.Options, keys *shard.Keys, drainer *outbox.Drainer, logger *slog.Logger) func(cluster.GroupID, string) (cluster.Machine, error) {
	return func(group cluster.GroupID, dir string) (cluster.Machine, error) {
		logger := logger.With("group", uint32(group))
		if group == directoryGroup {
			machine, err := directory.Open(directory.Config{Dir: dir, Store: options, Logger: logger})
			if err != nil {
				return nil, fmt.Errorf("group %d: %w", group, err)
			}
			return hosted{stateMachine: machine}, nil
		}
		machine, err := license.Open(license.Config{Dir: dir, Store: options, Logger: logger, Group: uint32(group), Sealer: keys})
		if err != nil {
			return nil, fmt.Errorf("group %d: %w", group, err)
		}
		if drainer == nil {
			return hosted{stateMachine: machine}, nil
		}
		return hosted{machine, func(nowMillis int64) { drainer.Pulse(group, machine.OutboxHead(), nowMillis) }}, nil
	}
}
