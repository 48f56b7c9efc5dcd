package shard

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/cluster"
	"github.com/cloudlicenses/cloudlicenses/fsm/directory"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
	"github.com/cloudlicenses/cloudlicenses/internal/dnstxt"
)

func sampleSignUp(id cloudlicenses.TenantID) SignUp {
	if vendor, ok := id.Vendor(); ok {
		return SignUp{
			Company: "Vector Informatik GmbH", Domain: string(vendor) + ".com", Country: "DE", ID: id, Region: "eu-central", Prefix: string(vendor),
			Email: "admin@" + string(vendor) + ".com", Name: "Vendor Administrator",
		}
	}
	return SignUp{
		Company: "Mercedes-Benz AG", Domain: string(id) + ".com", Country: "DE", ID: id, Region: "eu-central", Plan: "enterprise",
		Email: "admin@" + string(id) + ".com", Name: "License Administrator",
	}
}

// TestSignUpSurvivesTheLossOfANode: the node that made the tenant dies after
// any step of the saga; the directory's next leader takes it to its end.
func TestSignUpSurvivesTheLossOfANode(t *testing.T) {
	dns, err := dnstxt.Listen("127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, dns.Close()) })
	c := newTrio(t)
	c.resolver = dns.Addr()
	c.start(0, 1, 2)

	// One saga is left after each step.
	ids := []cloudlicenses.TenantID{"mercedes", "bmw", "tesla", "@vector", "@greenhills", "@mathworks"}
	tokens := map[cloudlicenses.TenantID]string{}
	lost := c.leader(directoryGroup)
	s := c.shards[lost]
	for n, id := range ids {
		steps := n % 3
		registered, err := s.Register(t.Context(), sampleSignUp(id))
		require.NoError(t, err)
		require.NoError(t, dns.Set(registered.RecordName, registered.RecordValue))
		tokens[id] = strings.TrimPrefix(registered.RecordValue, VerificationPrefix)
		r, err := s.registration(t.Context(), id)
		require.NoError(t, err)
		var admitted directory.TenantResult
		_, err = s.DoDirectory(t.Context(), Command{
			Op: directory.OpAdmit, Payload: &directory.AdmitTenant{ID: id, Intent: r.Intent}, Result: &admitted,
		})
		require.NoError(t, err)
		require.Equal(t, cloudlicenses.OK, admitted.Code, admitted.Detail)
		if steps >= 1 {
			var ack license.Ack
			_, err = s.doPlaced(t.Context(), &admitted.Tenant, Command{
				Op: license.OpTenant, Payload: &license.PutTenant{Epoch: admitted.Tenant.Epoch, URL: s.tenantURL(id)}, Result: &ack,
			})
			require.NoError(t, err)
			require.Equal(t, cloudlicenses.OK, ack.Code)
		}
		if steps >= 2 {
			_, err = s.activate(t.Context(), &admitted.Tenant)
			require.NoError(t, err)
		}
	}
	c.stop(lost)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var other int
	for i := range c.nodes {
		if i != lost {
			other = i
			go c.shards[i].ResumeSignUps(ctx)
		}
	}
	for n, id := range ids {
		require.Eventually(t, func() bool {
			r, err := c.shards[other].registration(t.Context(), id)
			return err == nil && r.Status == directory.RegistrationDone
		}, 20*time.Second, 50*time.Millisecond, "%s", id)
		tenant, _, err := c.shards[other].Verify(t.Context(), id, tokens[id])
		require.NoError(t, err)
		require.Equal(t, []string{"CUST-00001", "CUST-00002", "CUST-00003", "", "", ""}[n], tenant.CustomerID)
		require.Equal(t, cloudlicenses.TenantActive, tenant.Status)
		_, err = c.shards[other].Read(t.Context(), id, Command{
			Op: license.QueryLicenses, Payload: &license.ListLicenses{}, Result: &license.LicensePage{},
		}, ReadOptions{})
		require.NoError(t, err)
		var users license.UserPage
		_, err = c.shards[other].Read(t.Context(), id, Command{Op: license.QueryUsers, Payload: &license.ListUsers{Limit: 10}, Result: &users}, ReadOptions{})
		require.NoError(t, err)
		require.Len(t, users.Items, 1)
		require.Equal(t, sampleSignUp(id).Email, users.Items[0].Email)
	}
}

func TestGroupsWithinARegion(t *testing.T) {
	placement := map[cluster.GroupID][]string{0: {"a", "b"}, 1: {"a", "b"}, 2: {"b", "c"}, 3: {"a", "gone"}, 4: {"b"}}
	members := []cluster.Member{{ID: "a", Region: "eu"}, {ID: "b", Region: "eu"}, {ID: "c", Region: "us"}}
	require.Equal(t, []uint32{1, 4}, groupsWithin("eu", placement, members))
	require.Equal(t, []uint32{}, groupsWithin("us", placement, members))
}

func TestNormalizeDomain(t *testing.T) {
	for domain, want := range map[string]string{
		"mercedes.com": "mercedes.com", "Mercedes.COM.": "mercedes.com", "bücher.de": "xn--bcher-kva.de", "eu.mercedes.co.uk": "eu.mercedes.co.uk",
		"co.uk": "", "com": "", "": "", ".": "", "a..com": "", "10.0.0.1": "", "a_b.com": "", "-a.com": "", "github.io": "", "localhost": "",
	} {
		got, err := NormalizeDomain(domain)
		require.Equal(t, want, got, domain)
		require.Equal(t, want == "", err != nil, domain)
	}
}
