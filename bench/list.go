package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
)

// list reads every page of a tenant's list from its leader.
func (t *httpTarget) list(ctx context.Context, c *conn, tenant int, path string, each func(*accountRow)) error {
	for cursor := ""; ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		query := url.Values{"limit": {"100"}, "cursor": {cursor}, "consistency": {"linearizable"}}
		c.out = fmt.Appendf(c.out[:0], "GET %s?%s HTTP/1.1\r\nHost: %s.%s\r\nAuthorization: Bearer %s\r\n\r\n",
			path, query.Encode(), t.tenants[tenant].ID, t.domain, t.tenants[tenant].Key)
		r, err := c.roundTrip()
		if err != nil {
			return fmt.Errorf("GET %s: %w", path, err)
		}
		if r.status != http.StatusOK {
			return fmt.Errorf("GET %s: %w", path, problem(r))
		}
		var page struct {
			Items []accountRow `json:"items"`
			Next  *string      `json:"next_cursor"`
		}
		if err := json.Unmarshal(r.body, &page); err != nil {
			return fmt.Errorf("GET %s: %w", path, err)
		}
		for i := range page.Items {
			each(&page.Items[i])
		}
		if page.Next == nil || *page.Next == "" {
			return nil
		}
		cursor = *page.Next
	}
}
