package main

import (
	"fmt"
	"log/slog"

	"github.com/cloudlicenses/cloudlicenses/cluster"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/directory"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
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
	Lead(node string) []byte
	Due(nowMillis int64) []byte
	Query(query []byte) ([]byte, error)
	Snapshot() (fsm.Snapshot, error)
	Restore(dir string) error
	Close() error
}

// hosted makes a machine of fsm one that a cluster hosts.
type hosted struct{ stateMachine }

// Apply implements cluster.Machine.
func (h hosted) Apply(e cluster.Entry) ([][]byte, error) {
	return h.stateMachine.Apply(e.Index, e.StampMillis, e.Commands, e.WantResults)
}

// Snapshot implements cluster.Machine.
func (h hosted) Snapshot() (cluster.Snapshot, error) { return h.stateMachine.Snapshot() }

// machineOpener returns the function by which a node opens its machines.
func machineOpener(options fsm.Options, keys *shard.Keys, logger *slog.Logger) func(cluster.GroupID, string) (cluster.Machine, error) {
	return func(group cluster.GroupID, dir string) (cluster.Machine, error) {
		machine, err := openMachine(group, dir, options, keys, logger.With("group", uint32(group)))
		if err != nil {
			return nil, fmt.Errorf("group %d: %w", group, err)
		}
		return hosted{machine}, nil
	}
}

func openMachine(group cluster.GroupID, dir string, options fsm.Options, keys *shard.Keys, logger *slog.Logger) (stateMachine, error) {
	if group == directoryGroup {
		return directory.Open(directory.Config{Dir: dir, Store: options, Logger: logger})
	}
	return license.Open(license.Config{Dir: dir, Store: options, Logger: logger, Group: uint32(group), Sealer: keys})
}
