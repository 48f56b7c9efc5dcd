package license

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cloudlicenses/cloudlicenses"
)

// The audit log is a chain of blocks, one for each entry that a tenant has
// records in:
//
//	 0..31       32..39        40..47        48..51      52..
//	+-----------+-------------+-------------+-----------+---------------------+
//	| hash of   | sequence of | clock (Unix | number of | records: Audit in   |
//	| the block | the first   | ms) of the  | records   | msgpack, Sequence   |
//	| before    | record      | entry       |           | left 0              |
//	+-----------+-------------+-------------+-----------+---------------------+
//
// A record is of the block's clock, unless it has a time of its own (AtMillis): that
// of what was begun earlier, and is written down late.
//
// A block's hash is SHA-256 over all of it; the first block's "before" is
// zero. The tenant's record holds the head: the hash of the last block.
type auditChain struct {
	sequence uint64   // of the last record
	head     [32]byte // hash of the last block
	block    []byte   // of the entry being applied; nil: none yet
	count    uint32   // records in block
}

const (
	auditHeader = 52
	auditCount  = 48
)

// keptBlocks buffers of at most keptBlock bytes stay for the blocks of the entries to
// come, whosever they are.
const (
	keptBlocks = 64
	keptBlock  = 256 << 10
)

// Actions and the result of audit records.
const (
	actionCheckout  = "checkout"
	actionHeartbeat = "heartbeat"
	actionReturn    = "return"
	actionExpire    = "expire"
	actionRelease   = "release"

	resultSuccess = "success"
)

// describeLease begins m.entry with what is known of a lease.
func (m *Machine) describeLease(action, result string, l *lease) {
	m.entry = Audit{
		Action: action, Result: result, KeyID: l.key.ID, LicenseID: l.license.ID, ProductID: l.license.ProductID,
		LeaseID: cloudlicenses.LeaseID(l.id), User: l.user, Hostname: l.hostname, Fingerprint: l.fingerprint,
		Count: l.seats(), OverageCount: int64(l.overage),
	}
}

// describeCaller begins m.entry with the refusal of a caller.
func (m *Machine) describeCaller(action string, code cloudlicenses.Code, k *key, c *Caller) {
	m.entry = Audit{
		Action: action, Result: string(code), KeyID: k.ID,
		Hostname: c.Hostname, Address: c.Address, Fingerprint: c.Fingerprint, LibVersion: c.LibVersion,
	}
}

// recordAudit appends m.entry to the tenant's block of this entry.
func (m *Machine) recordAudit(t *tenant) {
	a := &t.audit
	if len(a.block) == 0 {
		if n := len(m.blocks); n > 0 {
			a.block, m.blocks = m.blocks[n-1], m.blocks[:n-1]
		}
		a.block = append(a.block, a.head[:]...)
		a.block = binary.BigEndian.AppendUint64(a.block, a.sequence+1)
		a.block = binary.BigEndian.AppendUint64(a.block, uint64(m.state.clock))
		a.block = binary.BigEndian.AppendUint32(a.block, 0)
		m.audited = append(m.audited, t)
	}
	a.block = appendRecord(a.block, &m.entry)
	a.sequence++
	a.count++
}

// sealAudit closes the blocks of the entry: one link of the chain a tenant.
func (m *Machine) sealAudit() {
	for i, t := range m.audited {
		a := &t.audit
		binary.BigEndian.PutUint32(a.block[auditCount:], a.count)
		first := binary.BigEndian.Uint64(a.block[32:])
		a.head = sha256.Sum256(a.block)
		m.keyBytes = key488(m.keyBytes, prefixAudit, t.number, uint64(m.state.clock), first)
		m.store.Set(m.keyBytes, a.block)
		if cap(a.block) <= keptBlock && len(m.blocks) < keptBlocks {
			m.blocks = append(m.blocks, a.block[:0])
		}
		a.block, a.count = nil, 0
		m.state.touchTenant(t)
		m.audited[i] = nil
	}
	m.audited = m.audited[:0]
}

// auditBlock is a block read back.
type auditBlock struct {
	before  [32]byte
	first   uint64
	at      int64
	count   uint32
	records []byte
}

var errAuditBlock = errors.New("not an audit block")

func parseAuditBlock(value []byte) (b auditBlock, err error) {
	if len(value) < auditHeader {
		return b, errAuditBlock
	}
	copy(b.before[:], value)
	b.first = binary.BigEndian.Uint64(value[32:])
	b.at = int64(binary.BigEndian.Uint64(value[40:]))
	b.count = binary.BigEndian.Uint32(value[auditCount:])
	b.records = value[auditHeader:]
	return b, nil
}

// each calls visit with every record of the block until it returns false.
func (b *auditBlock) each(visit func(a *Audit) bool) error {
	var a Audit
	rest := b.records
	var err error
	for i := range b.count {
		if rest, err = a.UnmarshalMsg(rest); err != nil {
			return fmt.Errorf("record %d: %w", b.first+uint64(i), err)
		}
		if a.Sequence = b.first + uint64(i); a.AtMillis == 0 {
			a.AtMillis = b.at
		}
		if !visit(&a) {
			return nil
		}
	}
	if len(rest) > 0 {
		return errTrailing
	}
	return nil
}
