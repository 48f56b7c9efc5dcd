package outbox

import (
	"context"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cloudlicenses/cloudlicenses/cluster"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
	"github.com/cloudlicenses/cloudlicenses/notify"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// Door is what a Drainer needs of a *shard.Shard.
type Door interface {
	Leads(group cluster.GroupID) bool
	ReadGroup(ctx context.Context, group cluster.GroupID, query shard.Command, opt shard.ReadOptions) (shard.Freshness, error)
	DoGroup(ctx context.Context, group cluster.GroupID, cmd shard.Command) error
	MailID(group cluster.GroupID, sequence uint64, email string) (string, error)
}

// Config is what a Drainer needs.
type Config struct {
	// Sender makes attempts. Its Mail is nil where none is set up: mails are
	// kept, then.
	Sender *notify.Sender
	From   notify.Address // of every mail
	Logger *slog.Logger
	// Metrics takes the metrics; nil: none.
	Metrics prometheus.Registerer
}

// Drainer delivers the records of the groups that this node leads. It is safe
// for concurrent use.
type Drainer struct {
	cfg     Config
	logger  *slog.Logger
	metrics *metrics
	door    atomic.Pointer[Door]
	unsent  sync.Once // told that mail is not set up

	ctx    context.Context // of attempts under way
	cancel context.CancelFunc
	stop   chan struct{} // no more attempts

	mu     sync.Mutex // guards what follows
	groups map[cluster.GroupID]*drain
	closed bool
	work   sync.WaitGroup
}

// New returns a drainer that does nothing before Start.
func New(cfg Config) *Drainer {
	d := &Drainer{cfg: cfg, logger: cfg.Logger, stop: make(chan struct{}), groups: make(map[cluster.GroupID]*drain)}
	if d.logger == nil {
		d.logger = slog.Default()
	}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	d.metrics = newMetrics(cfg.Metrics, d)
	return d
}

// Start begins delivering through door.
func (d *Drainer) Start(door Door) { d.door.Store(&door) }

// Pulse is called every cluster.TickInterval for each group that this node
// leads, by one goroutine a group: head is the machine's OutboxHead. It costs a
// few loads where nothing is due.
func (d *Drainer) Pulse(group cluster.GroupID, head uint64, nowMillis int64) {
	door := d.door.Load()
	if door == nil {
		return
	}
	d.mu.Lock()
	g := d.groups[group]
	if g == nil && !d.closed {
		g = newDrain(d, *door, group)
		d.groups[group] = g
		d.work.Go(g.loop)
	}
	d.mu.Unlock()
	if g != nil {
		g.pulse(head, nowMillis)
	}
}

// Close takes up nothing new, lets attempts under way end as long as ctx lasts,
// then breaks them off: whether they arrived is not known, then.
func (d *Drainer) Close(ctx context.Context) {
	d.mu.Lock()
	if !d.closed {
		d.closed = true
		close(d.stop)
	}
	d.mu.Unlock()
	defer context.AfterFunc(ctx, d.cancel)()
	d.work.Wait()
	d.cancel()
}

// stopped reports whether nothing new is to be taken up.
func (d *Drainer) stopped() bool {
	select {
	case <-d.stop:
		return true
	default:
		return false
	}
}

// Deliveries under way at once, in each group, by lane: so many receivers.
var slots = map[uint8]int{license.LaneMail: 4, license.LaneWebhook: 8, license.LaneFailing: 4}

// lanes in the order in which a pass goes through them.
var lanes = [...]uint8{license.LaneMail, license.LaneWebhook, license.LaneFailing}

const (
	// pageSize is how many entries of the schedule are read at once.
	pageSize = 256
	// runLength is how many deliveries to one receiver are taken up at once.
	runLength = 64

	unseen = math.MaxUint64 // no head that a machine tells
)

// drain is one group's.
type drain struct {
	d     *Drainer
	door  Door
	group cluster.GroupID

	wake chan struct{}
	head atomic.Uint64 // last one told
	seen atomic.Uint64 // that of the latest pass
	next atomic.Int64  // when the next record is due, as of the latest pass, in Unix ms
	now  atomic.Int64  // last one told

	mu   sync.Mutex
	busy map[receiver]bool
	runs map[uint8]int // under way, by lane
}

// receiver is an endpoint, or each mail by itself.
type receiver struct{ endpoint, mail uint64 }

func newDrain(d *Drainer, door Door, group cluster.GroupID) *drain {
	g := &drain{d: d, door: door, group: group, wake: make(chan struct{}, 1), busy: make(map[receiver]bool), runs: make(map[uint8]int)}
	g.seen.Store(unseen)
	return g
}

func (g *drain) pulse(head uint64, nowMillis int64) {
	g.now.Store(nowMillis)
	g.head.Store(head)
	if head != g.seen.Load() || nowMillis >= g.next.Load() {
		g.poke()
	}
}

func (g *drain) poke() {
	select {
	case g.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// loop makes a pass whenever it is woken.
func (g *drain) loop() {
	for {
		select {
		case <-g.d.stop:
			return
		case <-g.wake:
		}
		if !g.door.Leads(g.group) {
			g.seen.Store(unseen) // the next pulse is that of a leader again
			continue
		}
		if err := g.pass(); err != nil {
			g.seen.Store(unseen)
			g.d.logger.Warn("the outbox can't be read", "group", uint32(g.group), "error", err)
		}
	}
}

// pass takes up what is due and there is room for.
func (g *drain) pass() error {
	g.seen.Store(g.head.Load())
	next := int64(math.MaxInt64)
	for _, lane := range lanes {
		if lane == license.LaneMail && g.d.cfg.Sender.Mail == nil {
			if err := g.tellUnsent(); err != nil {
				return err
			}
			continue
		}
		at, err := g.passLane(lane)
		if err != nil {
			return err
		}
		next = min(next, at)
	}
	g.next.Store(next)
	return nil
}

// tellUnsent says once that there are mails and no way of sending them.
func (g *drain) tellUnsent() error {
	state, err := g.state(g.d.ctx)
	if err == nil && state.Mails > 0 {
		g.d.unsent.Do(func() {
			g.d.logger.Warn("mails are kept, and not sent: this server has neither --smtp-addr nor --mail-dir")
		})
	}
	return err
}

func (g *drain) state(ctx context.Context) (license.OutboxState, error) {
	var state license.OutboxState
	_, err := g.door.ReadGroup(ctx, g.group, shard.Command{Op: license.QueryOutboxState, Result: &state}, shard.ReadOptions{})
	return state, err
}

// run is what is due to one receiver, in order.
type run struct {
	to        receiver
	sequences []uint64
}

// passLane starts a run for each receiver that is not busy, and returns when the
// lane's next record is due, as far as that is known: the end of a run leads to
// another pass.
func (g *drain) passLane(lane uint8) (next int64, err error) {
	var fresh []*run
	query := &license.ListDue{Lane: lane, NowMillis: max(g.now.Load(), time.Now().UnixMilli()), Limit: pageSize}
	next = math.MaxInt64
	for {
		free := g.room(lane) - len(fresh)
		if free <= 0 {
			break
		}
		var page license.DuePage
		_, err := g.door.ReadGroup(g.d.ctx, g.group, shard.Command{Op: license.QueryDue, Payload: query, Result: &page}, shard.ReadOptions{})
		if err != nil {
			return 0, err
		}
		fresh = g.choose(fresh, page.Items, free)
		if page.NextMillis > 0 {
			next = page.NextMillis
		}
		if query.Cursor = page.Cursor; len(query.Cursor) == 0 {
			break
		}
	}
	for _, r := range fresh {
		g.start(lane, r)
	}
	return next, nil
}

// room is how many more runs a lane may have.
func (g *drain) room(lane uint8) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slots[lane] - g.runs[lane]
}

// choose sorts a page into runs, of at most free more receivers.
func (g *drain) choose(runs []*run, items []license.DueItem, free int) []*run {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, item := range items {
		to := receiver{endpoint: item.Receiver}
		if item.Receiver == 0 {
			to.mail = item.Sequence
		}
		if g.busy[to] {
			continue
		}
		var mine *run
		for _, r := range runs {
			if r.to == to {
				mine = r
			}
		}
		if mine == nil {
			if free == 0 {
				continue
			}
			free--
			mine = &run{to: to}
			runs = append(runs, mine)
		}
		if len(mine.sequences) < runLength {
			mine.sequences = append(mine.sequences, item.Sequence)
		}
	}
	return runs
}

// start makes a run's deliveries, one after the other, until one does not
// arrive.
func (g *drain) start(lane uint8, r *run) {
	g.mu.Lock()
	g.busy[r.to] = true
	g.runs[lane]++
	g.mu.Unlock()
	g.d.work.Go(func() {
		for _, sequence := range r.sequences {
			if g.d.stopped() || !g.door.Leads(g.group) || !g.deliver(sequence) {
				break
			}
		}
		g.mu.Lock()
		delete(g.busy, r.to)
		g.runs[lane]--
		g.mu.Unlock()
		g.poke()
	})
}
