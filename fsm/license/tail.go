package license

import (
	"slices"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
)

// tail answers QueryTail. Where nothing has come it costs a look-up, and where much
// has come, Limit records.
func (q *question) tail() (reply, error) {
	var ask TailAudit
	if err := q.decode(&ask); err != nil {
		return nil, err
	}
	tail, list := &Tail{}, ListAudit{Limit: ask.Limit}
	var scan *fsm.Scan
	code, err := q.read(func(v view) (err error) {
		tail.Head, tail.HeadMillis = v.tenant.audit.sequence, v.state.clock
		if ask.Limit == 0 || tail.Head <= ask.After {
			return nil
		}
		tail.Skipped = tail.Head-ask.After > uint64(pageSize(ask.Limit))
		if list.Newest = tail.Skipped; list.Newest {
			ask.AfterMillis, ask.After = 0, 0
		}
		scan, err = list.scan(v, ask.AfterMillis, ask.After)
		return err
	})
	if err != nil || code != cloudlicenses.OK {
		return &Tail{Code: code}, err
	}
	if scan == nil {
		return tail, nil
	}
	page, err := list.collect(scan, ask.After)
	if closeErr := scan.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return nil, err
	}
	tail.Items = page.Items
	if tail.Skipped {
		slices.Reverse(tail.Items)
	}
	if n := len(tail.Items); n > 0 {
		tail.Head, tail.HeadMillis = tail.Items[n-1].Sequence, tail.Items[n-1].AtMillis
	}
	tail.Code, err = q.pools(tail)
	return tail, err
}

// pools adds those of the licenses that the records are about.
func (q *question) pools(tail *Tail) (cloudlicenses.Code, error) {
	return q.read(func(v view) error {
		seen := make(map[cloudlicenses.LicenseID]bool)
		for i := range tail.Items {
			id := tail.Items[i].LicenseID
			if l := v.tenant.licenses[id]; l != nil && !seen[id] {
				seen[id] = true
				tail.Pools = append(tail.Pools, v.state.shown(l))
			}
		}
		return nil
	})
}
