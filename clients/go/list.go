package licenseclient

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"time"
)

// LicenseInfo is a license of the tenant and how much of it is in use.
type LicenseInfo struct {
	LicenseID     string `json:"license_id"`
	VendorID      string `json:"vendor_id"`
	ProductID     string `json:"product_id"`
	ProductName   string `json:"product_name"`
	Version       string `json:"version"` // the range of versions it covers; empty: any
	Status        string `json:"status"`  // "provisioned" is the one that grants
	TotalLicenses int    `json:"total_licenses"`
	CommitQty     int    `json:"commit_qty"`
	MaxOverage    int    `json:"max_overage"`
	InUse         int    `json:"in_use"`
	CommitInUse   int    `json:"commit_in_use"`
	OverageInUse  int    `json:"overage_in_use"`
	Available     int    `json:"available"`
	// StartDate and EndDate, which is included, are whole UTC days, written
	// 2006-01-02; EndDate is empty where the contract is open-ended.
	StartDate string `json:"start_date"`
	EndDate   string `json:"end_date"`
}

func (l *LicenseInfo) complete() bool { return l.LicenseID != "" }

// LeaseInfo is a live lease as a list shows it.
type LeaseInfo struct {
	LeaseID      string    `json:"lease_id"`
	LicenseID    string    `json:"license_id"`
	ProductID    string    `json:"product_id"`
	User         string    `json:"user"`
	Type         LeaseType `json:"type"`
	Count        int       `json:"count"`
	OverageCount int       `json:"overage_count"`
	Hostname     string    `json:"hostname"`
	APIKeyID     string    `json:"api_key_id"` // of the key that took it; empty: the server is older
	IssuedAt     time.Time `json:"issued_at"`
	ExpiresAt    time.Time `json:"expires_at"`
}

// LeaseFilter narrows a list of leases; the zero value is all of them.
type LeaseFilter struct {
	LicenseID string
	User      string
}

// page is the wire form of every list.
type page[T any] struct {
	Items      []T     `json:"items"`
	NextCursor *string `json:"next_cursor"`
}

func (p *page[T]) complete() bool { return p.Items != nil }

// pageLimit is the most that a page holds.
const pageLimit = "100"

// Licenses lists the tenant's licenses, page by page as they are consumed. It
// ends with the first error. A client's first list is the leader's own where
// there is one; later ones come from whatever replica is at hand, but never
// from before what the client has seen or written.
func (c *Client) Licenses(ctx context.Context) iter.Seq2[LicenseInfo, error] {
	return list[LicenseInfo](ctx, c, "/api/v1/licenses", url.Values{})
}

// License returns one license; ErrNotFound where the tenant has none by that
// id.
func (c *Client) License(ctx context.Context, licenseID string) (*LicenseInfo, error) {
	var license LicenseInfo
	_, err := c.do(ctx, call{
		method: http.MethodGet, path: "/api/v1/licenses/" + url.PathEscape(licenseID),
	}, &license)
	if err != nil {
		return nil, err
	}
	return &license, nil
}

// Leases lists the live leases of this client's key, page by page as they are
// consumed. It ends with the first error.
func (c *Client) Leases(ctx context.Context, filter LeaseFilter) iter.Seq2[LeaseInfo, error] {
	query := url.Values{}
	if filter.LicenseID != "" {
		query.Set("license_id", filter.LicenseID)
	}
	if filter.User != "" {
		query.Set("user", filter.User)
	}
	return list[LeaseInfo](ctx, c, "/api/v1/leases", query)
}

// list walks a list of the API. A cursor that does not move ends it, so that
// it ends whatever the server says.
func list[T any](ctx context.Context, c *Client, path string, query url.Values) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		cursor := ""
		for {
			asked := url.Values{"limit": {pageLimit}}
			for name, values := range query {
				asked[name] = values
			}
			if cursor != "" {
				asked.Set("cursor", cursor)
			}
			var p page[T]
			_, err := c.do(ctx, call{method: http.MethodGet, path: path, query: asked}, &p)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, item := range p.Items {
				if !yield(item, nil) {
					return
				}
			}
			if p.NextCursor == nil || *p.NextCursor == "" || *p.NextCursor == cursor {
				return
			}
			cursor = *p.NextCursor
		}
	}
}
