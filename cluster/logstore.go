package cluster

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/raft"

	"github.com/cloudlicenses/cloudlicenses/internal/plant"
)

// logStore is the Raft log of all groups of a node in one Pebble, so that one
// fsync of its WAL covers every group that writes at that moment.
//
// Key and value of an entry:
//
//	+-----+---------------+----------------+
//	| 'L' | group uint32  | index uint64   |  big endian
//	+-----+---------------+----------------+
//	+---------+------+-------------+----------------+-----------------+-----+------+
//	| version | type | term uint64 | appended int64 | n ext uint32    | ext | data |
//	| (1)     |      |             | Unix nanosec.  |                 |     |      |
//	+---------+------+-------------+----------------+-----------------+-----+------+
type logStore struct {
	db      *pebble.DB
	groups  sync.Map // GroupID → *groupLog, for the watchdog
	fail    func(error)
	stop    chan struct{}
	stopped sync.WaitGroup
	opened  time.Time
	// latency is told the duration of every synced write.
	latency func(time.Duration)
}

const (
	logKeyBytes    = 1 + 4 + 8
	logValueHeader = 1 + 1 + 8 + 8 + 4
	logVersion     = 1
)

// openLogStore opens the node's log. fail is called once when a write failed
// or took longer than limit: the node must end, since what it has
// acknowledged may not be on disk.
func openLogStore(dir string, fs vfs.FS, logger pebble.Logger, limit time.Duration, fail func(error)) (*logStore, error) {
	opts := &pebble.Options{
		FS:                          fs,
		FormatMajorVersion:          pebble.FormatNewest,
		MemTableSize:                64 << 20,
		MemTableStopWritesThreshold: 4,
		L0CompactionThreshold:       4,
		L0StopWritesThreshold:       64,
		CompactionConcurrencyRange:  func() (int, int) { return 1, 1 },
		Logger:                      logger,
	}
	// The default scheduler wakes ten times a second to see whether more
	// compactions may run; where it is always one, the end of that one is when
	// the next can begin.
	opts.Experimental.CompactionScheduler = pebble.NewConcurrencyLimitSchedulerWithNoPeriodicGrantingForTest()
	// What is flushed is soon cut off: compressing it is not worth the time.
	opts.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionNone })
	db, err := pebble.Open(dir, opts)
	if err != nil {
		return nil, fmt.Errorf("open log %s: %w", dir, err)
	}
	s := &logStore{db: db, fail: fail, stop: make(chan struct{}), opened: time.Now(), latency: func(time.Duration) {}}
	s.stopped.Add(1)
	go s.watch(limit)
	return s, nil
}

// watch ends the process when a log write is stuck.
func (s *logStore) watch(limit time.Duration) {
	defer s.stopped.Done()
	ticker := time.NewTicker(limit / 4)
	defer ticker.Stop()
	for {
		select {
		case <-s.stop:
			return
		case tick := <-ticker.C:
			// A tick tells when it was due: after a pause of this process no
			// write looks as old as the pause was long.
			now := s.moment(tick)
			s.groups.Range(func(_, value any) bool {
				g := value.(*groupLog)
				for _, at := range []int64{g.writing.Load(), g.entering.Load(), g.cutting.Load()} {
					if at != 0 && now-at > int64(limit) {
						s.fail(fmt.Errorf("log write of group %d has taken more than %s: the disk is stuck", g.id, limit))
						return false
					}
				}
				if g.writing.Load() != 0 {
					g.confirm()
				}
				return true
			})
		}
	}
}

// moment is a time as nanoseconds since the store was opened: a wall clock that
// is set makes no write old.
func (s *logStore) moment(at time.Time) int64 { return max(1, int64(at.Sub(s.opened))) }

func (s *logStore) close() error {
	close(s.stop)
	s.stopped.Wait()
	return s.db.Close()
}

// group opens the log of one group.
func (s *logStore) group(id GroupID) (*groupLog, error) {
	g := &groupLog{store: s, id: id}
	iter, err := s.db.NewIter(&pebble.IterOptions{LowerBound: g.key(0), UpperBound: logGroupEnd(id)})
	if err != nil {
		return nil, err
	}
	if iter.First() {
		g.first = indexOfKey(iter.Key())
		iter.Last()
		g.last = indexOfKey(iter.Key())
		g.durable.Store(g.last)
	}
	if err := iter.Close(); err != nil {
		return nil, fmt.Errorf("read log of group %d: %w", id, err)
	}
	s.groups.Store(id, g)
	return g, nil
}

// groupLog is one group's part of the log: a raft.LogStore. Raft calls it
// from one goroutine, and reads from others.
type groupLog struct {
	store *logStore
	id    GroupID
	// writing is when the oldest write began that is not durable, entering when
	// one did that goes ahead and has not returned, cutting when a cut did. As
	// moment has it; 0: none.
	writing  atomic.Int64
	entering atomic.Int64
	cutting  atomic.Int64
	// appended counts the bytes written since the last snapshot, and entries
	// their number.
	appended atomic.Int64
	entries  atomic.Int64

	// leading tells whether Raft writes as the leader, once it runs, and
	// durable is the highest index that the disk has confirmed.
	leading  atomic.Pointer[func() bool]
	durable  atomic.Uint64
	awaiting sync.Mutex // serializes await; taken before mu

	mu          sync.RWMutex
	first, last uint64              // 0: empty
	ahead       []aheadWrite        // oldest first
	withheld    map[uint64]raft.Log // only with plant.SkipFsync
}

var _ raft.LogStore = (*groupLog)(nil)

func (g *groupLog) key(index uint64) []byte {
	k := make([]byte, 0, logKeyBytes)
	k = append(k, 'L')
	k = binary.BigEndian.AppendUint32(k, uint32(g.id))
	return binary.BigEndian.AppendUint64(k, index)
}

// logGroupEnd is the first key past a group's.
func logGroupEnd(id GroupID) []byte {
	if id == ^GroupID(0) {
		return []byte{'L' + 1}
	}
	return binary.BigEndian.AppendUint32([]byte{'L'}, uint32(id)+1)
}

func indexOfKey(key []byte) uint64 { return binary.BigEndian.Uint64(key[logKeyBytes-8:]) }

// FirstIndex implements raft.LogStore.
func (g *groupLog) FirstIndex() (uint64, error) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.first, nil
}

// LastIndex implements raft.LogStore.
func (g *groupLog) LastIndex() (uint64, error) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.last, nil
}

// GetLog implements raft.LogStore.
func (g *groupLog) GetLog(index uint64, out *raft.Log) error {
	if plant.On(plant.SkipFsync) {
		g.mu.RLock()
		l, ok := g.withheld[index]
		g.mu.RUnlock()
		if ok {
			*out = l
			return nil
		}
	}
	value, closer, err := g.store.db.Get(g.key(index))
	if errors.Is(err, pebble.ErrNotFound) {
		return raft.ErrLogNotFound
	}
	if err != nil {
		return fmt.Errorf("read log entry %d of group %d: %w", index, g.id, err)
	}
	defer closer.Close()
	return decodeLog(index, value, out)
}

func decodeLog(index uint64, value []byte, out *raft.Log) error {
	if len(value) < logValueHeader || value[0] != logVersion {
		return fmt.Errorf("log entry %d is damaged or of a newer version", index)
	}
	n := uint64(binary.BigEndian.Uint32(value[18:22]))
	rest := value[logValueHeader:]
	if uint64(len(rest)) < n {
		return fmt.Errorf("log entry %d is damaged: cut short", index)
	}
	out.Index = index
	out.Type = raft.LogType(value[1])
	out.Term = binary.BigEndian.Uint64(value[2:10])
	out.AppendedAt = time.Time{}
	if at := int64(binary.BigEndian.Uint64(value[10:18])); at != 0 {
		out.AppendedAt = time.Unix(0, at)
	}
	out.Extensions = append([]byte(nil), rest[:n]...)
	out.Data = append([]byte(nil), rest[n:]...)
	return nil
}

func appendLog(b []byte, l *raft.Log) []byte {
	b = append(b, logVersion, byte(l.Type))
	b = binary.BigEndian.AppendUint64(b, l.Term)
	var at int64
	if !l.AppendedAt.IsZero() {
		at = l.AppendedAt.UnixNano()
	}
	b = binary.BigEndian.AppendUint64(b, uint64(at))
	b = binary.BigEndian.AppendUint32(b, uint32(len(l.Extensions)))
	b = append(b, l.Extensions...)
	return append(b, l.Data...)
}

// StoreLog implements raft.LogStore.
func (g *groupLog) StoreLog(l *raft.Log) error { return g.StoreLogs([]*raft.Log{l}) }

// StoreLogs implements raft.LogStore: durable when it returns, but for the
// commands of a leader, which await confirms. An error is the end of the node
// (hashicorp/raft would go on).
func (g *groupLog) StoreLogs(logs []*raft.Log) error {
	if len(logs) == 0 {
		return nil
	}
	start := time.Now()
	batch, size, err := g.encode(logs)
	if err != nil {
		return g.failed(err)
	}
	first, last := logs[0].Index, logs[len(logs)-1].Index
	switch {
	case plant.On(plant.SkipFsync):
		g.withhold(logs, batch)
		g.durable.Store(last)
		err = batch.Close()
	case g.mayGoAhead(logs):
		err = g.goAhead(batch, first, last, start)
	default:
		err = g.write(batch, last)
	}
	if err != nil {
		return err
	}
	g.appended.Add(size)
	g.entries.Add(int64(len(logs)))

	g.mu.Lock()
	defer g.mu.Unlock()
	if g.first == 0 {
		g.first = first
	}
	g.last = last
	return nil
}

func (g *groupLog) encode(logs []*raft.Log) (batch *pebble.Batch, size int64, err error) {
	batch = g.store.db.NewBatch()
	for _, l := range logs {
		n := logValueHeader + len(l.Extensions) + len(l.Data)
		op := batch.SetDeferred(logKeyBytes, n)
		k := append(op.Key[:0], 'L')
		k = binary.BigEndian.AppendUint32(k, uint32(g.id))
		binary.BigEndian.AppendUint64(k, l.Index)
		appendLog(op.Value[:0], l)
		if err := op.Finish(); err != nil {
			return nil, 0, errors.Join(err, batch.Close())
		}
		size += int64(n)
	}
	return batch, size, nil
}

// write makes a batch durable, and all that went ahead before it.
func (g *groupLog) write(batch *pebble.Batch, last uint64) error {
	defer batch.Close()
	g.awaiting.Lock()
	defer g.awaiting.Unlock()
	if err := g.awaitLocked(^uint64(0)); err != nil {
		return err
	}
	start := time.Now()
	g.writing.Store(g.store.moment(start))
	defer g.writing.Store(0)
	if err := g.guarded(func() error { return batch.Commit(pebble.Sync) }); err != nil {
		return g.failed(err)
	}
	g.store.latency(time.Since(start))
	g.durable.Store(last)
	return nil
}

// withhold is the planted bug SkipFsync: the write is acknowledged and reaches
// the disk later, as in a cache that a power loss empties.
func (g *groupLog) withhold(logs []*raft.Log, batch *pebble.Batch) {
	const later = 300 * time.Millisecond
	repr := append([]byte(nil), batch.Repr()...)
	g.mu.Lock()
	if g.withheld == nil {
		g.withheld = map[uint64]raft.Log{}
	}
	for _, l := range logs {
		g.withheld[l.Index] = *l
	}
	g.mu.Unlock()
	time.AfterFunc(later, func() {
		b := g.store.db.NewBatch()
		if b.SetRepr(repr) == nil {
			_ = b.Commit(pebble.NoSync)
		}
	})
}

// DeleteRange implements raft.LogStore: of the head after a snapshot, of the
// tail when a new leader's entries replace it.
func (g *groupLog) DeleteRange(low, high uint64) error {
	g.awaiting.Lock()
	defer g.awaiting.Unlock()
	if err := g.awaitLocked(high); err != nil { // none may be confirmed after it was cut
		return err
	}
	g.cutting.Store(g.store.moment(time.Now()))
	defer g.cutting.Store(0)
	g.mu.Lock()
	defer g.mu.Unlock()
	// Only the tail must be gone for good before raft goes on: a head that
	// comes back after a crash is merely long.
	sync := pebble.NoSync
	if high >= g.last {
		sync = pebble.Sync
	}
	end := g.key(high + 1)
	if high == ^uint64(0) {
		end = logGroupEnd(g.id)
	}
	if err := g.guarded(func() error { return g.store.db.DeleteRange(g.key(low), end, sync) }); err != nil {
		return g.failed(err)
	}
	for i := low; g.withheld != nil && i <= high; i++ {
		delete(g.withheld, i)
	}
	switch {
	case low <= g.first && high >= g.last:
		g.first, g.last = 0, 0
	case low <= g.first:
		g.first = high + 1
	case high >= g.last:
		g.last = low - 1
	}
	g.durable.Store(min(g.durable.Load(), g.last))
	return nil
}

// guarded makes an error of Pebble's panic, which is how it meets a write-ahead
// log that failed before: the node ends by it, but says so first.
func (g *groupLog) guarded(write func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	return write()
}

func (g *groupLog) failed(err error) error {
	err = fmt.Errorf("write log of group %d: %w", g.id, err)
	g.store.fail(err)
	return err
}
