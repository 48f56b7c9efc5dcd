package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// tenantSpec is a tenant to create.
type tenantSpec struct {
	id          string
	entitlement entitlement
	pools       int
}

// createTenant makes a tenant with the command line, as an operator would, and
// learns the ids of its licenses through its own API.
func (r *rig) createTenant(ctx context.Context, spec tenantSpec) (*tenant, error) {
	args := []string{
		"tenant", "create", "--admin", r.nodes[0].admin, "--id", spec.id, "--license", "cad",
		"--commit", strconv.FormatInt(spec.entitlement.Commit, 10), "--max-overage", strconv.FormatInt(spec.entitlement.Overage, 10),
		"--count", strconv.Itoa(spec.pools), "--output", "json",
	}
	if r.ca != "" {
		args = append(args, "--ca-file", r.ca)
	}
	out, err := r.run(args...)
	if err != nil {
		return nil, err
	}
	var made struct {
		TenantID string `json:"tenant_id"`
		APIKey   string `json:"api_key"`
	}
	if err := json.Unmarshal(out, &made); err != nil || made.TenantID != spec.id || made.APIKey == "" {
		return nil, fmt.Errorf("tenant create printed %.300s", out)
	}
	t := &tenant{id: spec.id, apiKey: made.APIKey, entitlement: spec.entitlement}
	if err := r.loadPools(ctx, t); err != nil {
		return nil, fmt.Errorf("tenant %s: %w", spec.id, err)
	}
	if len(t.pools) != spec.pools {
		return nil, fmt.Errorf("tenant %s has %d licenses, want %d", spec.id, len(t.pools), spec.pools)
	}
	return t, nil
}

// loadPools lists the tenant's licenses and finds its group.
func (r *rig) loadPools(ctx context.Context, t *tenant) error {
	cursor := ""
	for range maxPages {
		ans, err := r.ask(ctx, attempt{tenant: t, method: "GET", path: "/api/v1/licenses?consistency=linearizable&limit=100&cursor=" + url.QueryEscape(cursor)})
		if err != nil {
			return err
		}
		var page struct {
			Items []licenseRow `json:"items"`
			Next  *string      `json:"next_cursor"`
		}
		if err := json.Unmarshal(ans.body, &page); err != nil {
			return fmt.Errorf("licenses: %w in %.300s", err, ans.body)
		}
		for _, row := range page.Items {
			t.pools = append(t.pools, &pool{tenant: t, product: row.ProductID, license: row.LicenseID, entitlement: t.entitlement})
		}
		t.group = groupOf(ans.applied)
		if page.Next == nil || *page.Next == "" {
			return nil
		}
		cursor = *page.Next
	}
	return errors.New("the list of licenses has no end")
}

var errRefused = errors.New("refused")

// ask repeats a harmless request until it succeeds.
func (r *rig) ask(ctx context.Context, a attempt) (answer, error) {
	var ans answer
	err := await(ctx, a.method+" "+a.path, 20*time.Second, func() error {
		for i, n := range r.nodes {
			if !n.serving() {
				continue
			}
			ans = r.gate.do(i, a, attemptTimeout)
			if ans.fate == definite && ans.status < http.StatusMultipleChoices {
				return nil
			}
		}
		return fmt.Errorf("status %d %.200s (%w)", ans.status, ans.body, cmp.Or(ans.err, errRefused))
	})
	return ans, err
}

// groupOf returns the license group in an X-Applied-Index such as
// "g1:1042,d:77": "1".
func groupOf(applied string) string {
	for part := range strings.SplitSeq(applied, ",") {
		if name, _, ok := strings.Cut(part, ":"); ok && strings.HasPrefix(name, "g") {
			return name[1:]
		}
	}
	return ""
}
