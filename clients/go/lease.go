package licenseclient

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"
)

const (
	pathCheckout  = "/api/v1/licenses/checkout"
	pathHeartbeat = "/api/v1/licenses/heartbeat"
	pathReturn    = "/api/v1/licenses/return"
)

// LeaseType says what a lease's seats were granted as.
type LeaseType string

// The types of a lease: overage when at least one seat is.
const (
	Commit  LeaseType = "commit"
	Overage LeaseType = "overage"
)

// CheckoutRequest asks for seats of a product. ProductID and User are
// required; the server checks every field (ErrInvalidField).
type CheckoutRequest struct {
	ProductID string
	User      string // who works with it, 1–256 characters
	// VendorID is needed only where two vendors share a product id.
	VendorID string
	// Count is how many seats, all or none. 0 means 1.
	Count int
	// Version is the application's, checked against the license's range.
	// Empty means any.
	Version string
	// TTL is how long the lease lives without a heartbeat: 60 s to 24 h,
	// rounded up to whole seconds. 0 means the server's default, 5 minutes.
	TTL time.Duration
	// NoOverage declines seats that are charged as overage.
	NoOverage bool
	// Token asks for a signed statement of the lease (see Verifier).
	Token bool
	// Metadata is kept with the lease, up to 4 KiB as JSON.
	Metadata map[string]any
	// IdempotencyKey names the intent. Empty means a new one. Give the key
	// of an UnfinishedError to learn what became of that checkout: with the
	// same request the same lease comes back, charged once.
	IdempotencyKey string
}

// checkoutBody is the wire form of a CheckoutRequest.
type checkoutBody struct {
	ProductID    string         `json:"product_id"`
	User         string         `json:"user"`
	VendorID     string         `json:"vendor_id,omitempty"`
	Count        int            `json:"count,omitempty"`
	Version      string         `json:"version,omitempty"`
	TTLSeconds   int64          `json:"ttl_seconds,omitempty"`
	AllowOverage *bool          `json:"allow_overage,omitempty"`
	Token        bool           `json:"token,omitempty"`
	Metadata     map[string]any `json:"metadata,omitempty"`
}

func (r *CheckoutRequest) body() checkoutBody {
	b := checkoutBody{
		ProductID: r.ProductID, User: r.User, VendorID: r.VendorID, Count: r.Count,
		Version: r.Version, Token: r.Token, Metadata: r.Metadata,
		TTLSeconds: int64((r.TTL + time.Second - 1) / time.Second),
	}
	if r.NoOverage {
		declined := false
		b.AllowOverage = &declined
	}
	return b
}

// grant is the wire form of a granted checkout.
type grant struct {
	LeaseID          string    `json:"lease_id"`
	LicenseID        string    `json:"license_id"`
	ProductID        string    `json:"product_id"`
	User             string    `json:"user"`
	Type             LeaseType `json:"type"`
	Count            int       `json:"count"`
	OverageCount     int       `json:"overage_count"`
	IssuedAt         time.Time `json:"issued_at"`
	ExpiresAt        time.Time `json:"expires_at"`
	HeartbeatSeconds float64   `json:"heartbeat_seconds"`
	Token            string    `json:"token"`
}

func (g *grant) complete() bool {
	return g.LeaseID != "" && g.ExpiresAt.After(g.IssuedAt) && g.HeartbeatSeconds > 0
}

// Lease is a granted checkout. Its methods are safe for concurrent use; the
// fields do not change.
type Lease struct {
	ID           string
	LicenseID    string
	ProductID    string
	User         string
	Type         LeaseType
	Count        int // seats, those from overage included
	OverageCount int
	IssuedAt     time.Time // by the server's clock
	// HeartbeatInterval is how often the server wants to hear of the lease: a
	// third of its TTL.
	HeartbeatInterval time.Duration
	// Replayed tells that the grant is an earlier one, given again because
	// its IdempotencyKey was. It may have been extended, or ended, since.
	Replayed bool

	client    *Client
	withToken bool
	ttl       time.Duration
	lost      chan struct{} // closed under mu when cause is set

	mu        sync.Mutex
	expiresAt time.Time // by the server's clock
	lapsesAt  time.Time // by this machine's monotonic clock, never later
	token     string
	returned  bool
	cause     error              // why the lease is lost
	stop      context.CancelFunc // ends KeepAlive's goroutine; nil: none runs
	stopped   chan struct{}      // closed at its end
}

// newLease makes a lease of a grant whose first request set out at asked.
func (c *Client) newLease(g *grant, withToken, replayed bool, asked time.Time) *Lease {
	ttl := g.ExpiresAt.Sub(g.IssuedAt)
	return &Lease{
		ID: g.LeaseID, LicenseID: g.LicenseID, ProductID: g.ProductID, User: g.User,
		Type: g.Type, Count: g.Count, OverageCount: g.OverageCount, IssuedAt: g.IssuedAt,
		HeartbeatInterval: time.Duration(g.HeartbeatSeconds * float64(time.Second)),
		Replayed:          replayed,
		client:            c,
		withToken:         withToken,
		ttl:               ttl,
		lost:              make(chan struct{}),
		expiresAt:         g.ExpiresAt,
		lapsesAt:          asked.Add(ttl),
		token:             g.Token,
	}
}

// Checkout takes a lease. It is one intent, sent again as often as needed
// until the server's answer is definite or ctx ends (without a deadline of
// ctx: Options.Timeout). Refusals are *Error: ErrLicenseUnavailable,
// ErrOverageMaxExceeded, ErrOverageDeclined, ErrProductNotFound and others;
// no definite answer is an *UnfinishedError.
//
// The lease ends after its TTL unless it is kept alive: see Lease.KeepAlive.
func (c *Client) Checkout(ctx context.Context, request CheckoutRequest) (*Lease, error) {
	body, err := json.Marshal(request.body())
	if err != nil {
		return nil, fmt.Errorf("metadata of a checkout: %w", err)
	}
	key := request.IdempotencyKey
	if key == "" {
		key = NewIdempotencyKey()
	}
	var g grant
	asked := time.Now()
	got, err := c.do(ctx, call{
		method: http.MethodPost, path: pathCheckout, body: body, key: key, write: true,
	}, &g)
	if err != nil {
		return nil, err
	}
	return c.newLease(&g, request.Token, got.replayed, asked), nil
}

// Beat is the answer to a heartbeat.
type Beat struct {
	LeaseID   string    `json:"lease_id"`
	ExpiresAt time.Time `json:"expires_at"`
	Token     string    `json:"token"` // where asked for
}

func (b *Beat) complete() bool { return b.LeaseID != "" && !b.ExpiresAt.IsZero() }

// leaseBody is the body of a heartbeat or a return.
type leaseBody struct {
	LeaseID string `json:"lease_id"`
	Token   bool   `json:"token,omitempty"`
}

// Heartbeat extends a lease by its TTL. A lease that has ended is
// ErrLeaseExpired, ErrLeaseReleased or ErrLeaseNotFound.
func (c *Client) Heartbeat(ctx context.Context, leaseID string, withToken bool) (*Beat, error) {
	beat, _, err := c.heartbeat(ctx, leaseID, withToken)
	return beat, err
}

func (c *Client) heartbeat(ctx context.Context, leaseID string, withToken bool) (*Beat, time.Time, error) {
	body, err := json.Marshal(leaseBody{LeaseID: leaseID, Token: withToken})
	if err != nil {
		return nil, time.Time{}, err
	}
	var beat Beat
	got, err := c.do(ctx, call{method: http.MethodPost, path: pathHeartbeat, body: body, write: true}, &beat)
	if err != nil {
		return nil, time.Time{}, err
	}
	return &beat, got.sentAt, nil
}

// Receipt is the answer to a return.
type Receipt struct {
	LeaseID    string    `json:"lease_id"`
	LicenseID  string    `json:"license_id"`
	Type       LeaseType `json:"type"`
	ReturnedAt time.Time `json:"returned_at"`
	Reason     string    `json:"reason"` // "returned"
}

func (r *Receipt) complete() bool { return r.LeaseID != "" && !r.ReturnedAt.IsZero() }

// Return gives a lease back by its id; for a lease that this process took,
// call Lease.Return. Repeating it repeats the answer.
func (c *Client) Return(ctx context.Context, leaseID string) (*Receipt, error) {
	body, err := json.Marshal(leaseBody{LeaseID: leaseID})
	if err != nil {
		return nil, err
	}
	var receipt Receipt
	_, err = c.do(ctx, call{method: http.MethodPost, path: pathReturn, body: body, write: true}, &receipt)
	if err != nil {
		return nil, err
	}
	return &receipt, nil
}
