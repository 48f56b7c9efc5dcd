package cluster

// GroupID numbers a Raft group; 0 is the directory.
type GroupID uint32

// Entry is one log entry: commands that were proposed together.
type Entry struct {
	// Index is the entry's place in the group's log, from 1, growing.
	Index uint64
	// StampMillis is the leader's clock when it made the entry (Unix
	// milliseconds). It may lie before an earlier entry's.
	StampMillis int64
	// Commands alias the log's memory: a machine keeps copies.
	Commands [][]byte
	// WantResults is true on the replica whose callers wait for the results.
	WantResults bool
}

// Machine is the replicated state machine of one group. Apply is called from
// one goroutine in the order of the log; every other method may be called
// concurrently with it.
type Machine interface {
	// Apply applies an entry and returns a result per command where the entry
	// wants them (nil otherwise). It must depend on nothing but the state and
	// the entry. An error means that the machine can't go on: an undecodable
	// command, a failed write; the node stops.
	Apply(e Entry) ([][]byte, error)

	// AppliedIndex is the index of the last entry applied. After Open it is
	// what the disk holds; entries at or below it are not applied again.
	AppliedIndex() uint64

	// Admit looks at a command on the leader before it is proposed and returns
	// a refusal to answer at once, or nil to propose it: what strangers send
	// must not fill the log. It never decides in a command's favor.
	Admit(nowMillis int64, command []byte) (refusal []byte)

	// Small reports whether a command makes nothing new: it keeps or ends what is
	// there, and is taken even while the disk has little room.
	Small(command []byte) bool

	// Lead returns the command that opens this node's term as leader.
	Lead(node string) []byte

	// Due returns a command to propose because of the passing of time (such
	// as an expiry), or nil. The leader asks every TickInterval.
	Due(nowMillis int64) []byte

	// Query answers a read from the local state.
	Query(query []byte) ([]byte, error)

	// Snapshot captures the state as of the last applied entry, quickly. It is
	// called between two entries.
	Snapshot() (Snapshot, error)

	// Restore replaces the state by the one in dir, a folder that a
	// Snapshot's Persist has filled, maybe on another node, and which the
	// machine may move or link away. It is atomic across a crash at any step.
	Restore(dir string) error

	// Close flushes and closes.
	Close() error
}

// Snapshot is a captured state.
type Snapshot interface {
	// Persist writes the state into dir, an empty folder on the machine's own
	// file system, as flat files; when it returns, the machine's own storage
	// has the state durably too, since the log below it is compacted next.
	Persist(dir string) error
	// Release frees what was captured; called once, persisted or not.
	Release()
}
