package directory

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses"
)

// signUp runs the directives about registrations.
func (s *session) signUp(d *datadriven.TestData) string {
	id, intent := tenantID(arg(d, "id", "")), [16]byte{byte(number(d, "intent", 1))}
	switch d.Cmd {
	case "register":
		c := &Register{
			Intent: intent, ID: id, Company: arg(d, "company", "C"), Domain: arg(d, "domain", string(id)+".com"),
			Region: arg(d, "region", "eu"), Plan: arg(d, "plan", "free"), Groups: []uint32{},
		}
		for _, a := range d.CmdArgs {
			if a.Key == "groups" {
				for _, v := range a.Vals {
					n, err := strconv.ParseUint(v, 10, 32)
					require.NoError(s.t, err)
					c.Groups = append(c.Groups, uint32(n))
				}
			}
		}
		if _, isVendor := id.Vendor(); isVendor {
			c.Plan, c.Prefix, c.Domain = arg(d, "plan", ""), arg(d, "prefix", string(id[1:])), arg(d, "domain", string(id[1:])+".com")
		}
		var r RegistrationResult
		s.apply(OpRegister, c, &r)
		return showRegistration(&r)
	case "unregister":
		return s.ack(OpUnregister, &Unregister{ID: id, Intent: intent})
	case "admitted":
		return s.ack(OpAdmitted, &TenantAdmitted{ID: id})
	default: // admit
		var r TenantResult
		s.apply(OpAdmit, &AdmitTenant{ID: id, Intent: intent}, &r)
		return showTenantResult(&r)
	}
}

func showRegistration(r *RegistrationResult) string {
	if r.Code != cloudlicenses.OK {
		return refusal(r.Code, r.Detail)
	}
	x := &r.Registration
	return fmt.Sprintf("%s %q %s %s %s %s group %d created %d expires %d\n", x.ID, x.Company, x.Domain, x.Region, x.Plan, x.Status, x.Group, x.CreatedMillis, x.ExpiresMillis)
}

func sampleRegister() *Register {
	return &Register{
		Intent: [16]byte{1}, ID: "mercedes", Company: "Mercedes-Benz AG", Domain: "mercedes.com", Region: "eu", Plan: "enterprise",
		EmailHash: [32]byte{2}, Groups: []uint32{1, 2},
	}
}

// TestSignUpEncodings: the bytes of the commands are what they were; a log of
// the last release has to be read by the next.
func TestSignUpEncodings(t *testing.T) {
	id := "a86d65726365646573"
	intent := "c41001000000000000000000000000000000"
	email := "c420" + "02" + fmt.Sprintf("%062d", 0)
	for want, got := range map[string][]byte{
		"0701000000000099" + intent + id + "b04d657263656465732d42656e7a204147" + "ac6d657263656465732e636f6d" + "a26575" + "aa656e7465727072697365" + "a0" + email + "920102": command(OpRegister, sampleRegister()),
		"0801000000000092" + intent + id: command(OpUnregister, &Unregister{ID: "mercedes", Intent: [16]byte{1}}),
		"0901000000000092" + intent + id: command(OpAdmit, &AdmitTenant{ID: "mercedes", Intent: [16]byte{1}}),
		"0a01000000000091" + id:          command(OpAdmitted, &TenantAdmitted{ID: "mercedes"}),
	} {
		require.Equal(t, want, hex.EncodeToString(got))
	}
}

// TestWaitingRegistrationsAreBounded: vendors that wait keep no tenant from signing
// up, nor the other way round.
func TestWaitingRegistrationsAreBounded(t *testing.T) {
	for _, vendors := range []bool{true, false} {
		m := open(t, vfs.NewMem(), "m", byHand)
		log := []entry{{stamp: 1, commands: [][]byte{command(OpInit, twoRegions())}}}
		registration := func(n int, vendor bool) []byte {
			id := fmt.Sprintf("many%c%c%c%c", 'a'+n%10, 'a'+n/10%10, 'a'+n/100%10, 'a'+n/1000)
			c := &Register{Intent: [16]byte{1}, ID: tenantID(id), Company: "C", Domain: id + ".com", Region: "eu", Plan: "free", Groups: []uint32{1}}
			if vendor {
				c.ID, c.Plan, c.Prefix = "@"+c.ID, "", id
			}
			return command(OpRegister, c)
		}
		for n := range cloudlicenses.MaxPendingRegistrations {
			log = append(log, entry{stamp: 2, commands: [][]byte{registration(n, vendors)}})
		}
		replay(t, m, log)
		try := func(stamp int64, vendor bool) (r RegistrationResult) {
			results, err := m.Apply(m.AppliedIndex()+1, stamp, [][]byte{registration(cloudlicenses.MaxPendingRegistrations, vendor)}, true)
			require.NoError(t, err)
			require.NoError(t, decode(results[0], &r))
			return r
		}
		require.Equal(t, cloudlicenses.Overloaded, try(2, vendors).Code)
		require.Equal(t, cloudlicenses.OK, try(2, !vendors).Code)
		require.Equal(t, cloudlicenses.OK, try(3+RegistrationLifeMillis, vendors).Code, "the others have expired")
		require.NoError(t, m.Close())
	}
}
