package license

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
)

// usage answers QueryUsage: the licenses that were used, or refused, in the
// month, in order of id.
func (q *question) usage() (reply, error) {
	var ask ListUsage
	if err := q.decode(&ask); err != nil {
		return nil, err
	}
	page := &UsagePage{}
	month, ok := parseMonth(ask.Month)
	if !ok {
		page.Code = cloudlicenses.InvalidField
		return page, nil
	}
	limit, after := pageSize(ask.Limit), ask.Cursor
	const few = 128 // each may cost a read from disk
	for more := true; more; {
		code, err := q.read(func(v view) error {
			order := v.tenant.licenseOrder[v.tenant.licensesAfter(after):]
			more = len(order) > few
			for _, l := range order[:min(len(order), few)] {
				u, err := v.usageOf(l, grainMonth, month)
				if err != nil {
					return err
				}
				if u.used() {
					if len(page.Items) == limit {
						page.Next, more = after, false
						return nil
					}
					page.Items = append(page.Items, u.public(l.ID))
				}
				after = string(l.ID)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		if code != cloudlicenses.OK {
			return &UsagePage{Code: code}, nil
		}
	}
	return page, nil
}

// usageOf finds a license's record of a period in memory or on disk.
func (v view) usageOf(l *license, g grain, number uint32) (usageRecord, error) {
	u, inMemory := v.state.usageIn(l, g, number)
	if inMemory {
		return u, nil
	}
	value, err := v.store.Get(seriesKey(g, l, number))
	if err != nil || value == nil {
		return usageRecord{Period: number}, err
	}
	return u, decode(&u, value)
}

// overage answers QueryOverage.
func (q *question) overage() (reply, error) {
	var ask ListOverage
	if err := q.decode(&ask); err != nil {
		return nil, err
	}
	page := &OveragePage{}
	month, ok := parseMonth(ask.Month)
	after, fine := parseCursor(ask.Cursor)
	if !ok || !fine {
		page.Code = cloudlicenses.InvalidField
		return page, nil
	}
	var scan *fsm.Scan
	code, err := q.read(func(v view) (err error) {
		number := v.tenant.number
		scan, err = v.store.Scan(key448(nil, prefixOverage, number, month, after+1), key444(nil, prefixOverage, number, month+1, 0))
		return err
	})
	if err != nil || code != cloudlicenses.OK {
		return &OveragePage{Code: code}, err
	}
	limit := pageSize(ask.Limit)
	for scan.Next() {
		var o Overage
		if len(page.Items) == limit {
			page.Next = strconv.FormatUint(page.Items[limit-1].Sequence, 10)
			break
		}
		if err = decode(&o, scan.Value()); err != nil {
			break
		}
		if ask.LicenseID == "" || ask.LicenseID == o.LicenseID {
			page.Items = append(page.Items, o)
		}
	}
	if closeErr := scan.Close(); err == nil {
		err = closeErr
	}
	return page, err
}

// audit answers QueryAudit. A cursor is "<millis>-<sequence>" of the last
// record seen. Its millis, and the bounds asked for, are those of blocks.
func (q *question) audit() (reply, error) {
	var ask ListAudit
	if err := q.decode(&ask); err != nil {
		return nil, err
	}
	at, after, ok := parseAuditCursor(ask.Cursor)
	if !ok {
		return &AuditPage{Code: cloudlicenses.InvalidField}, nil
	}
	var scan *fsm.Scan
	code, err := q.read(func(v view) (err error) {
		scan, err = ask.scan(v, at, after)
		return err
	})
	if err != nil || code != cloudlicenses.OK {
		return &AuditPage{Code: code}, err
	}
	page, err := ask.collect(scan, after)
	if closeErr := scan.Close(); err == nil {
		err = closeErr
	}
	return page, err
}

// scan opens a scan of the blocks that may have what comes after the cursor.
func (ask *ListAudit) scan(v view, at int64, after uint64) (*fsm.Scan, error) {
	key := func(millis int64, sequence uint64) []byte {
		return key488(nil, prefixAudit, v.tenant.number, uint64(max(millis, 0)), sequence)
	}
	end := successor(key4(prefixAudit, v.tenant.number))
	if !ask.Newest {
		return v.store.Scan(key(max(at, ask.FromMillis), 0), end)
	}
	switch {
	case after > 0: // of that record's block, what is before it
		end = key(at, after)
	case ask.ToMillis > 0 && ask.ToMillis < maxStamp:
		end = key(ask.ToMillis+1, 0)
	}
	return v.store.ScanBack(key(ask.FromMillis, 0), end)
}

// collect fills a page from a scan of blocks.
func (ask *ListAudit) collect(scan *fsm.Scan, after uint64) (*AuditPage, error) {
	page := &AuditPage{}
	limit := pageSize(ask.Limit)
	scanned, full := 0, false
	last := ""
	var records []Audit
	for !full && scan.Next() {
		block, err := parseAuditBlock(scan.Value())
		if err != nil {
			return page, err
		}
		if !ask.Newest && ask.ToMillis != 0 && block.at > ask.ToMillis {
			return page, nil
		}
		if scanned >= maxScanned {
			page.Next = last
			return page, nil
		}
		records = records[:0]
		err = block.each(func(a *Audit) bool {
			if after == 0 || a.Sequence != after && a.Sequence > after != ask.Newest {
				records = append(records, *a)
			}
			return true
		})
		if err != nil {
			return page, err
		}
		if ask.Newest {
			slices.Reverse(records)
		}
		for i := range records {
			a := &records[i]
			if ask.wants(a) {
				if full = len(page.Items) == limit; full {
					page.Next = last
					break
				}
				page.Items = append(page.Items, *a)
			}
			scanned++
			last = fmt.Sprintf("%d-%d", block.at, a.Sequence)
		}
	}
	return page, nil
}

func (ask *ListAudit) wants(a *Audit) bool {
	return (ask.User == "" || a.User == ask.User) && (ask.KeyID == "" || a.KeyID == ask.KeyID) &&
		(ask.Result == "" || a.Result == ask.Result)
}

func parseAuditCursor(text string) (millis int64, sequence uint64, ok bool) {
	if text == "" {
		return 0, 0, true
	}
	left, right, _ := strings.Cut(text, "-")
	millis, err := strconv.ParseInt(left, 10, 64)
	if err != nil || millis < 0 {
		return 0, 0, false
	}
	sequence, err = strconv.ParseUint(right, 10, 64)
	return millis, sequence, err == nil
}

// verify answers QueryVerify: it recomputes the tenant's chain from its first
// block and compares it with the head, as of one moment.
func (q *question) verify() (reply, error) {
	var ask VerifyAudit
	if len(q.payload) > 0 {
		if err := q.decode(&ask); err != nil {
			return nil, err
		}
	}
	var scan *fsm.Scan
	var want auditChain
	code, err := q.read(func(v view) (err error) {
		want.head, want.sequence = v.tenant.audit.head, v.tenant.audit.sequence
		prefix := key4(prefixAudit, v.tenant.number)
		scan, err = v.store.Scan(prefix, successor(prefix))
		return err
	})
	if err != nil || code != cloudlicenses.OK {
		return &AuditProof{Code: code}, err
	}
	proof := recompute(scan, want)
	return proof, scan.Close()
}

// recompute walks the blocks and says where the chain breaks, if it does.
func recompute(scan *fsm.Scan, want auditChain) *AuditProof {
	var head [32]byte
	var sequence uint64
	broken := func(format string, args ...any) *AuditProof {
		return &AuditProof{Records: int64(sequence), Head: want.head, Detail: fmt.Sprintf(format, args...)}
	}
	for scan.Next() {
		b, err := parseAuditBlock(scan.Value())
		switch {
		case err != nil:
			return broken("after record %d: %v", sequence, err)
		case b.first != sequence+1:
			return broken("record %d follows record %d", b.first, sequence)
		case b.before != head:
			return broken("the block of record %d does not follow from the one before it", b.first)
		case string(key488(nil, prefixAudit, binary.BigEndian.Uint32(scan.Key()[1:]), uint64(b.at), b.first)) != string(scan.Key()):
			return broken("the block of record %d was moved", b.first)
		}
		if err := b.each(func(*Audit) bool { return true }); err != nil {
			return broken("the block of record %d: %v", b.first, err)
		}
		head = sha256.Sum256(scan.Value())
		sequence += uint64(b.count)
	}
	if head != want.head || sequence != want.sequence {
		return broken("the log ends at record %d, the tenant's head is at %d", sequence, want.sequence)
	}
	return &AuditProof{Valid: true, Records: int64(sequence), Head: head}
}
