package license

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/tinylib/msgp/msgp"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/internal/plant"
)

// Config says where a machine's state is kept.
type Config struct {
	// Dir is the machine's own folder; made when missing.
	Dir string
	// FS is the file system; nil: the system's.
	FS vfs.FS
	// Store tunes the storage; it changes nothing in what is computed.
	Store fsm.Options
	// Logger; nil: nothing is logged.
	Logger *slog.Logger
	// Group is the Raft group.
	Group uint32
	// Sealer opens the data keys that records are sealed under on the disk;
	// nil: they are kept plain.
	Sealer fsm.Sealer
}

// Machine is the tenant machine of one group; see cluster.Machine for what
// each method owes.
//
// Apply is called from one goroutine. It and the hand-over of write-behind
// hold mu; queries hold it for reading, in short stretches. Admit takes only
// admission, which Apply holds for the moments in which a tenant or a key
// appears, so that it never waits for a running Apply.
type Machine struct {
	cfg Config

	mu        sync.RWMutex
	admission sync.RWMutex // taken after mu
	state     *state       // pointer: mu and admission
	store     *fsm.Store   // pointer: mu
	broken    error        // why Apply can't go on; mu
	closed    bool         // mu

	applied atomic.Uint64
	clock   atomic.Int64
	nextDue atomic.Int64 // lower bound of the next expiry, of a lease or a note
	// outboxHead changes with every delivery that is to be made.
	outboxHead atomic.Uint64

	// Scratch of the apply, reused so that commands allocate little.
	checkout  Checkout
	heartbeat Heartbeat
	giveBack  Return
	result    LeaseResult
	ack       Ack
	record    leaseRecord
	entry     Audit
	overage   Overage
	bytes     []byte
	keyBytes  []byte
	audited   []*tenant // with audit records in this entry
	blocks    [][]byte  // empty, for audit blocks
	replySize int       // of the results of the previous entry, each
}

// Open opens the machine in cfg.Dir, or makes it. A damaged or foreign folder
// is refused with what to do about it (fsm.ErrDamaged, fsm.ErrForeign).
func Open(cfg Config) (*Machine, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	store, err := fsm.OpenStore(fsm.StoreConfig{
		Dir: cfg.Dir, FS: cfg.FS, Kind: diskKind, Group: cfg.Group, Options: cfg.Store, Logger: cfg.Logger,
		Lists:   []byte{prefixEnded},
		Sealing: &fsm.Sealing{Sealer: cfg.Sealer, Scope: scopeOf, KeyPrefix: prefixDataKey},
	})
	if err != nil {
		return nil, err
	}
	s, err := load(store)
	if err != nil {
		return nil, errors.Join(fsm.Damaged(cfg.Dir, err), store.Discard())
	}
	m := &Machine{cfg: cfg, state: s, store: store}
	m.publish()
	store.Start(owner{m})
	return m, nil
}

// publish lets the lock-free readers see where the state is. mu held, or not
// shared yet.
func (m *Machine) publish() {
	m.clock.Store(m.state.clock)
	m.nextDue.Store(m.state.bound())
	m.applied.Store(m.state.applied)
}

// owner is the machine as its store sees it.
type owner struct{ m *Machine }

func (o owner) Lock()                    { o.m.mu.Lock() }
func (o owner) Unlock()                  { o.m.mu.Unlock() }
func (o owner) WriteDirty(w *fsm.Writer) { o.m.writeDirty(w) }

// reply is what a command comes to.
type reply interface {
	MarshalMsg([]byte) ([]byte, error)
}

// operation is one row of the table of commands.
type operation struct {
	name string
	// needs says what the header must name.
	needs need
	// lease tells the result's type: LeaseResult, else Ack.
	lease bool
	apply func(m *Machine, t *tenant, payload []byte) (reply, error)
	// create applies a command of a tenant that may not be there (needs
	// needsName).
	create func(m *Machine, name cloudlicenses.TenantID, payload []byte) (reply, error)
	// body is an empty payload of a command that can grow past what can be decoded:
	// Admit looks whether it can be. nil: it can't grow.
	body func() msgp.Unmarshaler
	// byKey commands begin with a Caller: Admit refuses strangers.
	byKey bool
	// small commands keep or end what is there: they are taken while the disk has
	// little room, so that no lease lapses whose holder has done its part.
	small bool
}

type need uint8

const (
	needsNothing need = iota // a command of the whole group
	needsTenant              // of a tenant that is here, with its epoch
	needsName                // of a tenant that may not be here yet
)

var operations [256]*operation

// register adds a row to the table; a number used twice is a bug.
func register(op fsm.Op, o operation) *operation {
	if operations[op] != nil {
		panic(fmt.Sprintf("command %d is registered twice: %s and %s", op, operations[op].name, o.name))
	}
	operations[op] = &o
	return &o
}

// Errors of undecodable commands.
var (
	errUnknownOp = errors.New("unknown command")
	errVersion   = errors.New("unknown payload version")
	errTrailing  = errors.New("bytes left over after the payload")
	errTenant    = errors.New("the header names a tenant and must not, or the reverse")
)

// decode decodes a payload strictly.
func decode(into msgp.Unmarshaler, payload []byte) error {
	rest, err := into.UnmarshalMsg(payload)
	if err == nil && len(rest) > 0 {
		err = errTrailing
	}
	return err
}

// Apply applies one entry (cluster.Machine). An error is final: every later
// Apply returns it too.
func (m *Machine) Apply(index uint64, stampMillis int64, commands [][]byte, wantResults bool) ([][]byte, error) {
	m.mu.Lock()
	results, err := m.applyLocked(index, stampMillis, commands, wantResults)
	crowded := err == nil && m.store.Crowded(m.state.dirtyBytes())
	store := m.store
	m.mu.Unlock()
	if crowded {
		err = store.WriteBehind()
	}
	return results, err
}

// maxReplyHint bounds what is set aside for a result: a lone long one tells little
// of those to come.
const maxReplyHint = 512

func (m *Machine) applyLocked(index uint64, stampMillis int64, commands [][]byte, wantResults bool) ([][]byte, error) {
	s := m.state
	switch {
	case m.closed:
		return nil, fsm.ErrClosed
	case m.broken != nil:
		return nil, m.broken
	case m.store.Err() != nil:
		return nil, m.store.Err()
	case index <= s.applied:
		return nil, fmt.Errorf("entry %d: the machine has applied %d already", index, s.applied)
	}
	s.setClock(stampMillis)
	m.forget()
	s.keepUp(2 + len(commands))
	var buffer []byte
	var ends []int
	if wantResults {
		buffer = make([]byte, 0, min(m.replySize, maxReplyHint)*len(commands)+256)
		ends = make([]int, 0, len(commands))
	}
	for i, command := range commands {
		result, err := m.applyCommand(command)
		if err == nil && wantResults {
			buffer, err = result.MarshalMsg(buffer)
			ends = append(ends, len(buffer))
		}
		if err != nil {
			// The entry is half applied: nothing of it may reach the disk.
			m.broken = m.store.Fail(fmt.Errorf("entry %d, command %d (%s): %w", index, i, opName(command), err))
			return nil, m.broken
		}
	}
	m.sealAudit()
	s.applied = index
	m.store.SetApplied(index)
	m.publish()
	if !wantResults {
		return nil, nil
	}
	if len(ends) > 0 {
		m.replySize = len(buffer)/len(ends) + 8
	}
	results := make([][]byte, len(ends))
	start := 0
	for i, end := range ends {
		results[i] = buffer[start:end:end]
		start = end
	}
	return results, nil
}

func opName(command []byte) string {
	if len(command) == 0 {
		return "empty"
	}
	if o := operations[command[0]]; o != nil {
		return o.name
	}
	return fmt.Sprintf("op %d", command[0])
}

func (m *Machine) applyCommand(command []byte) (reply, error) {
	h, name, payload, err := fsm.SplitHeader(command)
	if err != nil {
		return nil, err
	}
	o := operations[h.Op]
	switch {
	case o == nil:
		return nil, fmt.Errorf("%w %d", errUnknownOp, h.Op)
	case h.Version != Version:
		return nil, fmt.Errorf("%w %d", errVersion, h.Version)
	case (o.needs == needsNothing) != (len(name) == 0):
		return nil, errTenant
	}
	switch o.needs {
	case needsName:
		return o.create(m, cloudlicenses.TenantID(name), payload)
	case needsTenant:
		t := m.state.tenants[cloudlicenses.TenantID(name)]
		if t == nil || t.epoch != h.Epoch {
			return m.refuseStale(o), nil
		}
		return o.apply(m, t, payload)
	default:
		return o.apply(m, nil, payload)
	}
}

func (m *Machine) refuseStale(o *operation) reply {
	if o.lease {
		m.result = LeaseResult{Code: cloudlicenses.StalePlacement}
		return &m.result
	}
	return m.acked(cloudlicenses.StalePlacement, "")
}

func (m *Machine) acked(code cloudlicenses.Code, detail string) reply {
	m.ack = Ack{Code: code, Detail: detail}
	return &m.ack
}

// AppliedIndex is the index of the last entry applied.
func (m *Machine) AppliedIndex() uint64 { return m.applied.Load() }

// WriteBehind hands over what changed and waits until it is written, though
// not yet durable.
func (m *Machine) WriteBehind() error { return m.current().WriteBehind() }

// Flush makes everything applied durable.
func (m *Machine) Flush() error { return m.current().Flush() }

func (m *Machine) current() *fsm.Store {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.store
}

// Snapshot captures the state as of the last applied entry.
func (m *Machine) Snapshot() (fsm.Snapshot, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken != nil {
		return nil, m.broken
	}
	return m.store.Snapshot()
}

// Restore replaces the state by the one in dir, which a Snapshot's Persist
// has filled. A crash leaves the old state or the new one, whole.
func (m *Machine) Restore(dir string) error {
	old := m.current()
	next, err := old.Restored(dir)
	if err != nil {
		return err
	}
	s, err := load(next)
	if err != nil {
		return errors.Join(fmt.Errorf("restore the snapshot in %s: %w", dir, err), next.Discard())
	}
	if plant.On(plant.HalfSnapshot) {
		s.installHalf()
	}
	m.mu.Lock()
	if err := old.Replace(next); err != nil {
		m.mu.Unlock()
		return errors.Join(err, next.Discard())
	}
	m.admission.Lock()
	m.state, m.store = s, next
	m.admission.Unlock()
	m.broken = nil
	m.publish()
	m.outboxHead.Add(1)
	m.mu.Unlock()
	next.Start(owner{m})
	if err := old.CloseReplaced(); err != nil {
		m.cfg.Logger.Warn("remove the replaced state", "group", m.cfg.Group, "error", err)
	}
	return nil
}

// installHalf is the planted bug: every second live lease of the snapshot is
// missing.
func (s *state) installHalf() {
	for _, t := range s.byNumber {
		for i, slot := range slices.Clone(t.leases.order) {
			if i%2 == 1 {
				slot.lease.license.pool.Commit -= int64(slot.lease.commit)
				slot.lease.license.pool.Overage -= int64(slot.lease.overage)
				t.leases.remove(slot.lease)
				s.unschedule(slot.lease)
			}
		}
	}
}

// Close flushes everything applied and closes. Calling it again does nothing.
func (m *Machine) Close() error {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return nil
	}
	m.closed = true
	m.mu.Unlock()
	return m.store.Close()
}
