package fsm

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"
)

// Scan walks records in the order of their keys, as they were when it was
// opened. It is used without the owner's lock, by one goroutine.
type Scan struct {
	s       *Store
	it      *pebble.Iterator
	overlay []change // of the range, in the order of the walk
	ranges  [][2][]byte
	back    bool // from the last record to the first one
	started bool

	key, value []byte
	err        error
}

// Scan opens a scan of [lo, hi). Owner's lock held, at least for reading; the
// scan itself is used after it is released, and must be closed.
func (s *Store) Scan(lo, hi []byte) (*Scan, error) { return s.scan(lo, hi, false) }

// ScanBack is Scan from the last record to the first one.
func (s *Store) ScanBack(lo, hi []byte) (*Scan, error) { return s.scan(lo, hi, true) }

func (s *Store) scan(lo, hi []byte, back bool) (*Scan, error) {
	if s.stopped {
		return nil, ErrClosed
	}
	c := &Scan{s: s, back: back}
	newest := make(map[string]change)
	disk, layers, err := s.view()
	if err != nil {
		return nil, fmt.Errorf("data folder %s: read: %w", s.cfg.Dir, err)
	}
	for _, l := range layers {
		for _, r := range l.ranges {
			for key := range newest {
				if key >= string(r[0]) && key < string(r[1]) {
					delete(newest, key)
				}
			}
			c.ranges = append(c.ranges, r)
		}
		for _, change := range l.changes {
			if change.key >= string(lo) && change.key < string(hi) {
				if under, ok := newest[change.key]; ok && change.added {
					change.value, change.added = joined([][]byte{change.value, under.value}), under.added
				}
				newest[change.key] = change
			}
		}
	}
	for _, top := range newest {
		c.overlay = append(c.overlay, top)
	}
	slices.SortFunc(c.overlay, func(a, b change) int { return c.compare(a.key, b.key) })
	disk.SetBounds(lo, hi)
	c.it = disk
	s.readers.Add(1)
	return c, nil
}

// compare is negative where a comes before b.
func (c *Scan) compare(a, b string) int {
	if c.back {
		a, b = b, a
	}
	return strings.Compare(a, b)
}

// step moves on the disk.
func (c *Scan) step() {
	switch {
	case c.started && c.back:
		c.it.Prev()
	case c.started:
		c.it.Next()
	case c.back:
		c.it.Last()
	default:
		c.it.First()
	}
	c.started = true
}

// Next moves to the next record and reports whether there is one.
func (c *Scan) Next() bool {
	if c.err != nil {
		return false
	}
	if !c.started || c.it.Valid() && bytes.Equal(c.it.Key(), c.key) {
		c.step()
	}
	for {
		onDisk := c.it.Valid()
		if onDisk && covers(c.ranges, c.it.Key()) {
			c.step()
			continue
		}
		if len(c.overlay) == 0 {
			return onDisk && c.take()
		}
		top := c.overlay[0]
		if onDisk && c.compare(string(c.it.Key()), top.key) < 0 {
			return c.take()
		}
		if onDisk && string(c.it.Key()) == top.key {
			if top.added {
				if !c.take() {
					return false
				}
				top.value = joined([][]byte{top.value, c.value})
			}
			c.step() // the newer value wins
		}
		c.overlay = c.overlay[1:]
		if top.value == nil {
			continue
		}
		c.key, c.value = append(c.key[:0], top.key...), top.value
		return true
	}
}

func (c *Scan) take() bool {
	c.key = append(c.key[:0], c.it.Key()...)
	if c.value, c.err = c.it.ValueAndErr(); c.err == nil {
		c.value, c.err = c.s.opened(c.key, c.value)
	}
	return c.err == nil
}

// Key returns the current key, valid until Next.
func (c *Scan) Key() []byte { return c.key }

// Value returns the current value, valid until Next.
func (c *Scan) Value() []byte { return c.value }

// Close ends the scan and returns what went wrong during it.
func (c *Scan) Close() error {
	err := c.err
	if itErr := c.it.Close(); err == nil {
		err = itErr
	}
	c.s.readers.Done()
	if err != nil {
		return fmt.Errorf("data folder %s: read: %w", c.s.cfg.Dir, err)
	}
	return nil
}
