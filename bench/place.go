package bench

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/cloudlicenses/cloudlicenses/bench/load"
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

// runningCluster is the one that runs already, as its URL and host say.
func (c *Config) runningCluster() (*httpTarget, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || strings.Trim(u.Path, "/") != "" {
		return nil, fmt.Errorf("URL %q: want one such as http://127.0.0.1:8080", c.URL)
	}
	host := c.Host
	if host == "" {
		host = u.Hostname()
	}
	id, rest, ok := strings.Cut(host, ".")
	if !ok || id == "" || rest == "" || net.ParseIP(host) != nil {
		return nil, fmt.Errorf("host %q names no tenant: add --host TENANT.DOMAIN", host)
	}
	addr, port := u.Hostname(), u.Port()
	if addr == "localhost" || strings.HasSuffix(addr, ".localhost") {
		addr = "127.0.0.1" // RFC 6761, whether or not the resolver knows it
	}
	if port == "" {
		port = u.Scheme
	}
	t := &httpTarget{
		system: systemCluster, domain: rest, addrs: []string{net.JoinHostPort(addr, port)},
		tenants: []Tenant{{ID: id, Key: c.APIKey}}, product: c.Product, perTenant: c.Pools, batch: c.Batch,
	}
	if u.Scheme == "https" {
		t.tls = &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
		if c.CAFile != "" {
			if t.tls.RootCAs, err = caPool(c.CAFile); err != nil {
				return nil, err
			}
		}
	}
	t.prepare()
	return t, nil
}

// caPool trusts the certificates of a file alone.
func caPool(path string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s has no certificate", path)
	}
	return pool, nil
}

// running is a cluster that runs already, and has the pools.
func (r *runner) running(ctx context.Context) (*httpTarget, error) {
	t, err := r.cfg.runningCluster()
	if err != nil {
		return nil, err
	}
	if r.cfg.Route == RouteLeader {
		err = t.findLeaders()
	} else {
		_, err = t.account(ctx, 0)
	}
	if err != nil {
		return nil, err
	}
	single := t.copyWith(0)
	caller, err := single.Caller(ctx, 0)
	if err != nil {
		return nil, err
	}
	for _, pool := range []int{0, t.perTenant - 1} {
		err := caller.Checkout(pool)
		if err == nil {
			err = caller.Return()
		}
		if err != nil && !errors.Is(err, load.ErrRefused) {
			return nil, errors.Join(fmt.Errorf("%s-%04d, of --product and --pools: %w", t.product, pool, err), caller.Close())
		}
	}
	return t, caller.Close()
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
