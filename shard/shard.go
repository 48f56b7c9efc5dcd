package shard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tinylib/msgp/msgp"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/cluster"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/directory"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// directoryGroup is the Raft group of the directory.
const directoryGroup cluster.GroupID = 0

// ErrTenantNotFound means that the directory's leader confirms: there is no
// such tenant, or it is not verified yet.
var ErrTenantNotFound = errors.New("no such tenant")

// ErrTenantMoving means that the tenant is fenced for a move; ask again shortly.
var ErrTenantMoving = errors.New("tenant is moving to another group")

// Command is one command of a tenant, or a query.
type Command struct {
	Op fsm.Op
	// Payload is nil where the op has none.
	Payload msgp.Marshaler
	// Result is decoded into where the command took effect or was refused.
	Result msgp.Unmarshaler
}

// Written is what a write's reply says besides its result.
type Written struct {
	// Applied is the opaque X-Applied-Index, such as "g1:1042".
	Applied string
	// LeaderURL is the base URL of the leader where the node forwarded.
	LeaderURL string
}

// ReadOptions says how fresh a read must be.
type ReadOptions struct {
	// Linearizable asks the leader.
	Linearizable bool
	// MinIndex is an X-Applied-Index that the answer must include; the parts
	// that name other groups are ignored. Nonsense is ErrAppliedIndex.
	MinIndex string
}

// Freshness is what a read's reply says besides its result.
type Freshness struct {
	Applied         string
	StalenessMillis int64
	// LeaderURL is the base URL of the leader where the node forwarded to it.
	LeaderURL string
}

// engine is what the door needs of a *cluster.Node.
type engine interface {
	Propose(ctx context.Context, group cluster.GroupID, command []byte) (cluster.Reply, error)
	ProposeAll(ctx context.Context, group cluster.GroupID, commands [][]byte) ([]cluster.Reply, error)
	Query(ctx context.Context, group cluster.GroupID, query []byte, opt cluster.ReadOptions) (cluster.Reply, error)
}

// Config is what a Shard needs.
type Config struct {
	Node *cluster.Node
	// Domain is the platform's, such as "cloudlicenses.com".
	Domain string
	// TenantURL returns a tenant's base URL; nil: "https://<tenant>.<domain>".
	TenantURL func(cloudlicenses.TenantID) string
	// VendorsURL returns the vendors' base URL; nil: "https://vendors.<domain>".
	VendorsURL func() string
	Logger     *slog.Logger // nil: the default one
	// Resolver is the "host:port" of the DNS resolver that sign-ups are
	// verified by; empty: none can be.
	Resolver string
	// Now is the node's clock, by which a month is over; nil: the system's.
	Now func() time.Time
	// DeletionGrace is how long a tenant's deletion can be taken back; 0:
	// cloudlicenses.DeletionGrace.
	DeletionGrace time.Duration
}

// Shard is the door. It is safe for concurrent use.
type Shard struct {
	node       *cluster.Node
	engine     engine
	tenantURL  func(cloudlicenses.TenantID) string
	vendorsURL func() string
	logger     *slog.Logger
	places     *places
	hosts      hosts
	tries      firstTries
	resolver   string
	domain     string // the platform's
	now        func() time.Time
	grace      time.Duration // of a deletion
	resting    chan struct{} // taken while a report rests, see report.go
	held       sync.Map      // TenantID → hold
	costs      recentCosts

	secrets atomic.Pointer[Secrets]
	keys    atomic.Pointer[Keys]   // with secrets
	region  atomic.Pointer[string] // this node's, for tenants that name none
}

// New returns the door to a node's cluster.
func New(cfg Config) *Shard {
	s := newShard(cfg.Node, cfg)
	s.node = cfg.Node
	return s
}

func newShard(e engine, cfg Config) *Shard {
	s := &Shard{
		engine: e, tenantURL: cfg.TenantURL, vendorsURL: cfg.VendorsURL, logger: cfg.Logger, resolver: cfg.Resolver, domain: cfg.Domain,
		now: cfg.Now, grace: cfg.DeletionGrace, resting: make(chan struct{}, 1),
	}
	if s.logger == nil {
		s.logger = slog.Default()
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.tenantURL == nil {
		s.tenantURL = func(id cloudlicenses.TenantID) string { return "https://" + string(id) + "." + cfg.Domain }
	}
	if s.vendorsURL == nil {
		s.vendorsURL = func() string { return "https://vendors." + cfg.Domain }
	}
	if s.grace == 0 {
		s.grace = cloudlicenses.DeletionGrace
	}
	s.places = newPlaces(s)
	return s
}

// Do has the tenant's group commit a command. A refusal is in the result; the
// errors are ErrTenantNotFound, ErrTenantMoving and those of package cluster.
//
// An outcome that a lost leader left unknown is settled by asking again until
// ctx's deadline (cloudlicenses.RequestTimeout where it has none): a command
// must be idempotent by an id of its own.
func (s *Shard) Do(ctx context.Context, tenant cloudlicenses.TenantID, cmd Command) (Written, error) {
	at, err := s.places.find(ctx, tenant)
	if err != nil {
		return Written{}, err
	}
	for refreshed := false; ; refreshed = true {
		reply, err := s.propose(ctx, at.group, fsm.Header{Op: cmd.Op, Version: license.Version, Epoch: at.epoch, Tenant: tenant}, cmd.Payload)
		if err != nil {
			return Written{}, err
		}
		stale, err := settled(reply.Value, cmd.Result)
		switch {
		case err != nil:
			return Written{}, err
		case !stale:
			return written(at.group, reply.Index, reply.LeaderURL), nil
		case refreshed:
			return Written{}, ErrTenantMoving
		}
		if at, err = s.places.refresh(ctx, tenant); err != nil {
			return Written{}, err
		}
	}
}

// DoAll is Do for several commands of one tenant, applied in order. The error,
// if any, is that of all of them: some may have taken effect.
func (s *Shard) DoAll(ctx context.Context, tenant cloudlicenses.TenantID, cmds []Command) (Written, error) {
	if len(cmds) == 0 {
		return Written{}, nil
	}
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	at, err := s.places.find(ctx, tenant)
	if err != nil {
		return Written{}, err
	}
	for refreshed := false; ; refreshed = true {
		replies, err := s.proposeAll(ctx, at, tenant, cmds)
		if err != nil {
			return Written{}, err
		}
		var last cluster.Reply
		var staleOnes []Command
		for i := range replies {
			stale, err := settled(replies[i].Value, cmds[i].Result)
			if err != nil {
				return Written{}, err
			}
			if stale {
				staleOnes = append(staleOnes, cmds[i])
			}
			if replies[i].Index > last.Index {
				last = replies[i]
			}
		}
		switch {
		case len(staleOnes) == 0:
			return written(at.group, last.Index, last.LeaderURL), nil
		case refreshed:
			return Written{}, ErrTenantMoving
		}
		cmds = staleOnes
		if at, err = s.places.refresh(ctx, tenant); err != nil {
			return Written{}, err
		}
	}
}

// DoDirectory has the directory commit a command.
func (s *Shard) DoDirectory(ctx context.Context, cmd Command) (Written, error) {
	reply, err := s.propose(ctx, directoryGroup, fsm.Header{Op: cmd.Op, Version: directory.Version}, cmd.Payload)
	if err != nil {
		return Written{}, err
	}
	if _, err := settled(reply.Value, cmd.Result); err != nil {
		return Written{}, err
	}
	return written(directoryGroup, reply.Index, reply.LeaderURL), nil
}

// doPlaced is Do for a tenant that is not active yet: its saga knows where it
// is placed.
func (s *Shard) doPlaced(ctx context.Context, t *directory.Tenant, cmd Command) (Written, error) {
	group := cluster.GroupID(t.Group)
	reply, err := s.propose(ctx, group, fsm.Header{Op: cmd.Op, Version: license.Version, Epoch: t.Epoch, Tenant: t.ID}, cmd.Payload)
	if err != nil {
		return Written{}, err
	}
	stale, err := settled(reply.Value, cmd.Result)
	if err != nil {
		return Written{}, err
	}
	if stale {
		return Written{}, ErrTenantMoving
	}
	return written(group, reply.Index, reply.LeaderURL), nil
}

// errTrailing refuses a reply with bytes after its end.
var errTrailing = errors.New("bytes after the end of the result")

// settled decodes a result, unless the placement turned out stale.
func settled(value []byte, into msgp.Unmarshaler) (stale bool, err error) {
	code, err := resultCode(value)
	if err != nil {
		return false, err
	}
	if code := cloudlicenses.Code(code); code == cloudlicenses.StalePlacement {
		return true, nil
	} else if code == cloudlicenses.TenantMoving {
		return false, ErrTenantMoving
	}
	return false, decode(value, into)
}

// resultCode peeks at a result's first element, which is its Code. The bytes
// alias value.
func resultCode(value []byte) ([]byte, error) {
	_, rest, err := msgp.ReadArrayHeaderBytes(value)
	if err == nil {
		var code []byte
		if code, _, err = msgp.ReadStringZC(rest); err == nil {
			return code, nil
		}
	}
	return nil, fmt.Errorf("result of a command does not begin with its code: %w", err)
}

// decode reads exactly one value from b.
func decode(b []byte, into msgp.Unmarshaler) error {
	rest, err := into.UnmarshalMsg(b)
	if err == nil && len(rest) > 0 {
		err = errTrailing
	}
	if err != nil {
		return fmt.Errorf("decode %T: %w", into, err)
	}
	return nil
}
