package license

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
)

// writeDirty writes what memory has and the store has not. mu held, between
// two entries. The order of the writes means nothing: each key once.
func (m *Machine) writeDirty(w *fsm.Writer) {
	s := m.state
	var key, value []byte
	set := func(k []byte, r reply) {
		value = appendRecord(value[:0], r)
		w.Set(k, value)
	}
	set([]byte{prefixMeta}, s.meta())
	for _, t := range s.dirtyTenants {
		t.dirty = false
		set(key4(prefixTenant, t.number), t.record())
	}
	var latest latestRecord // one for all: this runs many times a second
	for _, l := range s.dirtyLicenses {
		l.dirty = false
		key = key44(key, prefixLatest, l.tenant.number, l.number)
		set(key, l.latest(&latest))
		if l.recent != nil {
			l.writeUsers(set)
		}
	}
	for _, k := range s.dirtyKeys {
		k.dirty = false
		if k.spent.Month != 0 {
			key = key44(key, prefixSpend, k.tenant.number, k.number)
			set(key, &k.spent)
		}
		key = key44(key, prefixKeyUse, k.tenant.number, k.number)
		set(key, k.useRecord())
	}
	var r leaseRecord
	for _, l := range s.dirtyLeases {
		l.dirty = false
		if l.ended {
			continue
		}
		l.stored = true
		l.record(&r)
		key = key48(key, prefixLease, l.license.tenant.number, l.id)
		set(key, &r)
	}
	s.dirtyTenants = reuse(s.dirtyTenants)
	s.dirtyLicenses = reuse(s.dirtyLicenses)
	s.dirtyKeys = reuse(s.dirtyKeys)
	s.dirtyLeases = reuse(s.dirtyLeases)
}

// reuse empties a list and keeps its memory, unless that is a lot.
func reuse[T any](list []*T) []*T {
	if cap(list) > 1<<16 {
		return nil
	}
	clear(list)
	return list[:0]
}

func (s *state) meta() *metaRecord {
	return &metaRecord{
		ClockMillis: s.clock, LeadSinceMillis: s.leadSince, Tenants: uint32(len(s.byNumber)),
		OutboxSequence: s.outboxSequence, Outbox: s.outbox, EndedFloor: s.endedFloor,
	}
}

// load reads the whole live state of an opened store and checks that it fits
// together.
func load(store *fsm.Store) (*state, error) {
	s := newState()
	s.applied = store.Applied()
	if s.applied == 0 {
		return s, nil
	}
	l := loader{s: s, store: store}
	steps := []struct {
		prefix byte
		take   func(key, value []byte) error
	}{
		{prefixMeta, l.meta},
		{prefixTenant, l.tenant},
		{prefixLicense, l.license},
		{prefixLatest, l.latest},
		{prefixUsers, l.users},
		{prefixFloor, l.floor},
		{prefixKey, l.key},
		{prefixSpend, l.spend},
		{prefixKeyUse, l.use},
		{prefixLease, l.lease},
		{prefixCredit, l.credit},
		{prefixUser, l.user},
		{prefixGuard, l.guard},
		{prefixInvitation, l.invitation},
		{prefixSignUp, l.signUp},
		{prefixVoid, l.void},
		{prefixSSO, l.sso},
		{prefixEndpoint, l.endpoint},
		{prefixLink, l.link},
		{prefixNotice, l.notice},
		{prefixRefusal, l.refusal},
		{prefixInvoiceHook, l.invoiceHook},
		{prefixBook, l.book},
		{prefixProduct, l.product},
		{prefixTold, l.told},
	}
	for _, step := range steps {
		if err := each(store, []byte{step.prefix}, step.take); err != nil {
			return nil, fmt.Errorf("records %q: %w", step.prefix, err)
		}
	}
	return s, l.finish()
}

func each(store *fsm.Store, prefix []byte, take func(key, value []byte) error) (err error) {
	scan, err := store.Scan(prefix, successor(prefix))
	if err != nil {
		return err
	}
	for scan.Next() {
		if err = take(scan.Key(), scan.Value()); err != nil {
			err = fmt.Errorf("key %x: %w", scan.Key(), err)
			break
		}
	}
	if closeErr := scan.Close(); err == nil {
		err = closeErr
	}
	return err
}

// loader brings records into a new state, kind by kind.
type loader struct {
	s        *state
	store    *fsm.Store
	hasMeta  bool
	tenants  uint32 // as the meta record counts them
	counts   []tenantRecord
	expiring []forgetting // clients' intents of ended leases
	serving  []forgetting // the server's own
	credits  []*credit
	voids    []loadedVoid
}

func (l *loader) meta(_, value []byte) error {
	var r metaRecord
	if err := decode(&r, value); err != nil {
		return err
	}
	s := l.s
	s.setClock(r.ClockMillis)
	s.leadSince, s.endedFloor = r.LeadSinceMillis, r.EndedFloor
	s.outboxSequence, s.outbox = r.OutboxSequence, r.Outbox
	l.hasMeta, l.tenants = true, r.Tenants
	return nil
}

// keyNumbers reads the numbers behind a key's prefix: the tenant, and one of
// four bytes where the key has it.
func (l *loader) keyNumbers(key []byte, length int) (t *tenant, number uint32, err error) {
	if len(key) != length {
		return nil, 0, fmt.Errorf("want %d bytes", length)
	}
	n := binary.BigEndian.Uint32(key[1:])
	if n == 0 || int(n) > len(l.s.byNumber) {
		return nil, 0, fmt.Errorf("no tenant %d", n)
	}
	if length == 9 {
		number = binary.BigEndian.Uint32(key[5:])
	}
	return l.s.byNumber[n-1], number, nil
}

func (l *loader) tenant(key, value []byte) error {
	var r tenantRecord
	if err := decode(&r, value); err != nil {
		return err
	}
	number := uint32(len(l.s.byNumber)) + 1
	if len(key) != 5 || binary.BigEndian.Uint32(key[1:]) != number || l.s.tenants[r.Name] != nil || l.s.removed[r.Name] || len(r.Minute.Counts) > windowSlots {
		return fmt.Errorf("want tenant %d", number)
	}
	t := newTenant(r.Name, number)
	t.epoch, t.url, t.rules = r.Epoch, r.URL, r.Rules
	t.leaseSequence, t.overageSequence, t.creditSequence = r.LeaseSequence, r.OverageSequence, r.CreditSequence
	t.audit.sequence, t.audit.head = r.AuditSequence, r.AuditHead
	t.checkoutsPerMinute, t.minute = r.CheckoutsPerMinute, newWindow(r.Minute)
	t.plan, t.status, t.revision, t.country, t.taxID, t.removed = r.Plan, r.Status, r.Revision, r.Country, r.TaxID, r.Removed
	if t.notes = r.Notes; len(t.notes) > 0 {
		l.s.noting = append(l.s.noting, t)
	}
	if t.removed {
		l.s.removed[r.Name] = true
	} else {
		l.s.tenants[r.Name] = t
	}
	l.s.byNumber = append(l.s.byNumber, t)
	l.counts = append(l.counts, r)
	return nil
}

func (l *loader) license(key, value []byte) error {
	t, number, err := l.keyNumbers(key, 9)
	if err != nil {
		return err
	}
	lic := &license{tenant: t, number: number}
	if err := decode(&lic.License, value); err != nil {
		return err
	}
	if int(number) != len(t.licenseByNumber)+1 {
		return fmt.Errorf("want license %d of the tenant", len(t.licenseByNumber)+1)
	}
	if _, err := l.s.constraint(lic.Constraint); err != nil {
		return err
	}
	l.s.admitLicense(t, lic)
	return nil
}

func (l *loader) latest(key, value []byte) error {
	t, number, err := l.keyNumbers(key, 9)
	if err != nil {
		return err
	}
	if number == 0 || int(number) > len(t.licenseByNumber) {
		return fmt.Errorf("no license %d", number)
	}
	var r latestRecord
	if err := decode(&r, value); err != nil {
		return err
	}
	lic := t.licenseByNumber[number-1]
	lic.usage, lic.taken = r.Month, r.Taken
	if r.Hour.Period != 0 {
		lic.recent = &recent{hour: r.Hour, day: r.Day}
	}
	return nil
}

// users loads who used a license in a running period.
func (l *loader) users(key, value []byte) error {
	addition := len(key) == 18 && key[9] == byte(grains)
	if !addition && (len(key) != 10 || key[9] >= byte(grains) || key[9] == byte(grainHour)) {
		return fmt.Errorf("no grain")
	}
	t, number, err := l.keyNumbers(key[:9], 9)
	if err != nil {
		return err
	}
	if number == 0 || int(number) > len(t.licenseByNumber) || t.licenseByNumber[number-1].recent == nil {
		return fmt.Errorf("no license %d in use", number)
	}
	var r usersRecord
	if err := decode(&r, value); err != nil {
		return err
	}
	recent := t.licenseByNumber[number-1].recent
	if addition { // it comes after the sets, by its key
		if n := binary.BigEndian.Uint32(key[14:]); binary.BigEndian.Uint32(key[10:]) != recent.hour.Period || n != recent.additions {
			return fmt.Errorf("want addition %d of the running hour", recent.additions)
		}
		recent.additions++
		for _, h := range r.Sparse {
			recent.see(h)
		}
		return nil
	}
	set := userSet{sparse: r.Sparse}
	switch {
	case len(r.Dense) == registers && len(r.Sparse) == 0:
		set = userSet{dense: r.Dense}
	case len(r.Dense) > 0 || len(r.Sparse) > sparseUsers:
		return fmt.Errorf("no set of users")
	}
	recent.users[key[9]] = set
	return nil
}

// parts finds the license and key that a record names.
func (t *tenant) parts(lic, k uint32) (*license, *key, error) {
	if lic == 0 || int(lic) > len(t.licenseByNumber) || k == 0 || int(k) > len(t.keyByNumber) {
		return nil, nil, fmt.Errorf("names license %d and key %d, which are missing", lic, k)
	}
	return t.licenseByNumber[lic-1], t.keyByNumber[k-1], nil
}

func (l *loader) lease(key, value []byte) error {
	t, _, err := l.keyNumbers(key, 13)
	if err != nil {
		return err
	}
	var r leaseRecord
	if err := decode(&r, value); err != nil {
		return err
	}
	lic, k, err := t.parts(r.License, r.Key)
	if err != nil {
		return err
	}
	if r.ID != binary.BigEndian.Uint64(key[5:]) || r.ID > t.leaseSequence || r.End != cloudlicenses.EndNone ||
		r.CommitSeats < 0 || r.OverageSeats < 0 || r.CommitSeats+r.OverageSeats > cloudlicenses.MaxSeatsPerCheckout {
		return fmt.Errorf("lease %d makes no sense", r.ID)
	}
	live := &lease{
		id: r.ID, license: lic, key: k, user: r.User, hostname: r.Hostname, fingerprint: r.Fingerprint, metadata: r.Metadata,
		issued: r.IssuedMillis, expires: r.ExpiresMillis, ttl: int32(r.TTLMillis),
		intent: r.Intent, byClient: r.IntentByClient, bodyHash: r.BodyHash,
		commit: int32(r.CommitSeats), overage: int32(r.OverageSeats), stored: true,
	}
	l.s.admitLease(t, live)
	lic.pool.Commit += r.CommitSeats
	lic.pool.Overage += r.OverageSeats
	l.intent(k, &r)
	return nil
}

// intent remembers the intent of a lease as long as it may be repeated.
func (l *loader) intent(k *key, r *leaseRecord) {
	f := forgetting{slot: k.slot(r.Intent), lease: r.ID}
	switch {
	case !r.IntentByClient:
		if f.at = r.IssuedMillis + serverMemory; f.at <= l.s.clock {
			return
		}
		l.serving = append(l.serving, f)
	case r.End != cloudlicenses.EndNone:
		if f.at = r.EndedMillis + clientMemory; f.at <= l.s.clock {
			return
		}
		l.expiring = append(l.expiring, f)
	}
	l.s.intents.leases[f.slot.moment][f.slot.key] = r.ID
}

func (l *loader) ended(key, value []byte) error {
	if len(key) != 17 {
		return fmt.Errorf("want 17 bytes")
	}
	n := binary.BigEndian.Uint32(key[5:])
	if n == 0 || int(n) > len(l.s.byNumber) {
		return fmt.Errorf("no tenant %d", n)
	}
	var r leaseRecord
	for err := range endedLeases(value, &r) {
		if err != nil {
			return err
		}
		if r.ID/endedTogether != binary.BigEndian.Uint64(key[9:]) {
			return fmt.Errorf("lease %d is in another's place", r.ID)
		}
		_, k, err := l.s.byNumber[n-1].parts(r.License, r.Key)
		if err != nil {
			return err
		}
		l.intent(k, &r)
	}
	return nil
}

func (l *loader) credit(key, value []byte) error {
	t, _, err := l.keyNumbers(key, 13)
	if err != nil {
		return err
	}
	var r creditRecord
	if err := decode(&r, value); err != nil {
		return err
	}
	lic, k, err := t.parts(r.License, r.Key)
	if err != nil {
		return err
	}
	l.credits = append(l.credits, &credit{
		sequence: r.Sequence, tenant: t, seats: r.Seats, ended: r.EndedMillis,
		key: creditKey{lic, k, r.User, r.Hostname},
	})
	return nil
}

// finish loads what ended lately, orders the queues and checks the counts.
func (l *loader) finish() error {
	s := l.s
	if !l.hasMeta || int(l.tenants) != len(s.byNumber) {
		return fmt.Errorf("it counts %d tenants and holds %d", l.tenants, len(s.byNumber))
	}
	for i, r := range l.counts {
		t := s.byNumber[i]
		if int(r.Licenses) != len(t.licenseByNumber) || int(r.Keys) != len(t.keyByNumber) {
			return fmt.Errorf("tenant %s: it counts %d licenses and %d keys and holds %d and %d",
				t.name, r.Licenses, r.Keys, len(t.licenseByNumber), len(t.keyByNumber))
		}
		t.order(slices.Clone(t.licenseByNumber))
	}
	hour := s.clock / millisPerHour
	for _, h := range []int64{hour - 1, hour} { // intents outlive their lease by 15 minutes
		if err := each(l.store, endedKey(nil, max(0, h), 0, 0)[:5], l.ended); err != nil {
			return fmt.Errorf("ended leases: %w", err)
		}
	}
	l.finishVoids()
	byTime := func(a, b forgetting) int { return cmp.Compare(a.at, b.at) }
	slices.SortStableFunc(l.serving, byTime)
	slices.SortStableFunc(l.expiring, byTime)
	for _, f := range l.serving {
		s.intents.server.push(f)
	}
	for _, f := range l.expiring {
		s.intents.client.push(f)
	}
	slices.SortStableFunc(l.credits, func(a, b *credit) int { return cmp.Compare(a.ended, b.ended) })
	for _, c := range l.credits {
		s.admitCredit(c)
	}
	return nil
}
