package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// operator speaks to the admin addresses.
type operator struct {
	client *http.Client
	token  string
}

// operatorTimeout bounds one admin call.
const operatorTimeout = 5 * time.Second

// get decodes the JSON answer of path on a node's admin address into v.
func (o *operator) get(ctx context.Context, base, path string, v any) error {
	return o.getWithin(ctx, base, path, operatorTimeout, v)
}

func (o *operator) getWithin(ctx context.Context, base, path string, within time.Duration, v any) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+o.token)
	resp, err := o.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		return fmt.Errorf("GET %s: %w", path, err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s%s: %s: %.300s", base, path, resp.Status, body)
	}
	if v == nil {
		return nil
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("GET %s: %w in %.300s", path, err, body)
	}
	return nil
}

// clusterView is GET /v1/cluster.
type clusterView struct {
	Nodes  []struct{ ID, State string }
	Groups []groupView
}

// groupView is one group of it.
type groupView struct {
	ID          json.Number `json:"id"`
	Kind        string      `json:"kind"`
	Leader      *string     `json:"leader"`
	Term        uint64      `json:"term"`
	CommitIndex uint64      `json:"commit_index"`
	Replicas    []struct {
		Node         string `json:"node"`
		Role         string `json:"role"`
		AppliedIndex uint64 `json:"applied_index"`
	} `json:"replicas"`
}

// leader returns the leader's node id, or "".
func (g groupView) leader() string {
	if g.Leader == nil {
		return ""
	}
	return *g.Leader
}

func (o *operator) cluster(ctx context.Context, base string) (clusterView, error) {
	var v clusterView
	err := o.get(ctx, base, "/v1/cluster", &v)
	return v, err
}

// licenseRow is a license in a replica's list.
type licenseRow struct {
	LicenseID      string `json:"license_id"`
	ProductID      string `json:"product_id"`
	TotalLicenses  int64  `json:"total_licenses"`
	CommitQty      int64  `json:"commit_qty"`
	MaxOverage     int64  `json:"max_overage"`
	InUse          int64  `json:"in_use"`
	CommitInUse    int64  `json:"commit_in_use"`
	OverageInUse   int64  `json:"overage_in_use"`
	AvailableSeats int64  `json:"available"`
}

// leaseRow is a live lease in a replica's list.
type leaseRow struct {
	LeaseID      string    `json:"lease_id"`
	LicenseID    string    `json:"license_id"`
	User         string    `json:"user"`
	Count        int64     `json:"count"`
	OverageCount int64     `json:"overage_count"`
	ExpiresAt    time.Time `json:"expires_at"`
}

// usageRow counts what a license was used for in a month.
type usageRow struct {
	LicenseID        string `json:"license_id"`
	CommitCheckouts  int64  `json:"commit_checkouts"`
	OverageCheckouts int64  `json:"overage_checkouts"`
	OverageUses      int64  `json:"overage_uses"`
	PeakInUse        int64  `json:"peak_in_use"`
}

// overageRow is one immutable overage record.
type overageRow struct {
	LicenseID string `json:"license_id"`
	LeaseID   string `json:"lease_id"`
	Uses      int64  `json:"uses"`
}

// auditRecord is one record of the audit log.
type auditRecord struct {
	Action       string `json:"action"`
	Result       string `json:"result"`
	LicenseID    string `json:"license_id"`
	LeaseID      string `json:"lease_id"`
	User         string `json:"user"`
	Count        int64  `json:"count"`
	OverageCount int64  `json:"overage_count"`
}

// proof is GET …/audit/verify.
type proof struct {
	Valid   bool   `json:"valid"`
	Records int64  `json:"records"`
	Head    string `json:"head"`
}

// stateHash is GET /v1/groups/{id}/hash: of one node's own replica.
type stateHash struct {
	AppliedIndex uint64 `json:"applied_index"`
	Hash         string `json:"hash"`
}

// maxPages bounds a list: a cursor that never ends is a fault of its own.
const maxPages = 20_000

// list reads every page of a list of one tenant on one node.
func list[T any](ctx context.Context, o *operator, base, tenant, what string, query url.Values) ([]T, error) {
	var all []T
	if query == nil {
		query = url.Values{}
	}
	query.Set("limit", "100")
	for range maxPages {
		var page struct {
			Items []T     `json:"items"`
			Next  *string `json:"next_cursor"`
		}
		path := "/v1/tenants/" + tenant + "/" + what + "?" + query.Encode()
		if err := o.get(ctx, base, path, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if page.Next == nil || *page.Next == "" {
			return all, nil
		}
		query.Set("cursor", *page.Next)
	}
	return nil, fmt.Errorf("%s of %s: more than %d pages", what, tenant, maxPages)
}
