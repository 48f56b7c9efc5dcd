package license

import (
	"slices"
	"strconv"
	"strings"

	"github.com/cloudlicenses/cloudlicenses"
)

// licenses answers QueryLicenses.
func (q *question) licenses() (reply, error) {
	var ask ListLicenses
	if err := q.decode(&ask); err != nil {
		return nil, err
	}
	page := &LicensePage{}
	code, err := q.read(func(v view) error {
		var k *key
		k, page.Rate, page.Layer, page.Code = v.counted(&ask.Access)
		if page.Code != cloudlicenses.OK {
			page.Detail = v.refusal(k, page.Code, &ask.Access)
			return nil
		}
		if ask.ID != "" {
			l := v.tenant.licenses[ask.ID]
			if l == nil {
				page.Code = cloudlicenses.NotFound
				return nil
			}
			page.Items = []LicenseState{v.state.shown(l)}
			return nil
		}
		limit := pageSize(ask.Limit)
		for _, l := range v.tenant.licenseOrder[v.tenant.licensesAfter(ask.Cursor):] {
			if len(page.Items) == limit {
				page.Next = string(page.Items[limit-1].License.ID)
				break
			}
			page.Items = append(page.Items, v.state.shown(l))
		}
		return nil
	})
	if code != cloudlicenses.OK {
		page.Code = code
	}
	return page, err
}

// licensesAfter returns the place of the first license whose id is larger.
func (t *tenant) licensesAfter(cursor string) int {
	i, found := slices.BinarySearchFunc(t.licenseOrder, cursor, func(l *license, id string) int { return strings.Compare(string(l.ID), id) })
	if found {
		i++
	}
	return i
}

func (s *state) shown(l *license) LicenseState {
	shown := LicenseState{License: l.License, CommitInUse: l.pool.Commit, OverageInUse: l.pool.Overage}
	shown.License.Status = l.statusAt(s.clock)
	if u, running := s.usageIn(l, grainMonth, s.now[grainMonth].number); running {
		shown.OverageUses, shown.OverageMinor = u.OverageUses, u.OverageMinor
	}
	return shown
}

// leases answers QueryLeases.
func (q *question) leases() (reply, error) {
	var ask ListLeases
	if err := q.decode(&ask); err != nil {
		return nil, err
	}
	page := &LeasePage{}
	after, ok := parseCursor(ask.Cursor)
	if !ok {
		page.Code, page.Detail = cloudlicenses.InvalidField, "cursor: not one of ours"
		return page, nil
	}
	limit := pageSize(ask.Limit)
	for scanned, more := 0, true; more; {
		code, err := q.read(func(v view) error {
			var k *key
			if scanned == 0 {
				k, page.Rate, page.Layer, page.Code = v.counted(&ask.Access)
			} else {
				k, page.Layer, page.Code = v.asker(&ask.Access)
			}
			if page.Code != cloudlicenses.OK {
				page.Detail = v.refusal(k, page.Code, &ask.Access)
				more = false
				return nil
			}
			table := &v.tenant.leases
			order := table.order[table.after(after):]
			for _, slot := range order[:min(len(order), stretch)] {
				l := slot.lease
				if l != nil && (k == nil || l.key == k) && ask.wants(l) {
					if len(page.Items) == limit {
						page.Next = strconv.FormatUint(after, 10)
						more = false
						return nil
					}
					page.Items = append(page.Items, v.state.public(l))
				}
				after = slot.id
			}
			scanned += stretch
			more = len(order) > stretch
			if more && scanned >= maxScanned {
				page.Next = strconv.FormatUint(after, 10)
				more = false
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		if code != cloudlicenses.OK {
			return &LeasePage{Code: code}, nil
		}
	}
	return page, nil
}

func (ask *ListLeases) wants(l *lease) bool {
	return (ask.LicenseID == "" || l.license.ID == ask.LicenseID) && (ask.User == "" || l.user == ask.User)
}

// parseCursor reads a decimal cursor; empty is the start.
func parseCursor(text string) (uint64, bool) {
	if text == "" {
		return 0, true
	}
	n, err := strconv.ParseUint(text, 10, 64)
	return n, err == nil
}

// keys answers QueryKeys.
func (q *question) keys() (reply, error) {
	var ask ListKeys
	if err := q.decode(&ask); err != nil {
		return nil, err
	}
	page := &KeyPage{}
	code, err := q.read(func(v view) error {
		for _, k := range v.tenant.keyByNumber {
			if string(k.ID) > ask.Cursor {
				page.Items = append(page.Items, k.state())
			}
		}
		return nil
	})
	page.Code = code
	slices.SortFunc(page.Items, func(a, b KeyState) int { return strings.Compare(string(a.Key.ID), string(b.Key.ID)) })
	if limit := pageSize(ask.Limit); len(page.Items) > limit {
		page.Items = page.Items[:limit]
		page.Next = string(page.Items[limit-1].Key.ID)
	}
	return page, err
}
