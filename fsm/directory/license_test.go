package directory

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"
	"github.com/tinylib/msgp/msgp"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
)

// licenseDirectives are the lines of a session about licenses, customers and
// links. Days are YYYY-MM-DD; end is the contract's last day.
var licenseDirectives = map[string]func(*session, *datadriven.TestData) string{
	"generate":       (*session).generate,
	"provision":      (*session).provision,
	"synced":         (*session).synced,
	"failed":         (*session).failed,
	"amend":          (*session).amend,
	"license-status": (*session).licenseStatus,
	"end":            (*session).end,
	"customer":       (*session).customer,
	"block":          (*session).block,
	"told":           (*session).told,
	"license":        (*session).license,
	"licenses":       (*session).licenseList,
	"customers":      (*session).customerList,
	"links":          (*session).linkList,
	"unprovisioned":  (*session).unprovisionedList,
}

// dayMillis reads a day of a directive as its first moment.
func dayMillis(d *datadriven.TestData, key string, otherwise int64) int64 {
	text := arg(d, key, "")
	if text == "" {
		return otherwise
	}
	at, err := time.Parse(time.DateOnly, text)
	if err != nil {
		panic(err)
	}
	return at.UnixMilli()
}

// endMillis reads the last day of a contract as the first moment after it.
func endMillis(d *datadriven.TestData, otherwise int64) int64 {
	if arg(d, "end", "") == "open" {
		return 0
	}
	if last := dayMillis(d, "end", -1); last >= 0 {
		return last + millisPerDay
	}
	return otherwise
}

func day(millis int64) string {
	if millis == 0 {
		return "-"
	}
	return time.UnixMilli(millis).UTC().Format(time.DateOnly)
}

func has(d *datadriven.TestData, key string) bool {
	for _, a := range d.CmdArgs {
		if a.Key == key {
			return true
		}
	}
	return false
}

func (s *session) termsOf(d *datadriven.TestData) Terms {
	return Terms{
		Constraint: arg(d, "version", ""), Total: number(d, "total", 20), CommitQty: number(d, "commit", 5), MaxOverage: number(d, "overage", 15),
		CommitFeeMinor: number(d, "fee", 500_000), OverageFeeMinor: number(d, "use", 50_000), Currency: cloudlicenses.Currency(arg(d, "currency", "EUR")),
		StartMillis: dayMillis(d, "start", dayMillisOf("2025-01-01")), EndMillis: endMillis(d, dayMillisOf("2026-01-01")),
		AutoRenew: has(d, "renew"), Cycle: cloudlicenses.BillingCycle(arg(d, "cycle", "monthly")),
	}
}

func dayMillisOf(text string) int64 {
	at, err := time.Parse(time.DateOnly, text)
	if err != nil {
		panic(err)
	}
	return at.UnixMilli()
}

func (s *session) generate(d *datadriven.TestData) string {
	product := arg(d, "product", "davinci")
	c := &GenerateLicense{
		VendorID: cloudlicenses.VendorID(arg(d, "vendor", "vector-de")), OpportunityID: arg(d, "opp", "SF-1"),
		ProductID: cloudlicenses.ProductID(product), ProductName: strings.ToUpper(product), CRMAccount: arg(d, "crm", "ACC-1"),
		Company: arg(d, "company", "Mercedes-Benz AG"), TenantID: tenantID(arg(d, "tenant", "mercedes")), Terms: s.termsOf(d),
		AutoProvision: !has(d, "manual"), RequestHash: [32]byte{byte(number(d, "body", 1))}, Notice: NoticePlace(number(d, "notice", 0)),
	}
	if arg(d, "tenant", "") == "none" {
		c.TenantID = ""
	}
	var r LicenseResult
	s.apply(OpLicenseGenerate, c, &r)
	return showLicenseResult(&r)
}

func (s *session) provision(d *datadriven.TestData) string {
	var r LicenseResult
	s.apply(OpLicenseProvision, &ProvisionLicense{
		VendorID: cloudlicenses.VendorID(arg(d, "vendor", "vector-de")), ID: cloudlicenses.LicenseID(arg(d, "id", "")),
		CRMAccount: arg(d, "crm", "ACC-1"), Notice: NoticePlace(number(d, "notice", 0)),
	}, &r)
	return showLicenseResult(&r)
}

func (s *session) synced(d *datadriven.TestData) string {
	var r LicenseResult
	s.apply(OpLicenseSynced, &LicenseSynced{
		ID: cloudlicenses.LicenseID(arg(d, "id", "")), Revision: uint64(number(d, "revision", 1)), Notified: arg(d, "notified", "") != "",
	}, &r)
	return showLicenseResult(&r)
}

func (s *session) failed(d *datadriven.TestData) string {
	return s.ack(OpLicenseFailed, &LicenseFailed{ID: cloudlicenses.LicenseID(arg(d, "id", "")), Revision: uint64(number(d, "revision", 1))})
}

func (s *session) amend(d *datadriven.TestData) string {
	c := &AmendLicense{
		VendorID: cloudlicenses.VendorID(arg(d, "vendor", "vector-de")), ID: cloudlicenses.LicenseID(arg(d, "id", "")), Terms: s.termsOf(d),
	}
	for key, field := range map[string]AmendFields{
		"version": AmendConstraint, "total": AmendTotal, "commit": AmendCommitQty, "overage": AmendMaxOverage, "fee": AmendCommitFee,
		"use": AmendOverageFee, "start": AmendStart, "end": AmendEnd, "cycle": AmendCycle, "renew": AmendAutoRenew, "no-renew": AmendAutoRenew,
	} {
		if has(d, key) {
			c.Fields |= field
		}
	}
	var r LicenseResult
	s.apply(OpLicenseAmend, c, &r)
	return showLicenseResult(&r)
}

func (s *session) licenseStatus(d *datadriven.TestData) string {
	var r LicenseResult
	s.apply(OpLicenseStatus, &SetLicenseStatus{
		VendorID: cloudlicenses.VendorID(arg(d, "vendor", "vector-de")), ID: cloudlicenses.LicenseID(arg(d, "id", "")),
		Status: cloudlicenses.LicenseStatus(arg(d, "to", "")),
	}, &r)
	return showLicenseResult(&r)
}

// end proposes what the leader would, as long as it would.
func (s *session) end(*datadriven.TestData) string {
	for n := 0; ; n++ {
		due := s.m.Due(s.stamp)
		if due == nil {
			return fmt.Sprintf("%d entries\n", n)
		}
		e := entry{stamp: s.stamp, commands: [][]byte{due}}
		s.log = append(s.log, e)
		_, err := s.m.Apply(uint64(len(s.log)), e.stamp, e.commands, false)
		require.NoError(s.t, err)
	}
}

func (s *session) customer(d *datadriven.TestData) string {
	var r CustomerResult
	s.apply(OpCustomer, &SetCustomer{
		VendorID: cloudlicenses.VendorID(arg(d, "vendor", "vector-de")), CRMAccount: arg(d, "crm", "ACC-1"), AutoProvision: Switch(number(d, "auto", 0)),
	}, &r)
	if r.Code != cloudlicenses.OK {
		return refusal(r.Code, r.Detail)
	}
	return showCustomer(&r.Customer)
}

func (s *session) block(d *datadriven.TestData) string {
	var r LinkResult
	s.apply(OpVendorBlock, &BlockVendor{
		TenantID: tenantID(arg(d, "tenant", "mercedes")), VendorID: cloudlicenses.VendorID(arg(d, "vendor", "vector-de")), Blocked: !has(d, "un"),
	}, &r)
	if r.Code != cloudlicenses.OK {
		return refusal(r.Code, r.Detail)
	}
	return showLink(&r.Link)
}

func (s *session) told(d *datadriven.TestData) string {
	return s.ack(OpLinkTold, &LinkTold{TenantID: tenantID(arg(d, "tenant", "mercedes")), VendorID: cloudlicenses.VendorID(arg(d, "vendor", "vector-de"))})
}

func (s *session) license(d *datadriven.TestData) string {
	var r LicenseResult
	ask(s.t, s.m, QueryLicense, &GetLicense{VendorID: cloudlicenses.VendorID(arg(d, "vendor", "")), ID: cloudlicenses.LicenseID(arg(d, "id", ""))}, &r)
	if r.Code != cloudlicenses.OK {
		return refusal(r.Code, r.Detail)
	}
	l := &r.License
	var b strings.Builder
	b.WriteString(showLicense(l))
	fmt.Fprintf(&b, "%d/%d/%d %s %s, created %s, provisioned %s, suspended %s, revoked %s, notice %d notified %t, term %d months %d days\n",
		l.Terms.Total, l.Terms.CommitQty, l.Terms.MaxOverage, l.Terms.Currency, l.Terms.Cycle, day(l.CreatedMillis), day(l.ProvisionedMillis),
		day(l.SuspendedMillis), day(l.RevokedMillis), l.Notice, l.Notified, l.TermMonths, l.TermDays)
	for _, p := range l.Prices {
		fmt.Fprintf(&b, "from %s: %d a month for %d seats, %d a use\n", day(p.FromMillis), p.CommitFeeMinor, p.CommitQty, p.OverageFeeMinor)
	}
	return b.String()
}

func (s *session) licenseList(d *datadriven.TestData) string {
	var page LicensePage
	ask(s.t, s.m, QueryLicenses, &ListLicenses{
		VendorID: cloudlicenses.VendorID(arg(d, "vendor", "")), TenantID: tenantID(arg(d, "tenant", "")), Status: cloudlicenses.LicenseStatus(arg(d, "status", "")),
		ProductID: cloudlicenses.ProductID(arg(d, "product", "")), CRMAccount: arg(d, "crm", ""), Cursor: arg(d, "cursor", ""), Limit: number(d, "limit", 0),
	}, &page)
	var b strings.Builder
	for i := range page.Items {
		b.WriteString(showLicense(&page.Items[i]))
	}
	fmt.Fprintf(&b, "next: %q\n", page.Next)
	return b.String()
}

func (s *session) customerList(d *datadriven.TestData) string {
	var page CustomerPage
	ask(s.t, s.m, QueryCustomers, &ListCustomers{
		VendorID: cloudlicenses.VendorID(arg(d, "vendor", "vector-de")), CRMAccount: arg(d, "crm", ""), TenantID: tenantID(arg(d, "tenant", "")),
		Name: arg(d, "name", ""), Cursor: arg(d, "cursor", ""), Limit: number(d, "limit", 0),
	}, &page)
	var b strings.Builder
	for i := range page.Items {
		b.WriteString(showCustomer(&page.Items[i]))
	}
	fmt.Fprintf(&b, "next: %q\n", page.Next)
	return b.String()
}

func (s *session) linkList(d *datadriven.TestData) string {
	var page LinkPage
	ask(s.t, s.m, QueryLinks, &ListLinks{TenantID: tenantID(arg(d, "tenant", "mercedes")), Cursor: arg(d, "cursor", ""), Limit: number(d, "limit", 0)}, &page)
	var b strings.Builder
	for i := range page.Items {
		b.WriteString(showLink(&page.Items[i]))
	}
	fmt.Fprintf(&b, "next: %q\n", page.Next)
	return b.String()
}

func (s *session) unprovisionedList(*datadriven.TestData) string {
	var u Unprovisioned
	ask(s.t, s.m, QueryUnprovisioned, &List{Limit: 100}, &u)
	var b strings.Builder
	for i := range u.Licenses {
		b.WriteString(showLicense(&u.Licenses[i].License))
	}
	for i := range u.Links {
		b.WriteString("tell " + showLink(&u.Links[i]))
	}
	return b.String()
}

func showLicenseResult(r *LicenseResult) string {
	if r.Code != cloudlicenses.OK {
		out := refusal(r.Code, r.Detail)
		if r.Other != "" {
			out += "in the way: " + string(r.Other) + "\n"
		}
		return out
	}
	if r.Replayed {
		return "again: " + showLicense(&r.License)
	}
	return showLicense(&r.License)
}

func showLicense(l *License) string {
	last := "open"
	if l.Terms.EndMillis != 0 {
		last = day(l.Terms.EndMillis - 1)
	}
	renew := ""
	if l.Terms.AutoRenew {
		renew = " renews"
	}
	return fmt.Sprintf("%s %s %s of %s for %s %s, %s to %s%s, revision %d of %d\n", l.ID, l.Status, l.ProductID, l.VendorID, l.CRMAccount, l.TenantID,
		day(l.Terms.StartMillis), last, renew, l.Synced, l.Revision)
}

func showCustomer(f *FoundCustomer) string {
	return fmt.Sprintf("%s %s %q tenant %s %q %s linked %s auto %d blocked %t\n", f.Customer.VendorID, f.Customer.CRMAccount, f.Customer.Company,
		f.Customer.TenantID, f.Tenant.Company, f.Tenant.CustomerID, day(f.Customer.LinkedMillis), f.Customer.AutoProvision, f.Blocked)
}

func showLink(l *LinkedVendor) string {
	return fmt.Sprintf("%s with %s %q since %s, blocked %s, told %t, %d licenses\n", l.Link.TenantID, l.Link.VendorID, l.Name, day(l.Link.LinkedMillis),
		day(l.Link.BlockedMillis), l.Link.Told, l.Licenses)
}

type licenseSample struct {
	op   fsm.Op
	body msgp.Marshaler
}

func sampleTerms() Terms {
	return Terms{
		Constraint: ">=8.0.0", Total: 20, CommitQty: 5, MaxOverage: 15, CommitFeeMinor: 500_000, OverageFeeMinor: 50_000, Currency: "EUR",
		StartMillis: dayMillisOf("2025-01-01"), EndMillis: dayMillisOf("2026-01-01"), AutoRenew: true, Cycle: "monthly",
	}
}

func sampleGenerate() *GenerateLicense {
	return &GenerateLicense{
		VendorID: "vector-de", OpportunityID: "SF-00123456", ProductID: "davinci", ProductName: "DaVinci", CRMAccount: "ACC-98765",
		Company: "Mercedes-Benz AG", TenantID: "mercedes", RequestHash: [32]byte{1}, Terms: sampleTerms(), AutoProvision: true,
		Notice: NoticeAtTenant, NoticeKey: [16]byte{2},
	}
}

// licenseSamples has one row per command of this family. Append only.
func licenseSamples() []licenseSample {
	const id = "lic-vector-mercedes-2025-001"
	return []licenseSample{
		{OpLicenseGenerate, sampleGenerate()},
		{OpLicenseProvision, &ProvisionLicense{VendorID: "vector-de", ID: id, CRMAccount: "ACC-98765", Notice: NoticeAtVendor, NoticeKey: [16]byte{3}}},
		{OpLicenseSynced, &LicenseSynced{ID: id, Revision: 1}},
		{OpLicenseFailed, &LicenseFailed{ID: id, Revision: 1}},
		{OpLicenseAmend, &AmendLicense{VendorID: "vector-de", ID: id, Fields: AmendTotal | AmendEnd, Terms: sampleTerms()}},
		{OpLicenseStatus, &SetLicenseStatus{VendorID: "vector-de", ID: id, Status: cloudlicenses.LicenseSuspended}},
		{OpLicensesEnd, &EndLicenses{Limit: 10}},
		{OpCustomer, &SetCustomer{VendorID: "vector-de", CRMAccount: "ACC-98765", AutoProvision: SwitchOff}},
		{OpVendorBlock, &BlockVendor{TenantID: "mercedes", VendorID: "vector-de", Blocked: true}},
		{OpLinkTold, &LinkTold{TenantID: "mercedes", VendorID: "vector-de"}},
		{OpVendorTold, &VendorTold{VendorID: "vector-de", UpTo: 2}},
	}
}

// peopled gives a state a vendor, a tenant and a license.
func peopled(s *state) {
	s.cluster = twoRegions()
	s.putVendor(&PutVendor{ID: "vector-de", LicensePrefix: "vector", Region: "eu"})
	s.createTenant(&CreateTenant{ID: "mercedes", Region: "eu", Plan: "free"})
	s.setTenantStatus(&SetTenantStatus{ID: "mercedes", Status: cloudlicenses.TenantActive})
	s.generateLicense(sampleGenerate())
}

// randomLicenseCommand makes commands in which ids and states meet.
func randomLicenseCommand(r *rand.Rand) []byte {
	vendor := cloudlicenses.VendorID(fmt.Sprintf("v%d", r.IntN(3)))
	tenant := tenantID(fmt.Sprintf("t%d", r.IntN(6)))
	account := fmt.Sprintf("ACC-%s-%d", tenant, r.IntN(2))
	id := cloudlicenses.LicenseID(fmt.Sprintf("lic-p%d-%s-1970-%03d", r.IntN(10), tenant, 1+r.IntN(3)))
	terms := sampleTerms()
	terms.StartMillis = int64(r.IntN(30)) * millisPerDay
	terms.EndMillis = terms.StartMillis + int64(1+r.IntN(40))*millisPerDay
	terms.CommitQty, terms.AutoRenew = r.Int64N(7), r.IntN(2) == 0
	switch r.IntN(10) {
	case 0, 1, 2, 3:
		return command(OpLicenseGenerate, &GenerateLicense{
			VendorID: vendor, OpportunityID: fmt.Sprintf("SF-%d", r.IntN(60)), ProductID: cloudlicenses.ProductID(fmt.Sprintf("p%d", r.IntN(2))),
			CRMAccount: account, Company: "C", TenantID: tenant, RequestHash: [32]byte{byte(r.IntN(2))}, Terms: terms, AutoProvision: r.IntN(3) > 0,
			Notice: NoticePlace(r.IntN(3)),
		})
	case 4:
		return command(OpLicenseProvision, &ProvisionLicense{VendorID: vendor, ID: id, CRMAccount: account})
	case 5, 6:
		return command(OpLicenseSynced, &LicenseSynced{ID: id, Revision: uint64(r.IntN(3))})
	case 7:
		return command(OpLicenseAmend, &AmendLicense{VendorID: vendor, ID: id, Fields: AmendFields(r.IntN(1 << 10)), Terms: terms})
	case 8:
		states := []cloudlicenses.LicenseStatus{cloudlicenses.LicenseSuspended, cloudlicenses.LicenseProvisioned, cloudlicenses.LicenseRevoked}
		return command(OpLicenseStatus, &SetLicenseStatus{VendorID: vendor, ID: id, Status: states[r.IntN(3)]})
	}
	return [][]byte{
		command(OpLicensesEnd, &EndLicenses{Limit: 5}),
		command(OpLicenseFailed, &LicenseFailed{ID: id, Revision: 1}),
		command(OpCustomer, &SetCustomer{VendorID: vendor, CRMAccount: account, AutoProvision: Switch(r.IntN(3))}),
		command(OpVendorBlock, &BlockVendor{TenantID: tenant, VendorID: vendor, Blocked: r.IntN(2) == 0}),
		command(OpLinkTold, &LinkTold{TenantID: tenant, VendorID: vendor}),
	}[r.IntN(5)]
}

// TestLicenseInvariants: whatever comes, two contracts of one tenant, vendor
// and product never overlap unless one was refused, every license is where its state says, and ids
// are not given twice.
func TestLicenseInvariants(t *testing.T) {
	generated := 0
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 7))
		s := newState(discard{})
		for _, e := range randomLog(r, 400) {
			s.advance(e.stamp)
			for _, b := range e.commands {
				change, err := decodeCommand(b)
				require.NoError(t, err)
				change(s)
			}
		}
		generated += len(s.licenses.order)
		waiting := map[cloudlicenses.VendorID]int{}
		for i, l := range s.licenses.order {
			require.True(t, i == 0 || s.licenses.order[i-1].ID < l.ID)
			require.Same(t, l, s.licenses.byID[l.ID])
			require.LessOrEqual(t, l.Synced, l.Revision)
			require.Equal(t, l.lags(), contains(s.licenses.unfinished, l), "%+v", l)
			require.Equal(t, l.ends(), contains(s.licenses.ending, l), "%+v", l)
			if l.waits() {
				waiting[l.VendorID]++
			}
			if l.Status == cloudlicenses.LicenseProvisioned {
				require.Positive(t, l.Synced, "%+v", l)
			}
			if l.Status != cloudlicenses.LicenseRevoked && !l.refused() {
				require.Nil(t, s.licenses.holder(l, &l.Terms), "%+v", l)
			}
		}
		require.LessOrEqual(t, len(s.licenses.unfinished), len(s.licenses.order))
		for vendor, count := range s.licenses.waiting {
			require.Equal(t, waiting[vendor], count)
		}
	}
	require.Greater(t, generated, 200)
}

func contains(list []*License, l *License) bool {
	for _, o := range list {
		if o == l {
			return true
		}
	}
	return false
}

// agreed is a session in which mercedes has a license of vector-de from
// 2025-01-01 on, at 5000.00 a month, that its group does not know of yet.
func agreed(t *testing.T) (*session, cloudlicenses.LicenseID) {
	s := newSession(t)
	s.apply(OpInit, &Init{ClusterID: "c-1", Groups: []Group{{ID: 1, Region: "eu"}}}, &Ack{})
	s.apply(OpVendor, &PutVendor{ID: "vector-de", Name: "V", LicensePrefix: "vector", Region: "eu"}, &VendorResult{})
	s.apply(OpTenant, &CreateTenant{ID: "mercedes", Company: "M", Region: "eu", Plan: "enterprise"}, &TenantResult{})
	s.apply(OpTenantUp, &SetTenantStatus{ID: "mercedes", Status: cloudlicenses.TenantActive}, &TenantResult{})
	s.stamp = dayMillisOf("2025-01-01")
	terms := sampleTerms()
	terms.CommitFeeMinor, terms.StartMillis, terms.EndMillis = 500_000, s.stamp, dayMillisOf("2026-01-01")
	var r LicenseResult
	s.apply(OpLicenseGenerate, &GenerateLicense{
		VendorID: "vector-de", OpportunityID: "SF-1", ProductID: "davinci", CRMAccount: "ACC-1", Company: "C", TenantID: "mercedes",
		Terms: terms, AutoProvision: true,
	}, &r)
	require.Equal(t, cloudlicenses.OK, r.Code, r.Detail)
	return s, r.License.ID
}

// TestBegunContractKeepsItsStart: what a contract cost before it was amended
// stays known.
func TestBegunContractKeepsItsStart(t *testing.T) {
	s, id := agreed(t)
	start := func(day string) (r LicenseResult) {
		s.apply(OpLicenseAmend, &AmendLicense{
			VendorID: "vector-de", ID: id, Fields: AmendStart | AmendCommitFee, Terms: Terms{StartMillis: dayMillisOf(day), CommitFeeMinor: 1},
		}, &r)
		return r
	}
	r := start("2025-02-01")
	require.Equal(t, cloudlicenses.OK, r.Code, "on its first moment it has not been charged")
	require.Equal(t, []Price{{FromMillis: dayMillisOf("2025-02-01"), CommitFeeMinor: 1, OverageFeeMinor: r.License.Terms.OverageFeeMinor, CommitQty: 5}}, r.License.Prices)
	s.stamp = dayMillisOf("2025-09-15")
	for _, day := range []string{"2025-10-01", "2025-01-01"} {
		r = start(day)
		require.Equal(t, cloudlicenses.InvalidField, r.Code)
		require.Contains(t, r.Detail, "contract/start_date: ")
	}
	require.Equal(t, cloudlicenses.OK, start("2025-02-01").Code, "the start that it has")
}

// TestFailureOfAnEarlierRevision: it takes nothing back that has been revised
// since.
func TestFailureOfAnEarlierRevision(t *testing.T) {
	s, id := agreed(t)
	var r LicenseResult
	s.apply(OpLicenseAmend, &AmendLicense{VendorID: "vector-de", ID: id, Fields: AmendTotal, Terms: Terms{Total: 12}}, &r)
	require.EqualValues(t, 2, r.License.Revision)
	s.apply(OpLicenseFailed, &LicenseFailed{ID: id, Revision: 1}, &Ack{})
	s.apply(OpLicenseSynced, &LicenseSynced{ID: id, Revision: 2}, &r)
	require.Equal(t, cloudlicenses.OK, r.Code, r.Detail)
	require.Equal(t, cloudlicenses.LicenseProvisioned, r.License.Status)
}

// TestRevisionsRise: a license that its group refused is provisioned later by a
// revision of its own, which what is said of the first does not touch.
func TestRevisionsRise(t *testing.T) {
	s, _ := agreed(t)
	generate := sampleGenerate()
	generate.VendorID, generate.CRMAccount, generate.TenantID = "vector-de", "ACC-1", "mercedes"
	generate.OpportunityID, generate.ProductID, generate.AutoProvision = "SF-2", "canoe", false
	var r LicenseResult
	s.apply(OpLicenseGenerate, generate, &r)
	require.Equal(t, cloudlicenses.OK, r.Code, r.Detail)
	provision := &ProvisionLicense{VendorID: "vector-de", ID: r.License.ID, CRMAccount: "ACC-1"}
	s.apply(OpLicenseProvision, provision, &r)
	require.EqualValues(t, 1, r.License.Revision)
	s.apply(OpLicenseFailed, &LicenseFailed{ID: provision.ID, Revision: 1}, &Ack{})
	s.apply(OpLicenseProvision, provision, &r)
	require.EqualValues(t, 2, r.License.Revision)
	s.apply(OpLicenseFailed, &LicenseFailed{ID: provision.ID, Revision: 1}, &Ack{})
	s.apply(OpLicenseSynced, &LicenseSynced{ID: provision.ID, Revision: 2}, &r)
	require.Equal(t, cloudlicenses.OK, r.Code, r.Detail)
	require.EqualValues(t, 2, r.License.Synced)
}

// TestPlanGrowsBeforeRefusal: a license that was refused by the plan before, which
// the directory hears of after a larger one is in force, is tried by it too.
func TestPlanGrowsBeforeRefusal(t *testing.T) {
	for _, late := range []bool{false, true} {
		s, _ := agreed(t)
		generate := sampleGenerate()
		generate.VendorID, generate.CRMAccount, generate.TenantID = "vector-de", "ACC-1", "mercedes"
		generate.OpportunityID, generate.ProductID, generate.AutoProvision = "SF-2", "canoe", false
		var r LicenseResult
		s.apply(OpLicenseGenerate, generate, &r)
		require.Equal(t, cloudlicenses.OK, r.Code, r.Detail)
		s.apply(OpLicenseProvision, &ProvisionLicense{VendorID: "vector-de", ID: r.License.ID, CRMAccount: "ACC-1"}, &r)
		require.EqualValues(t, 1, r.License.Revision)
		refused := &LicenseFailed{ID: r.License.ID, Revision: 1, Code: cloudlicenses.PlanLimitExceeded}
		if !late {
			s.apply(OpLicenseFailed, refused, &Ack{})
		}
		var life LifeResult
		s.apply(OpChangeTenant, &ChangeTenant{ID: "mercedes", Plan: "startup"}, &life)
		require.Equal(t, cloudlicenses.OK, life.Code, life.Detail)
		s.apply(OpTenantSettled, &TenantSettled{ID: "mercedes", Revision: life.Life.Revision}, &life)
		s.apply(OpLicenseFailed, refused, &Ack{})
		require.EqualValues(t, 2, s.find(r.License.ID).Revision, "late: %t", late)
	}
}

// TestNoticeOfProvisioned: words that come with the provisioning of a license that is
// provisioned go with a revision of their own, once, and not to a suspended tenant. A
// revision that was refused does not stay the last one when the plan grows.
func TestNoticeOfProvisioned(t *testing.T) {
	s, id := agreed(t)
	var life LifeResult
	change := func(c ChangeTenant) {
		c.ID = "mercedes"
		s.apply(OpChangeTenant, &c, &life)
		require.Equal(t, cloudlicenses.OK, life.Code, life.Detail)
		if c.Plan != "" {
			s.apply(OpTenantSettled, &TenantSettled{ID: "mercedes", Revision: life.Life.Revision}, &life)
		}
	}
	before := s.find(id).Revision
	s.apply(OpLicenseSynced, &LicenseSynced{ID: id, Revision: before}, &LicenseResult{})
	tell := func(key byte) uint64 {
		var r LicenseResult
		s.apply(OpLicenseProvision, &ProvisionLicense{
			VendorID: "vector-de", ID: id, CRMAccount: s.find(id).CRMAccount, Notice: NoticeAtTenant, NoticeKey: [16]byte{key},
		}, &r)
		require.Equal(t, cloudlicenses.OK, r.Code, r.Detail)
		return r.License.Revision
	}
	change(ChangeTenant{Status: cloudlicenses.TenantSuspended})
	require.Equal(t, before, tell(9))
	change(ChangeTenant{Status: cloudlicenses.TenantActive})
	require.Equal(t, before+1, tell(9))
	require.Equal(t, before+1, tell(9), "said again")
	s.apply(OpLicenseFailed, &LicenseFailed{ID: id, Revision: before + 1, Code: cloudlicenses.PlanLimitExceeded}, &Ack{})
	require.Equal(t, before+1, s.find(id).Revision)
	change(ChangeTenant{Plan: "startup"})
	require.Equal(t, before+2, s.find(id).Revision)
	var r LicenseResult
	s.apply(OpLicenseSynced, &LicenseSynced{ID: id, Revision: before + 2, Notified: true}, &r)
	require.Equal(t, NoticeNowhere, r.License.Notice)
	require.True(t, r.License.Notified)
}

// TestTwoAmendmentsInOneMoment: the prices ascend in time, and the later one
// holds.
func TestTwoAmendmentsInOneMoment(t *testing.T) {
	s, id := agreed(t)
	s.stamp = dayMillisOf("2025-03-01")
	var r LicenseResult
	for _, fee := range []int64{400_000, 300_000} {
		s.apply(OpLicenseAmend, &AmendLicense{VendorID: "vector-de", ID: id, Fields: AmendCommitFee, Terms: Terms{CommitFeeMinor: fee}}, &r)
		require.Equal(t, cloudlicenses.OK, r.Code, r.Detail)
		s.apply(OpLicenseSynced, &LicenseSynced{ID: id, Revision: r.License.Revision}, &r) // the next one waits for it
		require.Equal(t, cloudlicenses.OK, r.Code, r.Detail)
	}
	require.Len(t, r.License.Prices, 2)
	require.EqualValues(t, 500_000, r.License.Prices[0].CommitFeeMinor)
	require.Equal(t, s.stamp, r.License.Prices[1].FromMillis)
	require.EqualValues(t, 300_000, r.License.Prices[1].CommitFeeMinor)
}

// TestBlockedVendorResumes: it does not put a license back into force.
func TestBlockedVendorResumes(t *testing.T) {
	s, id := agreed(t)
	status := func(to cloudlicenses.LicenseStatus) cloudlicenses.Code {
		var r LicenseResult
		s.apply(OpLicenseStatus, &SetLicenseStatus{VendorID: "vector-de", ID: id, Status: to}, &r)
		return r.Code
	}
	block := func(blocked bool) {
		s.apply(OpVendorBlock, &BlockVendor{TenantID: "mercedes", VendorID: "vector-de", Blocked: blocked}, &LinkResult{})
	}
	require.Equal(t, cloudlicenses.OK, status(cloudlicenses.LicenseSuspended))
	block(true)
	require.Equal(t, cloudlicenses.LicenseNotActive, status(cloudlicenses.LicenseProvisioned))
	block(false)
	require.Equal(t, cloudlicenses.OK, status(cloudlicenses.LicenseProvisioned))
	block(true)
	require.Equal(t, cloudlicenses.OK, status(cloudlicenses.LicenseRevoked), "what ends may be ended")
}

// TestWaitingLicensesAreBounded: what a vendor leaves for tenants that are not there
// every node has in its memory.
func TestWaitingLicensesAreBounded(t *testing.T) {
	s, _ := agreed(t)
	generate := func(tenant string, n int) (r LicenseResult) {
		c := sampleGenerate()
		c.VendorID, c.CRMAccount, c.TenantID = "vector-de", "ACC-"+tenant, tenantID(tenant)
		c.OpportunityID, c.ProductID = fmt.Sprint("SF-", n), cloudlicenses.ProductID(fmt.Sprint("p", n))
		s.apply(OpLicenseGenerate, c, &r)
		return r
	}
	var last LicenseResult
	for n := range cloudlicenses.MaxWaitingLicenses {
		last = generate("nobody", n)
		require.Equal(t, cloudlicenses.LicenseWaitingForTenant, last.License.Status, last.Detail)
	}
	require.Equal(t, cloudlicenses.PlanLimitExceeded, generate("nobody", cloudlicenses.MaxWaitingLicenses).Code)
	require.EqualValues(t, 1, generate("mercedes", cloudlicenses.MaxWaitingLicenses).License.Revision, "it need not wait")
	var r LicenseResult
	s.apply(OpLicenseStatus, &SetLicenseStatus{VendorID: "vector-de", ID: last.License.ID, Status: cloudlicenses.LicenseRevoked}, &r)
	require.Equal(t, cloudlicenses.OK, r.Code, r.Detail)
	require.Equal(t, cloudlicenses.OK, generate("nobody", cloudlicenses.MaxWaitingLicenses+1).Code)
}
