package bench

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/cloudlicenses/cloudlicenses/bench/load"
)

// Tenant is a tenant under load, with an API key that may check out and return.
type Tenant struct {
	ID  string
	Key string
}

// httpTarget is a cluster, or the echo, over HTTP.
type httpTarget struct {
	system string // in messages
	domain string
	// addrs are the nodes'. A tenant's requests go to that of place, which is
	// indexed like tenants; without place, the i-th caller's to the i-th.
	addrs   []string
	place   []int
	tls     *tls.Config // nil: plain
	tenants []Tenant
	// Each tenant has perTenant pools, of products product-0000 and so on.
	product   string
	perTenant int
	// batch is how many operations one request holds; 0: one, without a batch.
	batch int
	// ttl of a lease in seconds; 0: the server's own.
	ttl int
	// silent systems have no counters and leases to verify.
	silent bool

	heads     []heads // of tenants
	forwarded atomic.Int64
}

// copyWith is the same target with another batch.
func (t *httpTarget) copyWith(batch int) *httpTarget {
	other := &httpTarget{
		system: t.system, domain: t.domain, addrs: t.addrs, place: t.place, tls: t.tls, tenants: t.tenants,
		product: t.product, perTenant: t.perTenant, batch: batch, ttl: t.ttl, silent: t.silent,
	}
	other.prepare()
	return other
}

// heads are a tenant's requests up to the value of Content-Length, which is
// their last header.
type heads struct{ checkout, giveBack, batch []byte }

// prepare makes the heads of requests.
func (t *httpTarget) prepare() {
	t.heads = make([]heads, len(t.tenants))
	for i, tenant := range t.tenants {
		head := func(path string) []byte {
			return fmt.Appendf(nil, "POST /api/v1/licenses/%s HTTP/1.1\r\nHost: %s.%s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: ",
				path, tenant.ID, t.domain, tenant.Key)
		}
		t.heads[i] = heads{head("checkout"), head("return"), head("batch")}
	}
}

// Caller implements load.Target.
func (t *httpTarget) Caller(_ context.Context, i int) (load.Caller, error) {
	c := &httpCaller{target: t, number: i, user: "bench-" + strconv.Itoa(i), conns: make([]*conn, len(t.addrs)), body: make([]byte, 0, 256)}
	for n, addr := range t.addrs {
		c.conns[n] = newConn(addr, t.tls)
	}
	if err := c.conns[c.node(0)].dial(); err != nil {
		return nil, err
	}
	return c, nil
}

// httpCaller has a connection to each node it asks. What it holds are lease
// ids, such as "lease-17", each with a comma behind it.
type httpCaller struct {
	target *httpTarget
	number int
	user   string
	conns  []*conn
	body   []byte
	tenant int // of the leases held
	held   []byte
	away   int64 // requests that were forwarded
}

func (c *httpCaller) node(tenant int) int {
	if c.target.place != nil {
		return c.target.place[tenant]
	}
	return c.number % len(c.conns)
}

// Checkout implements load.Caller.
func (c *httpCaller) Checkout(pool int) error {
	t := c.target
	c.tenant = pool / t.perTenant
	head, wanted := t.heads[c.tenant].checkout, http.StatusCreated
	if t.batch == 0 {
		c.body = c.appendCheckout(append(c.body[:0], '{'), pool)
	} else {
		head, wanted = t.heads[c.tenant].batch, http.StatusOK
		c.body = append(c.body[:0], `{"operations":[`...)
		for i := range t.batch {
			// Of one tenant, whatever the number of pools.
			next := c.tenant*t.perTenant + (pool+i)%t.perTenant
			c.body = c.appendCheckout(append(c.body, `{"op":"checkout",`...), next)
			c.body = append(c.body, ',')
		}
		c.body = append(c.body[:len(c.body)-1], `]}`...)
	}
	r, err := c.send(head, wanted)
	if err != nil {
		return err
	}
	err = c.take(r.body)
	if err != nil && len(c.held) > 0 { // a part of a batch
		if returned := c.Return(); returned != nil {
			return returned
		}
	}
	return err
}

// appendCheckout appends the members of a checkout and the closing brace.
func (c *httpCaller) appendCheckout(b []byte, pool int) []byte {
	b = append(b, `"product_id":"`...)
	b = append(b, c.target.product...)
	b = append(b, '-')
	n := pool % c.target.perTenant
	for width := 1000; width > 1 && n < width; width /= 10 {
		b = append(b, '0')
	}
	b = strconv.AppendInt(b, int64(n), 10)
	b = append(b, `","user":"`...)
	b = append(b, c.user...)
	if c.target.ttl > 0 {
		b = append(b, `","ttl_seconds":`...)
		return append(strconv.AppendInt(b, int64(c.target.ttl), 10), '}')
	}
	return append(b, `"}`...)
}

var (
	leaseMember = []byte(`"lease_id":"`)
	noSeat      = []byte(`"code":"license_unavailable"`)
)

// take notes the leases of a reply.
func (c *httpCaller) take(body []byte) error {
	c.held = c.held[:0]
	granted := 0
	for rest := body; ; granted++ {
		at := bytes.Index(rest, leaseMember)
		if at < 0 {
			break
		}
		rest = rest[at+len(leaseMember):]
		end := bytes.IndexByte(rest, '"')
		if end < 0 {
			break
		}
		c.held = append(append(c.held, rest[:end]...), ',')
	}
	switch {
	case granted == max(c.target.batch, 1):
		return nil
	case c.target.batch > 0 && bytes.Contains(body, noSeat):
		return load.ErrRefused
	default:
		return fmt.Errorf("%d seats where %d were asked for: %.200s", granted, max(c.target.batch, 1), body)
	}
}

// Return implements load.Caller.
func (c *httpCaller) Return() error {
	t := c.target
	head := t.heads[c.tenant].giveBack
	if t.batch == 0 {
		c.body = append(c.body[:0], `{"lease_id":"`...)
		c.body = append(c.body, c.held[:len(c.held)-1]...)
		c.body = append(c.body, `"}`...)
	} else {
		head = t.heads[c.tenant].batch
		c.body = append(c.body[:0], `{"operations":[`...)
		for held := c.held; len(held) > 0; {
			end := bytes.IndexByte(held, ',')
			c.body = append(c.body, `{"op":"return","lease_id":"`...)
			c.body = append(c.body, held[:end]...)
			c.body = append(c.body, `"},`...)
			held = held[end+1:]
		}
		c.body = append(c.body[:len(c.body)-1], `]}`...)
	}
	r, err := c.send(head, http.StatusOK)
	if err != nil {
		return err
	}
	if n, all := bytes.Count(r.body, []byte(`"reason":"returned"`)), bytes.Count(c.held, []byte{','}); n != all {
		return fmt.Errorf("%d of %d seats were returned: %.200s", n, all, r.body)
	}
	c.held = c.held[:0]
	return nil
}

// send sends c.body to the node of the tenant.
func (c *httpCaller) send(head []byte, wanted int) (reply, error) {
	conn := c.conns[c.node(c.tenant)]
	out := append(conn.out[:0], head...)
	out = strconv.AppendInt(out, int64(len(c.body)), 10)
	out = append(out, headEnd...)
	conn.out = append(out, c.body...)
	r, err := conn.roundTrip()
	if err != nil {
		return r, err
	}
	if len(r.leader) > 0 {
		c.away++
	}
	switch r.status {
	case wanted:
		return r, nil
	case http.StatusConflict:
		return r, load.ErrRefused
	default:
		return r, problem(r)
	}
}

// problem is a reply that was not wanted, as an error: the code and the detail that
// the cluster tells, or what else it said.
func problem(r reply) error {
	var said struct {
		Code   string `json:"code"`
		Detail string `json:"detail"`
	}
	if json.Unmarshal(r.body, &said) != nil || said.Code == "" {
		return fmt.Errorf("%d: %.200s", r.status, r.body)
	}
	return fmt.Errorf("%d %s: %s", r.status, said.Code, said.Detail)
}

// Close implements load.Caller.
func (c *httpCaller) Close() error {
	var err error
	if len(c.held) > 0 {
		err = c.Return()
	}
	c.target.forwarded.Add(c.away)
	for _, conn := range c.conns {
		conn.close()
	}
	return err
}

var errAccounts = errors.New("counters and leases do not agree")

// Verify implements load.Target: the sum of all in_use against the live leases,
// both read linearizably.
func (t *httpTarget) Verify(ctx context.Context) (load.Account, error) {
	var sum load.Account
	if t.silent {
		return sum, load.ErrNoAccount
	}
	accounts := make([]load.Account, len(t.tenants))
	var group errgroup.Group
	group.SetLimit(verifiers)
	for i := range t.tenants {
		group.Go(func() (err error) {
			accounts[i], err = t.account(ctx, i)
			return err
		})
	}
	err := group.Wait()
	for _, a := range accounts {
		sum.Counted += a.Counted
		sum.Leases += a.Leases
	}
	if err == nil && sum.Counted != sum.Leases {
		err = fmt.Errorf("%w: %d seats in use by the counters of %s, %d by its leases", errAccounts, sum.Counted, t.system, sum.Leases)
	}
	return sum, err
}

// verifiers is how many tenants are read at once.
const verifiers = 8

// account reads the seats of one tenant. A seat that expires while it is read
// would count once: the two are read again when they differ.
func (t *httpTarget) account(ctx context.Context, tenant int) (a load.Account, err error) {
	c := newConn(t.addrs[0], t.tls)
	defer c.close()
	for range 3 {
		a = load.Account{}
		err = t.list(ctx, c, tenant, "/api/v1/licenses", func(row *accountRow) { a.Counted += row.InUse })
		if err == nil {
			err = t.list(ctx, c, tenant, "/api/v1/leases", func(row *accountRow) { a.Leases += row.Count })
		}
		if err != nil || a.Counted == a.Leases {
			break
		}
	}
	return a, err
}

// accountRow is what counts of a license or a lease.
type accountRow struct {
	LeaseID string `json:"lease_id"`
	InUse   int64  `json:"in_use"`
	Count   int64  `json:"count"`
}
