package bench

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cloudlicenses/cloudlicenses/bench/load"
)

const (
	watchedTenant = "watched"
	ownerEmail    = "owner@bench.example"
	ownerPassword = "a password of the bench's own"
	// watchRounds compare checkouts with dashboards open and without, in turn, in
	// an open loop of watchRate operations a second by watchCallers.
	watchRounds  = 3
	watchRate    = 1000
	watchCallers = 32
	// connectors open streams at the same time.
	connectors = 16
	// pageReads is how often a page reads each of its lists anew where events keep
	// coming, as the portal's do.
	pageReads = 15 * time.Second
)

// dashboards measures what checkouts notice of many open streams of events, all
// of the tenant that is under load, over all nodes.
func (r *runner) dashboards(ctx context.Context) error {
	p := r.http()
	p.tenants, p.pools = 1, 1
	return r.with(ctx, p, func(s *subject) error {
		if s.rig == nil {
			return errors.New("only a cluster of its own has sessions")
		}
		tenant, session, err := s.rig.owned(ctx)
		if err != nil {
			return err
		}
		watched := s.rig.target([]Tenant{tenant}, 1)
		if err := watched.findLeaders(); err != nil {
			return err
		}
		s.target = watched
		begin, figures := time.Now(), map[string]float64{}
		var with, without []load.Result
		for range watchRounds {
			alone, err := r.watchRound(ctx, s, "no dashboards")
			if err != nil {
				return err
			}
			without = append(without, alone)
			stop, told, err := s.rig.watch(ctx, session, r.cfg.Sizes.Dashboards)
			if err != nil {
				return err
			}
			beside, err := r.watchRound(ctx, s, fmt.Sprintf("%d dashboards", r.cfg.Sizes.Dashboards))
			if err = errors.Join(err, stop()); err != nil {
				return err
			}
			with = append(with, beside)
			figures["told_bytes_per_second"] = float64(told()) / (r.cfg.Duration + r.cfg.Warmup).Seconds()
		}
		figures["dashboards"] = float64(r.cfg.Sizes.Dashboards)
		for name, of := range map[string]func(*load.Result) float64{
			"p50_us": func(l *load.Result) float64 { return l.Latency.P50 }, "p99_us": func(l *load.Result) float64 { return l.Latency.P99 },
			"server_cpu_seconds_per_100k": func(l *load.Result) float64 { return l.ServerCPU },
		} {
			figures[name], figures[name+"_with_dashboards"] = middle(without, of), middle(with, of)
		}
		r.note("dashboards", p.scheme(), p, time.Since(begin), figures)
		return nil
	})
}

func middle(results []load.Result, of func(*load.Result) float64) float64 {
	var values []float64
	for i := range results {
		values = append(values, of(&results[i]))
	}
	slices.Sort(values)
	return values[len(values)/2]
}

func (r *runner) watchRound(ctx context.Context, s *subject, scenario string) (load.Result, error) {
	o := r.optionsOf(s, Hot, watchCallers)
	o.Scenario, o.Rate = scenario, watchRate
	return r.measure(ctx, s, o)
}

var linkToken = regexp.MustCompile(`token=([A-Za-z0-9_-]+)`)

// owned makes a tenant with an owner, and logs the owner in.
func (c *rig) owned(ctx context.Context) (Tenant, string, error) {
	tenant, err := c.createTenantFor(ctx, watchedTenant, benchProduct, 1, ownerEmail)
	if err != nil {
		return tenant, "", err
	}
	var token string
	err = await(ctx, "mail to the tenant's owner", readyWithin, func() error {
		for _, s := range c.servers {
			mails, err := filepath.Glob(filepath.Join(s.mails, "*.eml"))
			if err != nil {
				return err
			}
			for _, name := range mails {
				raw, err := os.ReadFile(name)
				if err != nil {
					return err
				}
				if found := linkToken.FindSubmatch(raw); found != nil {
					token = string(found[1])
					return nil
				}
			}
		}
		return errors.New("it has not come")
	})
	if err != nil {
		return tenant, "", err
	}
	if _, err := c.askTenant(ctx, "/api/v1/password", map[string]string{"token": token, "password": ownerPassword}); err != nil {
		return tenant, "", err
	}
	reply, err := c.askTenant(ctx, "/api/v1/login", map[string]string{"email": ownerEmail, "password": ownerPassword})
	var login struct {
		Token string `json:"token"`
	}
	if err == nil {
		err = json.Unmarshal(reply, &login)
	}
	return tenant, login.Token, err
}

// askTenant posts to the watched tenant's host, without a key.
func (c *rig) askTenant(ctx context.Context, path string, in any) ([]byte, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	return c.ask(ctx, c.servers[0].http, watchedTenant+"."+domain, "", http.MethodPost, path, body)
}

// watch opens streams of events, evenly over the nodes, and reads what pages beside
// them would. stop ends that; told is how many bytes the streams have been sent since
// all were open.
func (c *rig) watch(ctx context.Context, session string, n int) (stop func() error, told func() int64, err error) {
	var sum atomic.Int64
	var reading sync.WaitGroup
	var failed error
	conns := make([]net.Conn, n)
	pages, cancel := context.WithCancel(ctx)
	stop = func() error {
		cancel()
		for _, conn := range conns {
			if conn != nil {
				_ = conn.Close()
			}
		}
		reading.Wait()
		return failed
	}
	var group errgroup.Group
	group.SetLimit(connectors)
	for i := range n {
		group.Go(func() error {
			conn, err := c.stream(ctx, c.servers[i%len(c.servers)].http, session)
			conns[i] = conn
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, nil, errors.Join(err, stop())
	}
	reading.Go(func() { failed = c.readPages(pages, session, n) })
	for _, conn := range conns {
		reading.Go(func() {
			b := make([]byte, 16<<10)
			for {
				n, err := conn.Read(b)
				sum.Add(int64(n))
				if err != nil {
					return
				}
			}
		})
	}
	return stop, sum.Load, nil
}

// readPages reads the lists of n open pages, one after the other, until ctx ends.
func (c *rig) readPages(ctx context.Context, session string, n int) error {
	lists := []string{"/api/v1/licenses", "/api/v1/costs"}
	ticker := time.NewTicker(pageReads / time.Duration(n*len(lists)))
	defer ticker.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		node, path := c.servers[i%len(c.servers)], lists[i%len(lists)]
		if _, err := c.ask(ctx, node.http, watchedTenant+"."+domain, session, http.MethodGet, path, nil); err != nil && ctx.Err() == nil {
			return fmt.Errorf("read %s: %w", path, err)
		}
	}
}

// stream opens one stream, and returns once it is ready.
func (c *rig) stream(ctx context.Context, addr, session string) (net.Conn, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	if c.tls != nil {
		secured := c.tls.Clone()
		secured.ServerName = watchedTenant + "." + domain
		conn = tls.Client(conn, secured)
	}
	if _, err := fmt.Fprintf(conn, "GET /api/v1/events HTTP/1.1\r\nHost: %s.%s\r\nAuthorization: Bearer %s\r\n\r\n", watchedTenant, domain, session); err != nil {
		return conn, err
	}
	lines := bufio.NewReader(conn)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return conn, fmt.Errorf("open a stream of events: %w", err)
		}
		if line == "event: ready\n" {
			return conn, nil
		}
	}
}
