package bench

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// target is the cluster with these tenants, each of which has pools.
func (c *rig) target(tenants []Tenant, pools int) *httpTarget {
	t := &httpTarget{system: systemCluster, domain: domain, tenants: tenants, product: benchProduct, perTenant: pools}
	for _, s := range c.servers {
		t.addrs = append(t.addrs, s.http)
	}
	if c.tls != nil {
		t.tls = c.tls.Clone()
		t.tls.ServerName = tenants[0].ID + "." + domain
	}
	t.prepare()
	return t
}

// running is a cluster that runs already.
func (r *runner) running(ctx context.Context) (*httpTarget, error) {
	u, err := url.Parse(r.cfg.URL)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("URL %q: want one such as http://127.0.0.1:8080", r.cfg.URL)
	}
	host := r.cfg.Host
	if host == "" {
		host = u.Hostname()
	}
	id, rest, ok := strings.Cut(host, ".")
	if !ok || id == "" || rest == "" || net.ParseIP(host) != nil {
		return nil, fmt.Errorf("host %q names no tenant: add --host TENANT.DOMAIN", host)
	}
	port := u.Port()
	if port == "" {
		port = u.Scheme
	}
	t := &httpTarget{
		system: systemCluster, domain: rest, addrs: []string{net.JoinHostPort(u.Hostname(), port)},
		tenants: []Tenant{{ID: id, Key: r.cfg.APIKey}}, product: r.cfg.Product, perTenant: r.cfg.Pools, batch: r.cfg.Batch,
	}
	if u.Scheme == "https" {
		t.tls = &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
	}
	t.prepare()
	if r.cfg.Route == RouteLeader {
		return t, t.findLeaders()
	}
	_, err = t.account(ctx, 0)
	return t, err
}

// findLeaders learns, for every tenant, which node leads its group. Nodes that
// replies name are added to the addresses.
func (t *httpTarget) findLeaders() error {
	t.place = make([]int, len(t.tenants))
	c := newConn(t.addrs[0], t.tls)
	defer c.close()
	for i, tenant := range t.tenants {
		c.out = fmt.Appendf(c.out[:0], "GET /api/v1/licenses?limit=1&consistency=linearizable HTTP/1.1\r\nHost: %s.%s\r\nAuthorization: Bearer %s\r\n\r\n",
			tenant.ID, t.domain, tenant.Key)
		r, err := c.roundTrip()
		if err != nil {
			return fmt.Errorf("leader of tenant %s: %w", tenant.ID, err)
		}
		if r.status != http.StatusOK {
			return fmt.Errorf("leader of tenant %s: %w", tenant.ID, problem(r))
		}
		if len(r.leader) == 0 {
			continue // the node that was asked
		}
		u, err := url.Parse(string(r.leader))
		if err != nil || u.Host == "" {
			return errors.New("leader of tenant " + tenant.ID + ": " + string(r.leader) + " is no URL")
		}
		at := slices.Index(t.addrs, u.Host)
		if at < 0 {
			at = len(t.addrs)
			t.addrs = append(t.addrs, u.Host)
		}
		t.place[i] = at
	}
	return nil
}
