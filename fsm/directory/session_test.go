package directory

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
	"github.com/tinylib/msgp/msgp"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
)

// TestSession runs the conversations in testdata. Directives:
//
//	init id=C groups=(1:eu,2:us)     found the cluster
//	vendor id=V [name=N] [prefix=P] [region=R], vendor-status id=V status=S
//	set-vendor id=V [name=N] [auto=B] [brand=N] [color=C] [logo=U] [host=H]
//	verify-host id=V host=H, hosts
//	tenant id=T [region=R] [plan=P] [company=C]
//	status id=T status=S
//	reserve intent=I vendor=V tenant=T [year=Y] [count=N]
//	register id=T domain=D [region=R] [plan=P] [company=C] [intent=N] [groups=(1,2)]
//	unregister|admit id=T [intent=N], admitted id=T
//	get-registration id=T, unfinished
//	generate, provision, …           see licenseDirectives
//	change id=T [plan=P] [status=S] [grace=MILLIS] [cancel], settled id=T revision=N [refused]
//	begin-removal|removed|life id=T, unsettled [at=MILLIS], plans [cursor=C] [limit=N]
//	clock at=MILLIS                  the stamp of the entries that follow
//	get-tenant|get-vendor id=X, cluster
//	tenants|vendors [cursor=C] [limit=N]
//	restart                          close and open again
//	crash                            lose what is not flushed, replay the log
//	snapshot                         restore a snapshot on an empty node
func TestSession(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		s := newSession(t)
		datadriven.RunTest(t, path, s.run)
		require.NoError(t, s.m.Close())
	})
}

type session struct {
	t     *testing.T
	fs    *vfs.MemFS
	dir   string
	m     *Machine
	log   []entry
	stamp int64
}

func newSession(t *testing.T) *session {
	fs := vfs.NewCrashableMem()
	return &session{t: t, fs: fs, dir: "d", m: open(t, fs, "d", byHand), stamp: 1000}
}

// apply appends an entry to the log and applies it.
func (s *session) apply(op fsm.Op, payload msgp.Marshaler, result msgp.Unmarshaler) {
	e := entry{stamp: s.stamp, commands: [][]byte{command(op, payload)}}
	s.log = append(s.log, e)
	results, err := s.m.Apply(uint64(len(s.log)), e.stamp, e.commands, true)
	require.NoError(s.t, err)
	require.NoError(s.t, decode(results[0], result))
}

func (s *session) run(_ *testing.T, d *datadriven.TestData) string {
	if directive := licenseDirectives[d.Cmd]; directive != nil {
		return directive(s, d)
	}
	switch d.Cmd {
	case "init", "vendor", "vendor-status", "set-vendor", "verify-host", "tenant", "status", "reserve":
		return s.change(d)
	case "register", "unregister", "admit", "admitted":
		return s.signUp(d)
	case "change", "settled", "begin-removal", "removed", "life", "unsettled", "plans":
		return s.tenantLife(d)
	case "clock":
		s.stamp = dayMillis(d, "day", number(d, "at", 0))
		return ""
	case "restart", "crash", "snapshot":
		return s.disturb(d)
	}
	return s.question(d)
}

func (s *session) change(d *datadriven.TestData) string {
	switch d.Cmd {
	case "init":
		birth := &Init{ClusterID: arg(d, "id", ""), Domain: "example.test", AtMillis: s.stamp}
		for _, a := range d.CmdArgs {
			if a.Key == "groups" {
				for _, v := range a.Vals {
					id, region, _ := strings.Cut(v, ":")
					n, err := strconv.ParseUint(id, 10, 32)
					require.NoError(s.t, err)
					birth.Groups = append(birth.Groups, Group{ID: uint32(n), Region: region})
				}
			}
		}
		return s.ack(OpInit, birth)
	case "vendor":
		id := arg(d, "id", "")
		var r VendorResult
		s.apply(OpVendor, &PutVendor{
			ID: cloudlicenses.VendorID(id), Name: arg(d, "name", id), LicensePrefix: arg(d, "prefix", id), Region: arg(d, "region", "eu"),
		}, &r)
		return showVendorResult(&r)
	case "vendor-status":
		var r VendorResult
		s.apply(OpVendorStatus, &SetVendorStatus{
			ID: cloudlicenses.VendorID(arg(d, "id", "")), Status: cloudlicenses.TenantStatus(arg(d, "status", "")),
		}, &r)
		return showVendorResult(&r)
	case "set-vendor":
		c := &SetVendor{ID: cloudlicenses.VendorID(arg(d, "id", "")), Name: arg(d, "name", ""), Settings: VendorSettings{
			AutoProvision: arg(d, "auto", "") == "true", BrandName: arg(d, "brand", ""), BrandColor: arg(d, "color", ""),
			BrandLogo: arg(d, "logo", ""), Host: arg(d, "host", ""), HostVerified: true,
		}}
		for i, key := range []string{"name", "auto", "brand", "color", "logo", "host"} {
			if d.HasArg(key) {
				c.Set |= 1 << i
			}
		}
		var r VendorResult
		s.apply(OpVendorSet, c, &r)
		return showVendorResult(&r)
	case "verify-host":
		var r VendorResult
		s.apply(OpVendorHost, &VerifyVendorHost{ID: cloudlicenses.VendorID(arg(d, "id", "")), Host: arg(d, "host", "")}, &r)
		return showVendorResult(&r)
	case "tenant":
		var r TenantResult
		s.apply(OpTenant, &CreateTenant{
			ID: tenantID(arg(d, "id", "")), Company: arg(d, "company", ""), Region: arg(d, "region", "eu"),
			Plan: arg(d, "plan", "enterprise"),
		}, &r)
		return showTenantResult(&r)
	case "status":
		var r TenantResult
		s.apply(OpTenantUp, &SetTenantStatus{ID: tenantID(arg(d, "id", "")), Status: cloudlicenses.TenantStatus(arg(d, "status", ""))}, &r)
		return showTenantResult(&r)
	default: // reserve
		var r Reserved
		s.apply(OpReserve, &ReserveLicenses{
			Intent: arg(d, "intent", ""), VendorID: cloudlicenses.VendorID(arg(d, "vendor", "")), TenantID: tenantID(arg(d, "tenant", "")),
			Year: number(d, "year", 2025), Count: number(d, "count", 1),
		}, &r)
		if r.Code != cloudlicenses.OK {
			return refusal(r.Code, r.Detail)
		}
		return fmt.Sprintf("%s … %s\n", r.ID(0), r.ID(r.Count-1))
	}
}

func (s *session) ack(op fsm.Op, payload msgp.Marshaler) string {
	var r Ack
	s.apply(op, payload, &r)
	if r.Code != cloudlicenses.OK {
		return refusal(r.Code, r.Detail)
	}
	return "ok\n"
}

// disturb does something that must not change the state.
func (s *session) disturb(d *datadriven.TestData) string {
	before := hashOf(s.t, s.m)
	switch d.Cmd {
	case "restart":
		require.NoError(s.t, s.m.Close())
		s.m = open(s.t, s.fs, s.dir, byHand)
		require.Equal(s.t, uint64(len(s.log)), s.m.AppliedIndex())
	case "crash":
		old := s.m
		s.fs = s.fs.CrashClone(vfs.CrashCloneCfg{})
		s.m = open(s.t, s.fs, s.dir, byHand)
		replay(s.t, s.m, s.log)
		require.NoError(s.t, old.Close())
	case "snapshot":
		snapshot, err := s.m.Snapshot()
		require.NoError(s.t, err)
		require.NoError(s.t, s.fs.MkdirAll("snap", 0o755))
		require.NoError(s.t, snapshot.Persist("snap"))
		snapshot.Release()
		require.NoError(s.t, s.m.Close())
		s.dir += "x"
		s.m = open(s.t, s.fs, s.dir, byHand)
		require.NoError(s.t, s.m.Restore("snap"))
		require.NoError(s.t, s.fs.RemoveAll("snap"))
	}
	require.Equal(s.t, before, hashOf(s.t, s.m))
	return "same state\n"
}

func (s *session) question(d *datadriven.TestData) string {
	var b strings.Builder
	switch d.Cmd {
	case "get-registration":
		var r RegistrationResult
		ask(s.t, s.m, QueryRegistration, &GetTenant{ID: tenantID(arg(d, "id", ""))}, &r)
		return showRegistration(&r)
	case "unfinished":
		var r Unfinished
		ask(s.t, s.m, QueryRegistrations, nil, &r)
		for i := range r.Items {
			b.WriteString(showTenant(&r.Items[i]))
		}
	case "hosts":
		var r VendorHosts
		ask(s.t, s.m, QueryVendorHosts, nil, &r)
		for _, h := range r.Items {
			fmt.Fprintf(&b, "%s %s\n", h.Host, h.VendorID)
		}
	case "cluster":
		var r ClusterResult
		ask(s.t, s.m, QueryCluster, nil, &r)
		if r.Code != cloudlicenses.OK {
			return refusal(r.Code, "")
		}
		return fmt.Sprintf("%s %s, %d groups\n", r.Init.ClusterID, r.Init.Domain, len(r.Init.Groups))
	case "get-tenant":
		var r TenantResult
		ask(s.t, s.m, QueryTenant, &GetTenant{ID: tenantID(arg(d, "id", ""))}, &r)
		return showTenantResult(&r)
	case "get-vendor":
		var r VendorResult
		ask(s.t, s.m, QueryVendor, &GetVendor{ID: cloudlicenses.VendorID(arg(d, "id", ""))}, &r)
		return showVendorResult(&r)
	case "tenants":
		var page TenantPage
		ask(s.t, s.m, QueryTenants, &List{Cursor: arg(d, "cursor", ""), Limit: number(d, "limit", 0)}, &page)
		for i := range page.Items {
			b.WriteString(showTenant(&page.Items[i]))
		}
		fmt.Fprintf(&b, "next: %q\n", page.Next)
	case "vendors":
		var page VendorPage
		ask(s.t, s.m, QueryVendors, &List{Cursor: arg(d, "cursor", ""), Limit: number(d, "limit", 0)}, &page)
		for i := range page.Items {
			b.WriteString(showVendor(&page.Items[i]))
		}
		fmt.Fprintf(&b, "next: %q\n", page.Next)
	default:
		d.Fatalf(s.t, "unknown directive %s", d.Cmd)
	}
	return b.String()
}

func showTenantResult(r *TenantResult) string {
	switch {
	case r.Code == cloudlicenses.OK:
		return showTenant(&r.Tenant)
	case r.Tenant.ID != "":
		return refusal(r.Code, r.Detail) + showTenant(&r.Tenant)
	}
	return refusal(r.Code, r.Detail)
}

func showTenant(t *Tenant) string {
	return fmt.Sprintf("%s %s %q %s %s %s group %d epoch %d created %d verified %d\n", t.ID, t.CustomerID, t.Company,
		t.Region, t.Plan, t.Status, t.Group, t.Epoch, t.CreatedMillis, t.VerifiedMillis)
}

func showVendorResult(r *VendorResult) string {
	switch {
	case r.Code == cloudlicenses.OK:
		return showVendor(&r.Vendor)
	case r.Vendor.ID != "":
		return refusal(r.Code, r.Detail) + showVendor(&r.Vendor)
	}
	return refusal(r.Code, r.Detail)
}

func showVendor(v *Vendor) string {
	line := fmt.Sprintf("%s %q %s %s %s group %d epoch %d created %d verified %d\n", v.ID, v.Name,
		v.LicensePrefix, v.Region, v.Status, v.Group, v.Epoch, v.CreatedMillis, v.VerifiedMillis)
	if v.Settings != newVendorSettings() {
		line += fmt.Sprintf("  %+v\n", v.Settings)
	}
	return line
}

func refusal(code cloudlicenses.Code, detail string) string {
	return strings.TrimSuffix(fmt.Sprintf("refused: %s: %s", code, detail), ": ") + "\n"
}

func arg(d *datadriven.TestData, key, otherwise string) string {
	for _, a := range d.CmdArgs {
		if a.Key == key && len(a.Vals) > 0 {
			return a.Vals[0]
		}
	}
	return otherwise
}

func number(d *datadriven.TestData, key string, otherwise int64) int64 {
	n, err := strconv.ParseInt(arg(d, key, strconv.FormatInt(otherwise, 10)), 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}
