package api

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// What happens at a tenant is in its audit log, in the same order and under the
// same numbers on every replica. A node looks for what is new in its own replica,
// once for all streams of a tenant and only while there are any: checkouts do
// nothing for streams, and a stream goes on at any node after the last record it
// has seen.

// position is a place in a tenant's audit log.
type position struct {
	millis   int64
	sequence uint64
}

func (p position) String() string {
	return strconv.FormatInt(p.millis, 10) + "-" + strconv.FormatUint(p.sequence, 10)
}

// chunk is what one look has found, encoded for all streams.
type chunk struct {
	to     uint64 // sequence of the last record
	bytes  []byte
	starts []start // of the events that have an id
	pools  int     // where in bytes those begin that have none
}

type start struct {
	sequence uint64
	at       int // in bytes
}

// after returns what of a chunk comes after a record.
func (c *chunk) after(sequence uint64) []byte {
	if sequence >= c.to {
		return nil
	}
	for _, s := range c.starts {
		if s.sequence > sequence {
			return c.bytes[s.at:]
		}
	}
	return c.bytes[c.pools:]
}

// watcher is one stream.
type watcher struct {
	chunks chan *chunk   // closed by the feed alone: the stream is too slow
	ended  chan struct{} // closed when the node stops
}

// feed looks for what is new at a tenant, for all of its streams.
type feed struct {
	tenant cloudlicenses.TenantID
	at     position // guarded by hub.mu
	all    map[*watcher]struct{}
	cancel context.CancelFunc
}

// hub has the feeds of a node.
type hub struct {
	tail func(ctx context.Context, tenant cloudlicenses.TenantID, after position, limit int64) (license.Tail, error)

	mu     sync.Mutex
	feeds  map[cloudlicenses.TenantID]*feed
	open   int
	slow   int64 // streams that were ended for not keeping up
	closed bool
}

func newHub(s *Server) *hub {
	return &hub{feeds: make(map[cloudlicenses.TenantID]*feed), tail: s.tail}
}

// tail reads what came after a place from a replica; limit 0: the last place alone.
func (s *Server) tail(ctx context.Context, tenant cloudlicenses.TenantID, after position, limit int64) (tail license.Tail, err error) {
	_, err = s.shard.Read(ctx, tenant, shard.Command{Op: license.QueryTail, Result: &tail, Payload: &license.TailAudit{
		AfterMillis: after.millis, After: after.sequence, Limit: limit,
	}}, shard.ReadOptions{})
	return tail, err
}

// join adds a stream to a tenant's feed, and returns from where on it is told.
func (h *hub) join(ctx context.Context, tenant cloudlicenses.TenantID) (*watcher, position, cloudlicenses.Code, error) {
	head, err := h.tail(ctx, tenant, position{}, 0)
	if err != nil || head.Code != cloudlicenses.OK {
		return nil, position{}, head.Code, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	f := h.feeds[tenant]
	switch {
	case h.closed || h.open >= cloudlicenses.MaxEventStreams:
		return nil, position{}, cloudlicenses.Overloaded, nil
	case f != nil && len(f.all) >= cloudlicenses.MaxTenantStreams:
		return nil, position{}, cloudlicenses.RateLimited, nil
	case f == nil:
		looking, cancel := context.WithCancel(context.Background())
		f = &feed{tenant: tenant, at: position{head.HeadMillis, head.Head}, all: make(map[*watcher]struct{}), cancel: cancel}
		h.feeds[tenant] = f
		go h.look(looking, f)
	}
	w := &watcher{chunks: make(chan *chunk, 8), ended: make(chan struct{})}
	f.all[w] = struct{}{}
	h.open++
	return w, f.at, cloudlicenses.OK, nil
}

// leave ends a stream. The last one of a tenant ends its feed.
func (h *hub) leave(tenant cloudlicenses.TenantID, w *watcher) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.drop(h.feeds[tenant], w)
}

// drop is leave with mu held.
func (h *hub) drop(f *feed, w *watcher) {
	if f == nil {
		return
	}
	if _, there := f.all[w]; !there {
		return
	}
	delete(f.all, w)
	h.open--
	if len(f.all) == 0 {
		f.cancel()
		delete(h.feeds, f.tenant)
	}
}

// close ends all streams: clients come back to another node.
func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for _, f := range h.feeds {
		for w := range f.all {
			close(w.ended)
			h.drop(f, w)
		}
	}
}

// streams is how many are open.
func (h *hub) streams() float64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return float64(h.open)
}

// tooSlow is how many were ended for not keeping up.
func (h *hub) tooSlow() float64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return float64(h.slow)
}

// look tells a feed's streams what is new until there are none.
func (h *hub) look(ctx context.Context, f *feed) {
	next := time.NewTimer(cloudlicenses.EventLook)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-next.C:
		}
		h.mu.Lock()
		at, streams := f.at, len(f.all)
		h.mu.Unlock()
		every, most := pace(streams)
		next.Reset(every)
		tail, err := h.tail(ctx, f.tenant, at, cloudlicenses.MaxEventsLooked)
		if err != nil || tail.Code != cloudlicenses.OK || tail.Head <= at.sequence {
			continue // a group without replica here, or a tenant on its way: later
		}
		h.tell(ctx, f, encodeTail(&tail, at, most), position{tail.HeadMillis, tail.Head}, every/2)
	}
}

// pace is how often a feed looks, and how many events about leases a look tells:
// what many streams are told costs many times what is found.
func pace(streams int) (every time.Duration, most int) {
	if streams <= cloudlicenses.ManyStreams {
		return cloudlicenses.EventLook, cloudlicenses.MaxEventsAtOnce
	}
	return cloudlicenses.EventLook * 3 / 2, max(5, cloudlicenses.MaxEventsAtOnce*cloudlicenses.ManyStreams/streams)
}

// tellEvery is between two streams that are told: a thousand that wake at once keep
// checkouts waiting for the processors.
const tellEvery = 2 * time.Millisecond

// tell gives every stream of a feed a chunk, all of them within a time.
func (h *hub) tell(ctx context.Context, f *feed, c *chunk, to position, within time.Duration) {
	h.mu.Lock()
	f.at = to // who joins from here on has it
	all := slices.Collect(maps.Keys(f.all))
	h.mu.Unlock()
	few := len(all)/int(within/tellEvery) + 1
	pause := time.NewTicker(tellEvery)
	defer pause.Stop()
	for some := range slices.Chunk(all, few) {
		h.give(f, some, c)
		if len(all) <= few {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
	}
}

// give gives some streams of a feed a chunk. One that has not taken the last ones
// is ended: its client comes back, and is told from where it was.
func (h *hub) give(f *feed, some []*watcher, c *chunk) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, w := range some {
		if _, there := f.all[w]; !there {
			continue
		}
		select {
		case w.chunks <- c:
		default:
			h.slow++
			close(w.chunks)
			h.drop(f, w)
		}
	}
}

// leaseEvent is the data of the events about leases and refusals.
type leaseEvent struct {
	At           string                  `json:"at"`
	LicenseID    cloudlicenses.LicenseID `json:"license_id"`
	ProductID    cloudlicenses.ProductID `json:"product_id"`
	LeaseID      *string                 `json:"lease_id"`
	KeyID        cloudlicenses.KeyID     `json:"api_key_id"`
	User         string                  `json:"user"`
	Hostname     string                  `json:"hostname"`
	Type         string                  `json:"type,omitempty"`
	Count        int64                   `json:"count"`
	OverageCount int64                   `json:"overage_count"`
	Reason       string                  `json:"reason,omitempty"` // returned, released; of a refusal its code
}

// poolEvent is the data of pool.changed.
type poolEvent struct {
	LicenseID cloudlicenses.LicenseID `json:"license_id"`
	Total     int64                   `json:"total_licenses"`
	shownPool
}

// eventOf names the event that an audit record is; empty: none.
func eventOf(a *license.Audit) (name, reason string) {
	switch {
	case a.Action == "checkout" && a.Result == "success":
		return "lease.granted", ""
	case a.Action == "checkout":
		return "checkout.denied", a.Result
	case a.Result != "success":
		return "", ""
	case a.Action == "return":
		return "lease.returned", "returned"
	case a.Action == "release":
		return "lease.returned", "released"
	case a.Action == "expire":
		return "lease.expired", ""
	}
	return "", ""
}

// encodeTail encodes what one look has found: the newest events about leases, no
// more than most, and pools.
func encodeTail(tail *license.Tail, after position, most int) *chunk {
	c := &chunk{to: tail.Head}
	if tail.Skipped {
		before := position{tail.HeadMillis, tail.Head}
		if len(tail.Items) > 0 {
			before = position{tail.Items[0].AtMillis, tail.Items[0].Sequence - 1}
		}
		c.event("resync", before, struct {
			Skipped uint64 `json:"skipped"`
		}{tail.Head - after.sequence})
	}
	events := make([]*license.Audit, 0, len(tail.Items))
	for i := range tail.Items {
		if name, _ := eventOf(&tail.Items[i]); name != "" {
			events = append(events, &tail.Items[i])
		}
	}
	for _, a := range events[max(0, len(events)-most):] {
		name, reason := eventOf(a)
		data := leaseEvent{
			At: *timeText(a.AtMillis), LicenseID: a.LicenseID, ProductID: a.ProductID, KeyID: a.KeyID, User: a.User, Hostname: a.Hostname,
			Count: a.Count, OverageCount: a.OverageCount, Reason: reason,
		}
		if a.LeaseID != 0 {
			id, kind := a.LeaseID.String(), "commit"
			if a.OverageCount > 0 {
				kind = "overage"
			}
			data.LeaseID, data.Type = &id, kind
		}
		c.event(name, position{a.AtMillis, a.Sequence}, &data)
	}
	c.pools = len(c.bytes)
	for i := range tail.Pools {
		s := &tail.Pools[i]
		c.event("pool.changed", position{}, &poolEvent{s.License.ID, s.License.Total, showPool(s)})
	}
	return c
}

// event appends one; without an id where at is nothing.
func (c *chunk) event(name string, at position, data any) {
	if at.sequence > 0 {
		c.starts = append(c.starts, start{at.sequence, len(c.bytes)})
		c.bytes = append(append(append(c.bytes, "id: "...), at.String()...), '\n')
	}
	c.bytes = append(append(append(c.bytes, "event: "...), name...), "\ndata: "...)
	c.bytes, _ = appendJSON(c.bytes, data) // texts and numbers always encode
	c.bytes = append(c.bytes, "\n\n"...)
}
