package cluster

import "errors"

var (
	// ErrNoLeader: no leader known or reachable; nothing was proposed.
	ErrNoLeader = errors.New("group has no leader")
	// ErrOutcomeUnknown: the command may or may not take effect.
	ErrOutcomeUnknown = errors.New("outcome of the command is unknown")
	// ErrOverloaded: too many commands wait; nothing was proposed.
	ErrOverloaded = errors.New("too many commands are waiting")
	// ErrStorageFull: the leader's disk has too little room; nothing was proposed.
	ErrStorageFull = errors.New("disk has too little room")
	// ErrNoGroup: no node known to hold a replica of the group.
	ErrNoGroup = errors.New("no such group")
	// ErrNotCaughtUp: the replica did not reach the wanted index in time.
	ErrNotCaughtUp = errors.New("replica has not caught up")
	// ErrClosed: the node is shutting down; nothing was proposed.
	ErrClosed = errors.New("node is shutting down")
)
