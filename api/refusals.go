package api

import (
	"cmp"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/cloudlicenses/cloudlicenses"
)

// Refusals before a key is known, and for the rate, are in no tenant's audit
// log, which strangers could fill. Each node counts those of its own, by
// minute, layer and address, for RefusalMinutes.

// refusals is that table. Its zero value is empty.
type refusals struct {
	mu      sync.Mutex
	minutes [cloudlicenses.RefusalMinutes]refusalMinute // by Unix minute mod its length; mu
}

type refusalMinute struct {
	at    int64 // Unix minute
	count map[refusalKey]int64
}

type refusalKey struct {
	layer   cloudlicenses.Layer
	address string // otherAddresses for those past RefusalRows
}

// otherAddresses stands for the addresses that a full minute has no row for.
const otherAddresses = "other"

// count counts a refusal at a time.
func (r *refusals) count(layer cloudlicenses.Layer, address string, now time.Time) {
	minute := now.Unix() / 60
	key := refusalKey{layer, address}
	r.mu.Lock()
	defer r.mu.Unlock()
	m := &r.minutes[minute%int64(len(r.minutes))]
	if m.at != minute {
		*m = refusalMinute{minute, make(map[refusalKey]int64)}
	}
	if _, known := m.count[key]; !known && len(m.count) >= cloudlicenses.RefusalRows {
		key.address = otherAddresses
	}
	m.count[key]++
}

// refusalRow is a row of the table.
type refusalRow struct {
	Minute  *string             `json:"minute"`
	Layer   cloudlicenses.Layer `json:"layer"`
	Address string              `json:"ip_address"`
	Count   int64               `json:"count"`

	at int64
}

// rows returns what is counted, the latest minute first and in it the largest
// count.
func (r *refusals) rows(now time.Time) []refusalRow {
	rows := []refusalRow{}
	oldest := now.Unix()/60 - cloudlicenses.RefusalMinutes
	r.mu.Lock()
	for i := range r.minutes {
		m := &r.minutes[i]
		if m.at <= oldest {
			continue
		}
		for key, count := range m.count {
			rows = append(rows, refusalRow{Layer: key.layer, Address: key.address, Count: count, at: m.at})
		}
	}
	r.mu.Unlock()
	slices.SortFunc(rows, func(a, b refusalRow) int {
		return cmp.Or(cmp.Compare(b.at, a.at), cmp.Compare(b.Count, a.Count), cmp.Compare(a.Layer, b.Layer), cmp.Compare(a.Address, b.Address))
	})
	for i := range rows {
		rows[i].Minute = timeText(rows[i].at * 60_000)
	}
	return rows
}

// countRefusal counts a refusal of the access chain.
func (c *call) countRefusal(p *problem) {
	c.server.metrics.refused(p.layer)
	if p.code == cloudlicenses.RateLimited || p.layer == cloudlicenses.LayerHost ||
		p.layer == cloudlicenses.LayerKey && p.code == cloudlicenses.Unauthenticated {
		c.server.refused.count(p.layer, c.address(), time.Now())
	}
}

// listRefusals is GET /v1/refusals: those that this node counted.
func (c *adminCall) listRefusals() error {
	rows := c.server.refused.rows(time.Now())
	return c.reply(http.StatusOK, page[refusalRow]{Items: rows})
}
