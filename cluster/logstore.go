package cluster

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cloudlicenses/cloudlicenses/internal/plant"
)

// logStore is the Raft log of all groups of a node: one stream of records in
// segments, so that one fdatasync covers every group that writes at that moment
// (see segment.go for the format and docs/adr/0012).
//
// Whoever needs a write on disk makes it himself, together with all that waits:
// sync takes the writing lock, and those that come meanwhile find their records
// written when they get it. Only a leader's commands, which do not wait, are
// written by a goroutine of the store.
type logStore struct {
	sealing logSeal // set before the first entry is read or written

	dir          string
	fs           vfs.FS
	segmentBytes int64
	fail         func(error)
	opened       time.Time
	// latency is told how long every synced write took.
	latency func(time.Duration)

	written sync.Mutex // held while records go to the file; taken before mu
	synced  atomic.Uint64
	// since is when the oldest write began that must become durable and is not
	// yet, as moment has it; 0: none.
	since   atomic.Int64
	failure atomic.Pointer[error]

	mu        sync.Mutex
	groups    map[GroupID]*groupLog
	segments  []*segment   // oldest first; the last one is written to
	spares    []string     // paths of files to use again
	made      uint64       // spares so far, so that their names differ
	unwritten []chunk      // records that are not in a file yet, in order
	appended  uint64       // position after the last record
	ahead     []aheadWrite // of leaders, oldest first

	push    chan struct{} // for the pusher: something went ahead
	clean   chan struct{} // for the cleaner: a segment was begun, or entries were cut
	stop    chan struct{}
	stopped sync.WaitGroup
}

// chunk is whole records of one write.
type chunk struct {
	at   uint64
	data []byte
}

// aheadWrite is a write of a leader that nobody waited for.
type aheadWrite struct {
	group *groupLog
	last  uint64 // its last entry
	end   uint64 // position after it
}

// logPlace is where an entry's record is, and how long without what fills it up.
type logPlace struct {
	at   uint64
	size uint32
}

const (
	// keptSpares is how many files wait to be used again.
	keptSpares = 2
	// relocateFrom is how many segments there are at least before entries of
	// an idle group are moved on so that the oldest one can go.
	relocateFrom = 8
	// skippedSync is how much later the planted bug SkipFsync writes.
	skippedSync = 300 * time.Millisecond
)

var errLogClosed = errors.New("the log is closed")

// readLogStore reads the node's log; what of it is to be set is set before it
// runs. fail is called once when a write failed or took longer than run's limit:
// the node must end, since what it has acknowledged may not be on disk.
func readLogStore(dir string, fs vfs.FS, segmentBytes int64, fail func(error)) (*logStore, error) {
	s := &logStore{
		dir: dir, fs: fs, segmentBytes: segmentBytes, fail: fail, opened: time.Now(), latency: func(time.Duration) {},
		groups: map[GroupID]*groupLog{},
		push:   make(chan struct{}, 1), clean: make(chan struct{}, 1), stop: make(chan struct{}),
	}
	if err := s.recover(); err != nil {
		for _, seg := range s.segments {
			err = errors.Join(err, seg.file.Close())
		}
		return nil, fmt.Errorf("open log %s: %w", dir, err)
	}
	return s, nil
}

// run starts what works beside Raft, until close.
func (s *logStore) run(limit time.Duration) {
	poke(s.clean)
	s.stopped.Add(3)
	go s.watch(limit)
	go s.pusher()
	go s.cleaner()
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
			if at := s.since.Load(); at != 0 && s.moment(tick)-at > int64(limit) {
				_ = s.failed(fmt.Errorf("a write has taken more than %s: the disk is stuck", limit))
				return
			}
		}
	}
}

// moment is a time as nanoseconds since the store was opened: a wall clock that
// is set makes no write old.
func (s *logStore) moment(at time.Time) int64 { return max(1, int64(at.Sub(s.opened))) }

// pusher writes what went ahead.
func (s *logStore) pusher() {
	defer s.stopped.Done()
	for {
		select {
		case <-s.stop:
			return
		case <-s.push:
			_ = s.sync(s.position()) // the store has told the node
		}
	}
}

// close makes everything durable and closes.
func (s *logStore) close() error {
	err := s.sync(s.position())
	close(s.stop)
	s.stopped.Wait()
	s.written.Lock()
	defer s.written.Unlock()
	s.failure.CompareAndSwap(nil, &errLogClosed)
	s.mu.Lock()
	defer s.mu.Unlock()
	errs := []error{err}
	for _, seg := range s.segments {
		errs = append(errs, seg.file.Close())
	}
	return errors.Join(errs...)
}

// position is that after the last record.
func (s *logStore) position() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.appended
}

// appendLocked takes a chunk of records over and returns its position. mu held.
func (s *logStore) appendLocked(data []byte) uint64 {
	at := s.appended
	s.unwritten = append(s.unwritten, chunk{at, data})
	s.appended += uint64(len(data))
	return at
}

// begun says that something waits to become durable.
func (s *logStore) begun() { s.since.CompareAndSwap(0, s.moment(time.Now())) }

// sync returns once all before a position is durable. An error is the end of
// the node (hashicorp/raft would go on).
func (s *logStore) sync(position uint64) error {
	if s.synced.Load() >= position {
		return nil
	}
	s.written.Lock()
	defer s.written.Unlock()
	if s.synced.Load() >= position {
		return nil
	}
	if err := s.err(); err != nil {
		return err
	}
	s.begun()
	start := time.Now()
	if err := s.flush(); err != nil {
		return s.failed(err)
	}
	s.latency(time.Since(start))
	return nil
}

// flush writes all there is and makes it durable. written held.
func (s *logStore) flush() error {
	s.mu.Lock()
	taken, end := s.unwritten, s.appended
	s.mu.Unlock()
	if plant.On(plant.SkipFsync) {
		time.AfterFunc(skippedSync, func() {
			s.written.Lock()
			defer s.written.Unlock()
			s.mu.Lock()
			var late []chunk // what was there then: what came since is as late itself
			for _, c := range s.unwritten {
				if c.at < end {
					late = append(late, c)
				}
			}
			s.mu.Unlock()
			_ = s.write(late)
		})
		s.confirm(end)
		return nil
	}
	if err := s.write(taken); err != nil {
		return err
	}
	if err := s.current().file.SyncData(); err != nil {
		return err
	}
	s.confirm(end)
	return nil
}

// current is the segment that is written to. written held.
func (s *logStore) current() *segment {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.segments[len(s.segments)-1]
}

// write brings chunks, the first ones of unwritten, into the file. written held.
func (s *logStore) write(chunks []chunk) error {
	for _, c := range chunks {
		seg := s.current()
		if seg.size > 0 && seg.size+int64(len(c.data)) > s.segmentBytes {
			var err error
			if seg, err = s.rotate(seg); err != nil {
				return err
			}
		}
		finishRecords(c.data, seg.number, uint32(max(s.synced.Load(), seg.base)-seg.base))
		if _, err := seg.file.WriteAt(c.data, seg.size); err != nil {
			return err
		}
		s.mu.Lock()
		seg.size += int64(len(c.data))
		s.unwritten[0] = chunk{}
		s.unwritten = s.unwritten[1:]
		s.mu.Unlock()
	}
	return nil
}

// confirm takes note of what is durable. written held.
func (s *logStore) confirm(end uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.ahead) > 0 && s.ahead[0].end <= end {
		s.ahead[0].group.durable.Store(s.ahead[0].last)
		s.ahead = s.ahead[1:]
	}
	s.synced.Store(end) // last: who sees it finds counted what is durable
	s.since.Store(0)
	if len(s.ahead) > 0 {
		s.since.Store(s.moment(time.Now()))
	}
}

// rotate seals a segment and begins the next. written held.
func (s *logStore) rotate(old *segment) (*segment, error) {
	if err := s.seal(old); err != nil {
		return nil, err
	}
	next, err := s.begin(old.number+1, old.end())
	if err != nil {
		return nil, err
	}
	poke(s.clean)
	return next, nil
}

// seal ends a segment; all of it is durable then.
func (s *logStore) seal(old *segment) error {
	end := appendRecord(nil, recordSeal, 0, 0, nil)
	finishRecords(end, old.number, uint32(old.size))
	if _, err := old.file.WriteAt(end, old.size); err != nil {
		return err
	}
	return old.file.Sync()
}

// begin opens a new segment, in a spare file where there is one.
func (s *logStore) begin(number, base uint64) (*segment, error) {
	seg := &segment{number: number, path: s.fs.PathJoin(s.dir, segmentName(number)), base: base}
	s.mu.Lock()
	var spare string
	if n := len(s.spares); n > 0 {
		spare, s.spares = s.spares[n-1], s.spares[:n-1]
	}
	s.mu.Unlock()
	if spare != "" {
		if err := s.fs.Rename(spare, seg.path); err != nil {
			return nil, err
		}
	}
	var err error
	if seg.file, err = s.fs.OpenReadWrite(seg.path, logCategory); err != nil {
		return nil, err
	}
	if err := syncDir(s.fs, s.dir); err != nil {
		return nil, errors.Join(err, seg.file.Close())
	}
	s.mu.Lock()
	s.segments = append(s.segments, seg)
	s.mu.Unlock()
	return seg, nil
}

// find returns the segment of a position that is written. mu held.
func (s *logStore) find(at uint64) *segment {
	i, _ := slices.BinarySearchFunc(s.segments, at, func(seg *segment, at uint64) int {
		if seg.end() <= at {
			return -1
		}
		return 1
	})
	if i == len(s.segments) || s.segments[i].base > at {
		return nil
	}
	return s.segments[i]
}

// errMoved says that a place does not hold the record: it was moved or cut, or it
// has rotted.
var errMoved = errors.New("the record is not where it was, or is damaged")

// read calls use with the record at a place. errMoved where the place has been
// given up meanwhile.
func (s *logStore) read(place logPlace, use func(r *logRecord) error) error {
	s.mu.Lock()
	if len(s.unwritten) > 0 && place.at >= s.unwritten[0].at {
		defer s.mu.Unlock()
		for i := range s.unwritten {
			c := &s.unwritten[i]
			if offset := place.at - c.at; place.at >= c.at && offset < uint64(len(c.data)) {
				b := c.data[offset : offset+uint64(place.size)]
				return use(unfinished(b))
			}
		}
		return errMoved
	}
	seg := s.find(place.at)
	if seg == nil || !seg.reading.TryRLock() {
		s.mu.Unlock()
		return errMoved
	}
	s.mu.Unlock()
	defer seg.reading.RUnlock()
	b := make([]byte, place.size)
	if _, err := seg.file.ReadAt(b, int64(place.at-seg.base)); err != nil {
		return fmt.Errorf("%w: %w", errMoved, err)
	}
	r, ok := parseRecord(b, seg.number)
	if !ok {
		return errMoved
	}
	return use(&r)
}

// err is what the store failed by, or nil.
func (s *logStore) err() error {
	if err := s.failure.Load(); err != nil {
		return *err
	}
	return nil
}

func (s *logStore) failed(err error) error {
	err = fmt.Errorf("write log %s: %w", filepath.Clean(s.dir), err)
	if s.failure.CompareAndSwap(nil, &err) {
		s.fail(err)
	}
	return err
}
