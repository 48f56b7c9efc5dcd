package cluster

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
)

// What the log finds on disk when it is opened, and what it gives back.

// recover reads what there is and begins a new segment: what a crash left
// behind the last good record must never be taken for a record of it.
func (s *logStore) recover() error {
	if err := s.fs.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	if err := syncDir(s.fs, s.fs.PathDir(s.dir)); err != nil {
		return err
	}
	names, err := s.fs.List(s.dir)
	if err != nil {
		return err
	}
	var numbers []uint64
	for _, name := range names {
		number, ok := parseSegmentName(name)
		switch {
		case ok:
			numbers = append(numbers, number)
		case isSpare(name): // it may be cut short: made anew
			if err := s.fs.Remove(s.fs.PathJoin(s.dir, name)); err != nil {
				return err
			}
		default:
			return fmt.Errorf("%s is no file of this log: the folder is another program's or another version's", name)
		}
	}
	slices.Sort(numbers)
	found := map[GroupID]map[uint64]logPlace{}
	for i, number := range numbers {
		if number != numbers[0]+uint64(i) {
			return fmt.Errorf("segment %s is missing", segmentName(numbers[0]+uint64(i)))
		}
		if err := s.recoverSegment(number, i == len(numbers)-1, found); err != nil {
			return fmt.Errorf("segment %s: %w", segmentName(number), err)
		}
	}
	if err := s.recoverGroups(found); err != nil {
		return err
	}
	s.ensureSpare()
	next := uint64(1)
	if len(numbers) > 0 {
		next = numbers[len(numbers)-1] + 1
	}
	_, err = s.begin(next, s.appended)
	s.synced.Store(s.appended)
	return err
}

// recoverSegment reads a segment. The last one is sealed if it was not.
func (s *logStore) recoverSegment(number uint64, last bool, found map[GroupID]map[uint64]logPlace) error {
	seg := &segment{number: number, path: s.fs.PathJoin(s.dir, segmentName(number)), base: s.appended}
	content, err := readFile(s.fs, seg.path)
	if err != nil {
		return err
	}
	end, sealed, err := scanSegment(content, number, func(offset int, r *logRecord) error {
		return replay(found, r, logPlace{seg.base + uint64(offset), uint32(recordHeader + len(r.body))})
	})
	switch {
	case err != nil:
		return err
	case !sealed && !last:
		return errors.New("it has no end")
	}
	seg.size = int64(end)
	if seg.file, err = s.fs.OpenReadWrite(seg.path, logCategory); err != nil {
		return err
	}
	s.segments = append(s.segments, seg)
	s.appended = seg.end()
	switch {
	case !sealed:
		return s.seal(seg)
	case last: // its process may have died before the seal, and what is before it, was on disk
		return seg.file.Sync()
	}
	return nil
}

// replay does to what was found so far what a record says.
func replay(found map[GroupID]map[uint64]logPlace, r *logRecord, place logPlace) error {
	group := found[r.group]
	if group == nil {
		group = map[uint64]logPlace{}
		found[r.group] = group
	}
	switch r.kind {
	case recordEntry:
		group[r.index] = place
		return nil
	case recordCut:
		end, err := r.cutEnd()
		if err != nil {
			return err
		}
		if end-r.index >= uint64(len(group)) {
			for index := range group {
				if index >= r.index && index <= end {
					delete(group, index)
				}
			}
			return nil
		}
		for index := r.index; index <= end; index++ {
			delete(group, index)
		}
		return nil
	case recordSeal:
	}
	return fmt.Errorf("a record of an unknown kind %q", r.kind)
}

// recoverGroups makes the groups' indexes of what was found.
func (s *logStore) recoverGroups(found map[GroupID]map[uint64]logPlace) error {
	for id, entries := range found {
		g := s.groupLocked(id)
		if len(entries) == 0 {
			continue
		}
		g.first = math.MaxUint64
		for index := range entries {
			g.first = min(g.first, index)
		}
		g.places = make([]logPlace, len(entries))
		for i := range g.places {
			place, ok := entries[g.first+uint64(i)]
			if !ok {
				return fmt.Errorf("entry %d of group %d is missing", g.first+uint64(i), id)
			}
			g.places[i] = place
		}
		g.durable.Store(g.lastLocked())
	}
	return nil
}

// ensureSpare makes a file for the next segment unless one is there. Where there
// is no room for it the log goes on without: a segment can grow as well.
func (s *logStore) ensureSpare() {
	s.mu.Lock()
	there := len(s.spares) > 0
	s.made++
	path := s.fs.PathJoin(s.dir, fmt.Sprintf("%s%d", sparePrefix, s.made))
	s.mu.Unlock()
	if there {
		return
	}
	if err := makeSpare(s.fs, path, s.segmentBytes); err != nil {
		_ = s.fs.Remove(path)
		return
	}
	s.mu.Lock()
	s.spares = append(s.spares, path)
	s.mu.Unlock()
}

// cleaner gives segments back and keeps a spare ready.
func (s *logStore) cleaner() {
	defer s.stopped.Done()
	for {
		select {
		case <-s.stop:
			return
		case <-s.clean:
		}
		if err := s.tidy(); err != nil {
			_ = s.failed(err)
			return
		}
		s.ensureSpare()
	}
}

// tidy gives back what it can.
func (s *logStore) tidy() error {
	for {
		moved, err := s.relocate()
		if err == nil {
			err = s.retire()
		}
		if err != nil || !moved {
			return err
		}
	}
}

// retire gives the oldest segments back that hold no entry any more. Always the
// oldest: a cut in a later segment must outlive the entries it cuts.
func (s *logStore) retire() error {
	s.mu.Lock()
	live, _ := s.liveLocked()
	end := s.appended
	s.mu.Unlock()
	// What cut the entries must be on disk before they go: without it, a crash
	// could leave a log with a hole.
	if err := s.sync(end); err != nil {
		return err
	}
	for {
		s.mu.Lock()
		oldest := s.segments[0]
		if len(s.segments) == 1 || oldest.end() > live {
			s.mu.Unlock()
			return nil
		}
		s.segments = s.segments[1:]
		var spare string
		if len(s.spares) < keptSpares && oldest.size >= s.segmentBytes/2 {
			s.made++
			spare = s.fs.PathJoin(s.dir, fmt.Sprintf("%s%d", sparePrefix, s.made))
		}
		s.mu.Unlock()
		if err := s.giveBack(oldest, spare); err != nil {
			return err
		}
	}
}

// giveBack makes a segment a spare, or removes it.
func (s *logStore) giveBack(old *segment, spare string) error {
	old.reading.Lock() // for good: nobody finds it any more
	err := old.file.Close()
	if spare == "" {
		err = errors.Join(err, s.fs.Remove(old.path))
	} else {
		err = errors.Join(err, s.fs.Rename(old.path, spare))
	}
	// Durable before the next one goes: a hole in the numbers is damage.
	if err = errors.Join(err, syncDir(s.fs, s.dir)); err != nil || spare == "" {
		return err
	}
	s.mu.Lock()
	s.spares = append(s.spares, spare)
	s.mu.Unlock()
	return nil
}

// liveLocked returns the position of the oldest entry that is in the log, and
// the size of all that are. mu held.
func (s *logStore) liveLocked() (oldest uint64, size int64) {
	oldest = s.appended
	for _, g := range s.groups {
		for _, p := range g.places {
			oldest = min(oldest, p.at)
			size += int64(recordSize(p.size))
		}
	}
	return oldest, size
}

// relocate writes the entries of the oldest segment anew where the log has grown
// far beyond what is in it: a group that hardly writes would hold it for good.
func (s *logStore) relocate() (moved bool, err error) {
	s.mu.Lock()
	_, size := s.liveLocked()
	oldest := s.segments[0]
	const slack = 2 // segments may be half empty
	due := int64(len(s.segments)) > max(relocateFrom, slack*size/s.segmentBytes+relocateFrom/2)
	type entry struct {
		group *groupLog
		index uint64
		place logPlace
	}
	var moving []entry
	if due {
		for _, g := range s.groups {
			for i, p := range g.places {
				if p.at < oldest.end() {
					moving = append(moving, entry{g, g.first + uint64(i), p})
				}
			}
		}
	}
	s.mu.Unlock()
	for _, e := range moving {
		err := s.read(e.place, func(r *logRecord) error {
			b := appendRecord(nil, recordEntry, e.group.id, e.index, func(b []byte) []byte { return append(b, r.body...) })
			e.group.moved(e.index, e.place, b)
			return nil
		})
		if errors.Is(err, errMoved) {
			if now, there := e.group.place(e.index); !there || now != e.place {
				continue // cut meanwhile
			}
		}
		if err != nil {
			return false, fmt.Errorf("entry %d of group %d: %w", e.index, e.group.id, err)
		}
	}
	return len(moving) > 0, nil
}

// moved puts an entry's record in a new place, if it is still in the old one.
func (g *groupLog) moved(index uint64, from logPlace, record []byte) {
	s := g.store
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(g.places) == 0 || index < g.first || index > g.lastLocked() || g.places[index-g.first] != from {
		return
	}
	g.places[index-g.first].at = s.appendLocked(record)
}

// encodeCut is the record by which entries low … high are gone.
func encodeCut(group GroupID, low, high uint64) []byte {
	return appendRecord(nil, recordCut, group, low, func(b []byte) []byte {
		return binary.BigEndian.AppendUint64(b, high)
	})
}
