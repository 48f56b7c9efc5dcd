package license_test

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/tinylib/msgp/msgp"
	"pgregory.net/rapid"

	cl "github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// generator makes entries over a world small enough that everything meets
// everything: two tenants, three licenses each, three keys, two users.
type generator struct {
	pick   func(n int) int // 0 … n−1
	now    int64
	serial uint64
	tried  int                 // about the first delivery that is pending
	leases map[cl.TenantID]int // ids that have surely been given, about
	// intents that were used, to be used again with the same or another body
	intents map[cl.TenantID][]*license.Checkout
	// overage records, about, and how many records there are
	charged  map[cl.TenantID][]license.Overage
	sequence map[cl.TenantID]uint64
	adjusts  []*license.Adjust
	secrets  map[string]string // of "<tenant> k<i>": the latest secret's name
}

func newGenerator(pick func(int) int) *generator {
	return &generator{
		pick: pick, now: epochStart, leases: map[cl.TenantID]int{}, intents: map[cl.TenantID][]*license.Checkout{}, secrets: map[string]string{},
		charged: map[cl.TenantID][]license.Overage{}, sequence: map[cl.TenantID]uint64{},
	}
}

// seeded is a source that a seed reproduces.
func seeded(seed uint64) func(int) int {
	rng := rand.New(rand.NewPCG(seed, 0))
	return rng.IntN
}

func (g *generator) chance(percent int) bool { return g.pick(100) < percent }

var worldTenants = []cl.TenantID{"acme", "globex"}

// founding are the entries that every world begins with.
func (g *generator) founding() (entries [][]step) {
	for _, tenant := range worldTenants {
		steps := []step{g.to(license.OpTenant, tenant, &license.PutTenant{Epoch: 1, URL: "https://" + string(tenant) + ".localhost", CheckoutsPerMinute: 40, DataKey: []byte(tenant)})}
		for i := range 3 {
			steps = append(steps, g.to(license.OpLicenses, tenant, &license.PutLicenses{Licenses: []license.License{g.license(i)}}))
			steps = append(steps, g.to(license.OpKey, tenant, &license.PutKey{By: platform, Key: g.key(tenant, i)}))
		}
		entries = append(entries, steps)
	}
	entries[0] = append(entries[0], g.to(license.OpPutEndpoint, worldTenants[0], &license.PutEndpoint{
		By: license.By{Platform: true}, ID: "wh-1", URL: "https://acme.example/hook", Secret: "whsec_1",
	}))
	return append(entries, []step{{license.OpLead, "", 0, &license.Lead{Node: "n1"}}})
}

func (g *generator) to(op fsm.Op, tenant cl.TenantID, body msgp.Marshaler) step {
	return step{op, tenant, 1, body}
}

// license makes the ith license: lic-0 and lic-1 are of one product id by two
// vendors, lic-2 has no committed seats.
func (g *generator) license(i int) license.License {
	l := license.License{
		ID: cl.LicenseID(fmt.Sprint("lic-", i)), VendorID: cl.VendorID([]string{"vector", "siemens", "vector"}[i%3]),
		ProductID: cl.ProductID([]string{"cad", "cad", "cam"}[i%3]), ProductName: "CAD", Currency: "EUR",
		StartMillis: epochStart - hour, OverageFeeMinor: int64(100 * (1 + g.pick(3))), CommitQty: int64(g.pick(4)),
		Status: cl.LicenseProvisioned,
	}
	if i == 2 {
		l.CommitQty = 0
	}
	l.MaxOverage = int64(g.pick(5))
	l.Total = l.CommitQty + int64(g.pick(int(l.MaxOverage)+1))
	return l
}

func (g *generator) key(tenant cl.TenantID, i int) license.Key {
	k := license.Key{
		ID: cl.KeyID(fmt.Sprint("k", i)), Hash: keyHash(fmt.Sprint(tenant, " k", i)), AppName: "app", AppType: "desktop",
		Scopes: cl.ScopeCheckout | cl.ScopeReturn, CreatedMillis: g.now,
	}
	if i == 2 && g.chance(50) {
		k.ExpiresMillis = g.now + int64(g.pick(40))*minute
	}
	if i == 2 && g.chance(30) {
		k.Scopes = cl.ScopeCheckout
	}
	if i == 1 {
		k.Restrictions = g.restrictions()
	}
	return k
}

func (g *generator) restrictions() (r license.Restrictions) {
	if g.chance(30) {
		r.Hostnames = []string{"ws-3", "ws-1"}[g.pick(2):]
	}
	if g.chance(30) {
		r.Networks = []string{"192.168.0.0/16", "2001:db8::/32", "10.0.0.0/8"}[g.pick(3):]
	}
	if g.chance(10) {
		r.CertRequired, r.CertName = true, []string{"", "ws-1"}[g.pick(2)]
	}
	if g.chance(50) {
		r.CheckoutsPerMinute = int64(1 + g.pick(4))
	}
	if g.chance(30) {
		r.RequestsPerHour = int64(1 + g.pick(30))
	}
	return r
}

// rotate gives a key one of a few secrets.
func (g *generator) rotate(tenant cl.TenantID) *license.RotateKey {
	i := 1 + g.pick(3)
	name := fmt.Sprint(tenant, " k", i)
	g.secrets[name] = fmt.Sprint(name, "#", g.pick(8))
	return &license.RotateKey{
		By: platform, ID: cl.KeyID(fmt.Sprint("k", i)), Hash: keyHash(g.secrets[name]),
		OverlapMillis: []int64{0, minute, hour, 24 * hour}[g.pick(4)],
	}
}

func (g *generator) caller(tenant cl.TenantID) license.Caller {
	i := g.pick(10)
	name := fmt.Sprint(tenant, " k", []int{0, 0, 0, 0, 0, 1, 1, 1, 2, 3}[i]) // k3 is nobody's
	if latest := g.secrets[name]; latest != "" && g.chance(80) {
		name = latest
	}
	return license.Caller{
		KeyHash: keyHash(name), Hostname: []string{"ws-1", "WS-1", "ws-1", "ws-2", ""}[min(4, g.pick(20)/4)],
		Address:  []string{"10.0.0.1", "::ffff:10.0.0.1", "192.168.7.1", "2001:db8::1", "nonsense"}[min(4, g.pick(30)/7)],
		CertName: []string{"", "ws-1", "ws-2"}[g.pick(3)],
	}
}

// entry makes one entry of one to five commands, after some time.
func (g *generator) entry() (stamp int64, steps []step) {
	switch n := g.pick(40); {
	case n < 24:
		g.now += int64(g.pick(5000))
	case n < 33:
		g.now += int64(g.pick(40)) * second
	case n < 37:
		g.now += int64(g.pick(12)) * minute
	case n < 38:
		g.now += int64(g.pick(26)) * hour
	case n < 39:
		g.now += int64(g.pick(20)) * 24 * hour
	default:
		return g.now - int64(g.pick(3000)), []step{g.one()} // another leader's clock
	}
	for range 1 + g.pick(3)*g.pick(3) {
		steps = append(steps, g.one())
	}
	return g.now, steps
}

func (g *generator) one() step {
	tenant := worldTenants[min(1, g.pick(4)/3)]
	switch n := g.pick(100); {
	case n < 8 && len(g.charged[tenant]) > 0:
		return g.to(license.OpAdjust, tenant, g.adjust(tenant))
	case n < 48:
		return g.to(license.OpCheckout, tenant, g.checkout(tenant))
	case n < 62:
		return g.to(license.OpReturn, tenant, &license.Return{Caller: g.caller(tenant), LeaseID: g.lease(tenant)})
	case n < 76:
		return g.to(license.OpHeartbeat, tenant, &license.Heartbeat{Caller: g.caller(tenant), LeaseID: g.lease(tenant)})
	case n < 83:
		return step{license.OpExpire, "", 0, &license.Expire{Limit: 1 << 20}}
	case n < 86:
		return g.to(license.OpRelease, tenant, &license.Release{Actor: "admin", LeaseID: g.lease(tenant)})
	case n < 88:
		return step{license.OpLead, "", 0, &license.Lead{Node: "n2"}}
	default:
		return g.administration(tenant)
	}
}

func (g *generator) administration(tenant cl.TenantID) step {
	switch g.pick(16) {
	case 14:
		return g.provisioned(tenant)
	case 0:
		l := g.license(g.pick(3))
		if g.chance(20) {
			l.Total += 100 // no entitlement
		}
		if g.chance(20) {
			l.EndMillis = g.now + int64(g.pick(60))*minute
		}
		return g.to(license.OpAmend, tenant, &license.AmendLicense{License: l})
	case 1, 2:
		status := []cl.LicenseStatus{cl.LicenseSuspended, cl.LicenseProvisioned, cl.LicenseProvisioned, cl.LicenseProvisioned, cl.LicenseRevoked}[g.pick(5)]
		if status == cl.LicenseRevoked && g.chance(80) {
			status = cl.LicenseProvisioned
		}
		return g.to(license.OpStatus, tenant, &license.SetLicenseStatus{ID: cl.LicenseID(fmt.Sprint("lic-", g.pick(4))), Status: status})
	case 3:
		return g.to(license.OpRules, tenant, &license.SetRules{By: license.By{Platform: true}, Rules: g.rules()})
	case 4:
		return g.to(license.OpRevokeKey, tenant, &license.RevokeKey{By: platform, ID: cl.KeyID(fmt.Sprint("k", 2+g.pick(2))), ReleaseLeases: g.chance(50)})
	case 5:
		l := g.license(g.pick(3))
		l.ID = cl.LicenseID(fmt.Sprint("lic-", g.pick(5)))
		return g.to(license.OpLicenses, tenant, &license.PutLicenses{Licenses: []license.License{l}})
	case 6:
		stale := g.to(license.OpCheckout, tenant, g.checkout(tenant))
		stale.epoch = uint32(g.pick(3))
		return stale
	case 12, 13:
		g.tried += g.pick(2)
		return step{license.OpOutboxTried, "", 0, &license.OutboxTried{
			Sequence: uint64(g.tried + g.pick(3)), Attempt: int64(1 + g.pick(2)), Result: uint8(1 + g.pick(3)), NextMillis: g.now + int64(g.pick(20))*minute,
		}}
	case 7:
		return g.to(license.OpKey, tenant, &license.PutKey{By: platform, Key: g.key(tenant, g.pick(3))})
	case 8:
		all := license.RestrictHostnames | license.RestrictNetworks | license.RestrictCertificate | license.RestrictMinute | license.RestrictHour
		return g.to(license.OpRestrictKey, tenant, &license.RestrictKey{
			By: platform, ID: cl.KeyID(fmt.Sprint("k", 1+g.pick(3))), Set: all, Restrictions: g.restrictions(),
		})
	case 9:
		return g.to(license.OpLimitTenant, tenant, &license.LimitTenant{By: platform, CheckoutsPerMinute: int64(g.pick(3) * 40)})
	case 10, 11:
		return g.to(license.OpRotateKey, tenant, g.rotate(tenant))
	default:
		return g.to(license.OpTenant, tenant, &license.PutTenant{Epoch: 1})
	}
}

func (g *generator) rules() license.Rules {
	r := license.Rules{DenyOverage: g.chance(15)}
	for range g.pick(3) {
		c := license.Cap{MaxUses: int64(g.pick(8)) - 1, MaxMinor: int64(g.pick(8)-1) * 100}
		if c.MaxMinor < 0 {
			c.MaxMinor = -1
		} else if g.chance(50) {
			c.Currency = []cl.Currency{"EUR", "JPY"}[g.pick(2)]
		}
		if g.chance(50) {
			c.LicenseID = cl.LicenseID(fmt.Sprint("lic-", g.pick(3)))
		} else {
			c.KeyID = cl.KeyID(fmt.Sprint("k", g.pick(3)))
		}
		r.Caps = append(r.Caps, c)
	}
	return r
}

func (g *generator) lease(tenant cl.TenantID) cl.LeaseID {
	if g.chance(10) {
		return cl.LeaseID(g.pick(g.leases[tenant] + 2))
	}
	return cl.LeaseID(max(1, g.leases[tenant]-g.pick(6)))
}

func (g *generator) checkout(tenant cl.TenantID) *license.Checkout {
	if used := g.intents[tenant]; len(used) > 0 && g.chance(15) {
		again := *used[max(0, len(used)-1-g.pick(5))]
		if g.chance(20) && again.IntentByClient {
			again.Count++
			again.BodyHash = bodyHash(&again)
		}
		if g.chance(10) {
			again.Caller = g.caller(tenant)
		}
		again.Try = uint8(g.pick(4))
		if g.chance(20) {
			g.serial++
			again.Request = serial(g.serial)
		}
		return &again
	}
	g.serial++
	c := &license.Checkout{
		Caller: g.caller(tenant), Intent: serial(g.serial), IntentByClient: g.chance(50),
		VendorID: cl.VendorID([]string{"vector", "vector", "siemens", ""}[g.pick(4)]), ProductID: cl.ProductID([]string{"cad", "cad", "cam", "nil"}[min(3, g.pick(16)/5)]),
		User: []string{"alice", "bob"}[g.pick(2)], Count: int64(1 + g.pick(2)*g.pick(3)),
		TTLMillis: []int64{60, 60, 90, 300, 3600, 86400}[g.pick(6)] * second, AllowOverage: !g.chance(10),
		Request: serial(g.serial), Try: uint8(max(0, g.pick(6)-3)),
	}
	c.BodyHash = bodyHash(c)
	g.intents[tenant] = append(g.intents[tenant], c)
	return c
}

// saw tells the generator what became of a step, so that it aims at leases
// that are there.
func (g *generator) saw(s step, result license.LeaseResult) {
	if s.op == license.OpCheckout && result.Code == cl.OK {
		if int(result.Lease.ID) > g.leases[s.tenant] && result.Lease.OverageCount > 0 { // unless it went on with a use
			g.sequence[s.tenant]++
			g.charged[s.tenant] = append(g.charged[s.tenant], license.Overage{
				Sequence: g.sequence[s.tenant], LicenseID: result.Lease.LicenseID, Uses: result.Lease.OverageCount, AtMillis: result.Lease.IssuedMillis,
			})
		}
		g.leases[s.tenant] = max(g.leases[s.tenant], int(result.Lease.ID))
	}
}

func (g *generator) sawAdjustment(tenant cl.TenantID, made bool) {
	if made {
		g.sequence[tenant]++
	}
}

// adjust takes uses of one of the latest records back, or says again what was said.
func (g *generator) adjust(tenant cl.TenantID) *license.Adjust {
	if n := len(g.adjusts); n > 0 && g.chance(20) {
		again := *g.adjusts[max(0, n-1-g.pick(3))]
		again.Uses += int64(g.pick(4) / 3)
		return &again
	}
	g.serial++
	o := &g.charged[tenant][max(0, len(g.charged[tenant])-1-g.pick(3))]
	a := &license.Adjust{
		ID: serial(g.serial), VendorID: "vector", LicenseID: o.LicenseID, Sequence: o.Sequence, Uses: int64(1 + g.pick(4)), Reason: "by mistake",
		Month: license.PeriodOf(license.ByMonth, time.UnixMilli(o.AtMillis)),
	}
	if o.LicenseID == "lic-1" && !g.chance(5) {
		a.VendorID = "siemens"
	}
	g.adjusts = append(g.adjusts, a)
	return a
}

// stream makes a log of n entries and tells the state's hash after each:
// hashes[i] is the one after index i, from one machine that does nothing but
// apply.
func stream(t rapid.TB, seed uint64, n int) (log []entry, hashes []license.StateHash) {
	t.Helper()
	g := newGenerator(seeded(seed))
	r := newRig(t, fsm.Options{WriteEvery: -1, FlushEvery: -1})
	hashes = append(hashes, hashOf(t, r.m))
	founding := g.founding()
	for i := range n {
		stamp := r.now
		var steps []step
		if i < len(founding) {
			steps = founding[i]
		} else {
			stamp, steps = g.entry()
		}
		commands := make([][]byte, len(steps))
		for j, s := range steps {
			commands[j] = s.encode()
		}
		r.now = stamp
		for j, result := range r.apply(commands...) {
			if steps[j].op == license.OpCheckout {
				g.saw(steps[j], decodeLease(t, result))
			}
			if steps[j].op == license.OpAdjust {
				var r license.AdjustResult
				decode(t, result, &r)
				g.sawAdjustment(steps[j].tenant, r.Code == cl.OK && !r.Replayed)
			}
		}
		hashes = append(hashes, hashOf(t, r.m))
	}
	return r.log, hashes
}
