package api

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/cluster"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// TestActionsAreAudited: what a vendor does to a license is in its own log, with
// who did it, and in that of the tenant; what a tenant does to a vendor is in the
// tenant's alone.
func TestActionsAreAudited(t *testing.T) {
	vendor, mercedes, id := licensed(t, "/product/id", `"ide"`)
	vendorDo(t, vendor.key, "PATCH", "/api/v1/licenses/"+id, `{"contract":{"auto_renew":false}}`).wants(t, 200, "")
	for _, action := range []string{"suspend", "resume", "revoke"} {
		vendorDo(t, vendor.key, "POST", "/api/v1/licenses/"+id+"/"+action, "").wants(t, 200, "")
	}
	owner := mercedes.newSession(mercedes.newUser("owner", cloudlicenses.RoleOwner))
	mercedes.as(owner, "POST", "/api/v1/vendors/"+string(vendorOf(vendor))+"/block", "").wants(t, 200, "")
	mercedes.as(owner, "POST", "/api/v1/vendors/"+string(vendorOf(vendor))+"/unblock", "").wants(t, 200, "")

	// What was refused, and what was there already, has been done by nobody.
	vendorDo(t, vendor.key, "POST", "/api/v1/licenses/"+id+"/suspend", "").wants(t, 409, "license_not_active")
	vendorDo(t, vendor.key, "POST", "/api/v1/licenses/none/revoke", "").wants(t, 404, "not_found")

	own := string(vendorDo(t, vendor.key, "GET", "/api/v1/audit", "").wants(t, 200, "").raw)
	for _, action := range []string{"license.generate", "license.amend", "license.suspend", "license.resume", "license.revoke"} {
		require.Equal(t, 1, strings.Count(own, `"action":"`+action+`"`), action)
	}
	require.Contains(t, own, `"license_id":"`+id+`"`)
	require.NotContains(t, own, `"actor":""`, "every action has somebody who did it")
	require.NotContains(t, own, "vendor.block")

	theirs := string(mercedes.as(owner, "GET", "/api/v1/audit", "").wants(t, 200, "").raw)
	for _, action := range []string{
		"license.provisioned", "license.suspended", "license.resumed", "license.revoked", "vendor.block", "vendor.unblock",
	} {
		require.Contains(t, theirs, `"action":"`+action+`"`)
	}
	require.Contains(t, theirs, `"actor":"`+string(vendorOf(vendor))+`"`)
	verified := mercedes.as(owner, "GET", "/api/v1/audit/verify", "").wants(t, 200, "")
	require.Equal(t, true, verified.body["valid"])
}

// waits reports whether an account still waits for what came of the action that a
// refused request was about: to say it leaves a record then, and none else.
func (p *pool) waits(refused *reply, action string) bool {
	p.t.Helper()
	id, err := uuid.Parse(refused.text("request_id"))
	require.NoError(p.t, err)
	var ack license.Ack
	_, err = live.shard.Do(context.Background(), p.tenant, shard.Command{Op: license.OpNote, Payload: &license.Note{ID: id, Subject: id.String()}, Result: &ack})
	require.NoError(p.t, err)
	require.Equal(p.t, cloudlicenses.OK, ack.Code)
	log := vendorDo(p.t, p.key, "GET", "/api/v1/audit?user="+id.String(), "").wants(p.t, 200, "")
	return strings.Contains(string(log.raw), action)
}

// remove removes a tenant for good.
func (p *pool) remove() {
	p.t.Helper()
	adminDo(p.t, "POST", "/v1/tenants/"+string(p.tenant)+"/deletion", `{"grace_seconds":0}`).wants(p.t, 202, "")
	ctx, cancel := context.WithCancel(p.t.Context())
	defer cancel()
	go live.shard.ResumeLives(ctx)
	require.Eventually(p.t, func() bool {
		life, _, err := live.shard.Life(ctx, p.tenant)
		return err == nil && life.Code == cloudlicenses.TenantNotFound
	}, 20*time.Second, 20*time.Millisecond)
}

// TestNothingDoneIsNotUnknown: an adjustment at a tenant that is gone is refused,
// for that reason, and is in the vendor's log as nothing at all.
func TestNothingDoneIsNotUnknown(t *testing.T) {
	vendor, mercedes, id := licensed(t, "/product/id", `"ide"`, "/customer/crm_account_id", `"ACC-98765"`)
	at := "/api/v1/billing/overage/records/" + thisMonth().String() + "-1/adjust"
	body := fmt.Sprintf(`{"license_id":%q,"uses":1,"reason":"our server was down"}`, id)
	mercedes.remove()
	refused := vendorDo(t, vendor.key, "POST", at, body).wants(t, 409, "license_not_active")
	require.Contains(t, refused.text("detail"), "deleted")
	require.False(t, vendor.waits(refused, "overage.adjust"))

	for err, done := range map[error]bool{
		cluster.ErrNoLeader: true, cluster.ErrOverloaded: true, cluster.ErrStorageFull: true, shard.ErrTenantMoving: true, shard.ErrTenantNotFound: true,
		cluster.ErrOutcomeUnknown: false, context.DeadlineExceeded: false, errors.New("broken"): false,
		fmt.Errorf("%w (last try: %w)", cluster.ErrOutcomeUnknown, cluster.ErrNoLeader): false,
	} {
		require.Equal(t, done, nothingDone(err), "%v", err)
	}
}

// TestIDsOfPathsAreChecked: what can be no id is refused before it is anybody's
// intention, and reads like one that nobody has.
func TestIDsOfPathsAreChecked(t *testing.T) {
	vendor, mercedes, _ := licensed(t)
	owner := mercedes.newSession(mercedes.newUser("owner", cloudlicenses.RoleOwner))
	for _, id := range []string{"%3Cscript%3E", strings.Repeat("x", cloudlicenses.MaxIDLength+1)} {
		for _, action := range []string{"suspend", "resume", "revoke"} {
			vendorDo(t, vendor.key, "POST", "/api/v1/licenses/"+id+"/"+action, "").wants(t, 404, "not_found")
		}
		mercedes.as(owner, "POST", "/api/v1/vendors/"+id+"/block", "").wants(t, 404, "not_found")
		mercedes.as(owner, "POST", "/api/v1/vendors/"+id+"/unblock", "").wants(t, 404, "not_found")
	}
	long := strings.Repeat("x", cloudlicenses.MaxIDLength+1)
	vendorDo(t, vendor.key, "PATCH", "/api/v1/customers/"+long, `{"auto_provision":true}`).wants(t, 404, "not_found")
}
