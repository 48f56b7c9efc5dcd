package license

// window counts events in a span of windowSlots − 1 slots that slides: of a
// minute in seconds, of an hour in minutes. An event counts until that span
// has passed since the end of its slot, so that no span of that length ever
// holds more than the limit, and room comes back at most a slot late.
type window struct {
	newest int64 // slot of the latest event
	sum    int64 // of all counts
	counts [windowSlots]uint32
}

// windowSlots are the sixty that a span is long, and the one that runs.
const windowSlots = 61

// Lengths of a slot, in milliseconds.
const (
	slotOfMinute = int64(1000)
	slotOfHour   = 60 * slotOfMinute
)

// at returns how many events count at a slot, and which slot the oldest of
// them is of. It changes nothing.
func (w *window) at(slot int64) (sum, oldest int64) {
	if w == nil || w.sum == 0 || slot >= w.newest+windowSlots {
		return 0, 0
	}
	slot = max(slot, w.newest)
	sum = w.sum
	for s := w.newest - windowSlots + 1; s <= w.newest; s++ {
		count := w.counts[place(s)]
		switch {
		case s <= slot-windowSlots:
			sum -= int64(count)
		case count > 0:
			return sum, s
		}
	}
	return sum, 0
}

// add counts an event in a slot; slots never fall.
func (w *window) add(slot int64) {
	if slot >= w.newest+windowSlots {
		*w = window{newest: slot}
	}
	for w.newest < slot {
		w.newest++
		c := &w.counts[place(w.newest)]
		w.sum, *c = w.sum-int64(*c), 0
	}
	w.counts[place(w.newest)]++
	w.sum++
}

func place(slot int64) int64 { return ((slot % windowSlots) + windowSlots) % windowSlots }

// rate tells how the window stands at a time against a limit.
func (w *window) rate(policy RatePolicy, limit, now, slotMillis int64) Rate {
	slot := now / slotMillis
	sum, oldest := w.at(slot)
	r := Rate{Policy: policy, Limit: limit, Remaining: max(0, limit-sum)}
	if sum > 0 {
		r.AfterMillis = (oldest+windowSlots)*slotMillis - now
	}
	return r
}

// record is the window as stored.
func (w *window) record() (r windowRecord) {
	if w == nil || w.sum == 0 {
		return r
	}
	_, r.First = w.at(w.newest)
	for s := r.First; s <= w.newest; s++ {
		r.Counts = append(r.Counts, w.counts[place(s)])
	}
	return r
}

// newWindow is the reverse of record.
func newWindow(r windowRecord) *window {
	if len(r.Counts) == 0 {
		return nil
	}
	w := &window{newest: r.First + int64(len(r.Counts)) - 1}
	for i, count := range r.Counts {
		w.counts[place(r.First+int64(i))] = count
		w.sum += int64(count)
	}
	return w
}
