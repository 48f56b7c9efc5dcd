package license

import "slices"

// leaseTable holds a tenant's live leases, by id and in order of id. Ids only
// grow, so the order is kept by appending; ended ones leave a hole, and the
// holes are squeezed out once they are the most.
type leaseTable struct {
	byID  map[uint64]*lease
	order []leaseSlot
	holes int
}

type leaseSlot struct {
	id    uint64
	lease *lease // nil: ended
}

func (t *leaseTable) add(l *lease) {
	if t.byID == nil {
		t.byID = make(map[uint64]*lease)
	}
	t.byID[l.id] = l
	l.slot = int32(len(t.order))
	t.order = append(t.order, leaseSlot{l.id, l})
}

func (t *leaseTable) remove(l *lease) {
	delete(t.byID, l.id)
	t.order[l.slot].lease = nil
	t.holes++
	if t.holes < 64 || t.holes <= len(t.order)/2 {
		return
	}
	kept := t.order[:0]
	for _, s := range t.order {
		if s.lease != nil {
			s.lease.slot = int32(len(kept))
			kept = append(kept, s)
		}
	}
	clear(t.order[len(kept):])
	t.order, t.holes = kept, 0
}

// after returns the place in order of the first lease whose id is larger.
func (t *leaseTable) after(id uint64) int {
	i, found := slices.BinarySearchFunc(t.order, id, func(s leaseSlot, id uint64) int {
		switch {
		case s.id < id:
			return -1
		case s.id > id:
			return 1
		}
		return 0
	})
	if found {
		i++
	}
	return i
}
