package cluster

import "time"

// The engine's own limits and periods. Figures that were measured say so in
// docs/adr.
const (
	// MaxGroups bounds the license groups of a cluster, MaxReplicas the copies of
	// a group.
	MaxGroups   = 1024
	MaxReplicas = 9

	// maxEntryCommands and maxEntryBytes bound one batch, that is one log entry.
	maxEntryCommands = 1024
	maxEntryBytes    = 128 << 10
	// entriesInFlight is how many batches of a group may be on their way, the
	// second one from secondEntryCommands on.
	entriesInFlight     = 2
	secondEntryCommands = 128
	// maxWaiting bounds the commands of a group that wait for a batch; past it
	// ErrOverloaded.
	maxWaiting = 64 << 10
	// maxWaitingBytes bounds the same by size.
	maxWaitingBytes = 64 << 20

	// electionTimeout is Raft's heartbeat and election time-out.
	electionTimeout = 200 * time.Millisecond
	// leaderPatience stretches a leader's own time-outs, which set the pace of
	// Raft's own heartbeats: one 100–200 ms after the one before. Those of the
	// node's pulse come sooner, all groups' together, so that an idle node wakes
	// up less often; Raft's are left where its main loop waits for the disk.
	// Followers wait 200–400 ms for one, or for entries.
	leaderPatience = 5
	// directoryPatience stretches the election time-outs of the directory.
	directoryPatience = 2
	// commitTimeout is how long Raft waits, up to twice as long, before it tells
	// followers a commit index by itself; see tidings.
	commitTimeout = 200 * time.Millisecond
	// raftTimeout bounds one Raft call to a peer. Installing a snapshot gets it
	// once per snapshotScale bytes: its receiver writes, syncs and opens a whole
	// database before it answers, on a disk that may be slow, and starting over
	// helps nobody.
	raftTimeout   = 2 * time.Second
	snapshotScale = 1 << 10
	// unreachPatience is how long replication to a peer that can't be reached
	// tries again, every unreachPause, before Raft takes it for a failure.
	unreachPatience = time.Minute
	unreachPause    = 100 * time.Millisecond
	// maxCallsInFlight bounds a replication pipeline's unanswered calls. The
	// batcher keeps only entriesInFlight on their way; with the library's own
	// default of 2 its pipeline can lock up for good when it is aborted.
	maxCallsInFlight = 130
	// maxAppendEntries bounds the entries in one AppendEntries call.
	maxAppendEntries = 32
	// logCacheEntries is the number of recent entries kept in memory.
	logCacheEntries = 256

	// segmentBytes is the size of a file of the log.
	segmentBytes = 16 << 20
	// snapshotBytes is how much log a group writes between two snapshots; one part
	// of trailingShare stays for followers that lag.
	snapshotBytes = 64 << 20
	trailingShare = 4
	// snapshotEntries bounds the same by number, for small entries.
	snapshotEntries = 1 << 20

	// logWriteLimit ends the process when a log write takes longer: its
	// heartbeats would go on and keep a stuck leader in office.
	logWriteLimit = 2 * time.Second

	// idleAnnounce is how often a leader tells its applied index while nothing is
	// written; while it grows, every TickInterval.
	idleAnnounce = 500 * time.Millisecond
	// clockInterval is how often the peers' clocks are asked, and
	// firstClockInterval until the first of them has answered.
	clockInterval      = 2 * time.Second
	firstClockInterval = 50 * time.Millisecond
	// spaceInterval is how often the room on the disk is looked at.
	spaceInterval = time.Second
	// smallShare is which part of the reserve stays free of small commands.
	smallShare = 4
	// roomPause is how long a leader without room waits before it tries again to
	// hand its group over: while it does, it takes nothing at all.
	roomPause = 10 * time.Second

	// dialTimeout bounds a connection to a peer, and callTimeout a control
	// call without a deadline of its own.
	dialTimeout = time.Second
	callTimeout = 3 * time.Second
	// handshakeTimeout bounds what a new connection may take to say who it is.
	handshakeTimeout = 5 * time.Second
	// maxOnWay is how long a request may have been on its way: past it, it is
	// not executed. It is longer than any caller waits, and far shorter than
	// machines remember a request's id (RequestIDMemory, 60 s).
	maxOnWay = 10 * time.Second
	// maxFrameBytes bounds a frame between nodes.
	maxFrameBytes = 64 << 20

	// catchUpPatience bounds how long a node that starts waits for its replicas
	// to be up to date before it serves all the same.
	catchUpPatience = 20 * time.Second
	// lonelyWarning is how often a node that no other answers says so.
	lonelyWarning = 10 * time.Second
	// formPromise is how long a node keeps itself free for one coordinator of
	// the cluster's formation.
	formPromise = 5 * time.Second
	// maxMetaBytes is memberlist's limit for a node's own description.
	maxMetaBytes = 512
	// leaveTimeout bounds telling the others that this node goes.
	leaveTimeout = 500 * time.Millisecond
)
