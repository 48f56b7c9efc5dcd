package shard

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/cluster"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/directory"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
	"github.com/cloudlicenses/cloudlicenses/internal/dnstxt"
)

// verificationLabel stands before a domain in the name of the TXT record that
// proves it.
const verificationLabel = "_cloudlicenses."

// VerificationPrefix stands before the token in that record's value.
const VerificationPrefix = "cloudlicenses-verify="

// verificationRandom is the length of a token in base62: 131 random bits.
const verificationRandom = 22

// lookupTimeout bounds a DNS look-up, all its attempts together.
const lookupTimeout = 4 * time.Second

// ErrResolver means that DNS gave no answer: ask again later.
var ErrResolver = errors.New("the DNS resolver gives no answer")

// SignUp is a customer's wish for a tenant, or a vendor's for an account. The
// caller has checked every field's own limits; Domain is as NormalizeDomain
// returned it.
type SignUp struct {
	Company string
	Domain  string
	Country string
	TaxID   string

	ID     cloudlicenses.TenantID // of a vendor: the name of its account
	Region string
	Plan   string // of a tenant
	Prefix string // of a vendor's licenses

	Email string
	Name  string
}

// Registered is what who signs up needs to prove the domain.
type Registered struct {
	ID          cloudlicenses.TenantID
	RecordName  string
	RecordValue string // holds the token, which is kept nowhere
	Written
}

// hashSecret hashes what is kept only to be recognized. The purpose keeps
// hashes of one thing from being those of another, and of API keys.
func (s *Shard) hashSecret(purpose string, parts ...string) ([32]byte, error) {
	secrets := s.Secrets()
	if secrets == nil {
		return [32]byte{}, fmt.Errorf("%w: the cluster's secrets are not open yet", cluster.ErrNoLeader)
	}
	return HashAPIKey(secrets.KeyHMAC, purpose+"\x00"+strings.Join(parts, "\x00")), nil
}

func (s *Shard) hashToken(id cloudlicenses.TenantID, token string) ([32]byte, error) {
	return s.hashSecret("verification token", string(id), token)
}

// groupsWithin returns the license groups all of whose replicas are in region,
// in order. A replica whose region is not known is not.
func groupsWithin(region string, placement map[cluster.GroupID][]string, members []cluster.Member) []uint32 {
	inside := make(map[string]bool, len(members))
	for _, m := range members {
		inside[m.ID] = m.Region == region
	}
	within := []uint32{}
	for id, nodes := range placement {
		outside := slices.ContainsFunc(nodes, func(node string) bool { return !inside[node] })
		if id != directoryGroup && len(nodes) > 0 && !outside {
			within = append(within, uint32(id))
		}
	}
	slices.Sort(within)
	return within
}

// Register reserves a tenant's id and domain for seven days. What it says of
// persons goes to a group of the region alone. Refusals (*Refusal):
// already_exists (Detail "id", "domain" or "license_prefix"), region_unavailable, invalid_field,
// overloaded.
func (s *Shard) Register(ctx context.Context, in SignUp) (Registered, error) {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	token := string(appendRandom62(nil, verificationRandom))
	tokenHash, err := s.hashToken(in.ID, token)
	if err != nil {
		return Registered{}, err
	}
	emailHash, err := s.hashSecret("e-mail", strings.ToLower(in.Email))
	if err != nil {
		return Registered{}, err
	}
	register := &directory.Register{
		ID: in.ID, Company: in.Company, Domain: in.Domain, Region: in.Region, Plan: in.Plan, Prefix: in.Prefix, EmailHash: emailHash,
		Groups: groupsWithin(in.Region, s.node.Placement(), s.node.Members()),
	}
	_, _ = rand.Read(register.Intent[:]) // never fails: crypto/rand ends the process first
	var result directory.RegistrationResult
	written, err := s.DoDirectory(ctx, Command{Op: directory.OpRegister, Payload: register, Result: &result})
	if err == nil {
		err = refused(result.Code, result.Detail)
	}
	if err != nil {
		return Registered{}, err
	}
	r := &result.Registration
	err = s.doSignUp(ctx, r, license.OpPutSignUp, &license.PutSignUp{
		TokenHash: tokenHash, Country: in.Country, TaxID: in.TaxID, Email: in.Email, Name: in.Name, ExpiresMillis: r.ExpiresMillis,
	})
	if err != nil {
		s.unregister(r)
		return Registered{}, err
	}
	return Registered{
		ID: r.ID, RecordName: verificationLabel + r.Domain, RecordValue: VerificationPrefix + token, Written: written,
	}, nil
}

// unregister gives id and domain free again where nobody got the token.
func (s *Shard) unregister(r *directory.Registration) {
	ctx, cancel := context.WithTimeout(context.Background(), cloudlicenses.RequestTimeout)
	defer cancel()
	var ack directory.Ack
	_, err := s.DoDirectory(ctx, Command{
		Op: directory.OpUnregister, Payload: &directory.Unregister{ID: r.ID, Intent: r.Intent}, Result: &ack,
	})
	if err != nil {
		s.logger.Warn("a registration without a token stays until it expires", "tenant", string(r.ID), "error", err)
	}
}

// doSignUp has the registration's group commit a command about it.
func (s *Shard) doSignUp(ctx context.Context, r *directory.Registration, op fsm.Op, payload interface {
	MarshalMsg([]byte) ([]byte, error)
	Msgsize() int
}) error {
	reply, err := s.propose(ctx, cluster.GroupID(r.Group), fsm.Header{Op: op, Version: license.Version, Tenant: r.ID}, payload)
	if err != nil {
		return err
	}
	var ack license.Ack
	if _, err := settled(reply.Value, &ack); err != nil {
		return err
	}
	return refused(ack.Code, ack.Detail)
}

// registration reads a registration from the directory's leader.
func (s *Shard) registration(ctx context.Context, id cloudlicenses.TenantID) (*directory.Registration, error) {
	var result directory.RegistrationResult
	_, err := s.ReadDirectory(ctx, Command{
		Op: directory.QueryRegistration, Payload: &directory.GetTenant{ID: id}, Result: &result,
	}, ReadOptions{Linearizable: true})
	if err == nil {
		err = refused(result.Code, "there is no registration of this id, or it has expired")
	}
	return &result.Registration, err
}

// Verify looks for the token in the domain's TXT record and makes the tenant, or
// the vendor.
// Said again, it answers the same. Refusals (*Refusal): tenant_not_found,
// verification_failed, verification_pending, rate_limited; errors: ErrResolver
// and those of Do.
func (s *Shard) Verify(ctx context.Context, id cloudlicenses.TenantID, token string) (directory.Tenant, Written, error) {
	if _, isVendor := id.Vendor(); !isVendor && id.Validate() != nil {
		return directory.Tenant{}, Written{}, &Refusal{Code: cloudlicenses.TenantNotFound, Detail: "there is no registration of this id, or it has expired"}
	}
	r, err := s.registration(ctx, id)
	if err != nil {
		return directory.Tenant{}, Written{}, err
	}
	hash, err := s.hashToken(id, token)
	if err != nil {
		return directory.Tenant{}, Written{}, err
	}
	if err := s.doSignUp(ctx, r, license.OpTrySignUp, &license.TrySignUp{TokenHash: hash[:]}); err != nil {
		return directory.Tenant{}, Written{}, err
	}
	if r.Status == directory.RegistrationPending {
		if err := s.proved(ctx, r.Domain, token); err != nil {
			return directory.Tenant{}, Written{}, err
		}
	}
	var result directory.TenantResult
	written, err := s.DoDirectory(ctx, Command{
		Op: directory.OpAdmit, Payload: &directory.AdmitTenant{ID: id, Intent: r.Intent}, Result: &result,
	})
	if err == nil {
		err = refused(result.Code, result.Detail)
	}
	if err == nil && r.Status != directory.RegistrationDone {
		err = s.finishTenant(ctx, &result.Tenant)
	}
	return result.Tenant, written, err
}

// proved looks the domain's record up.
func (s *Shard) proved(ctx context.Context, domain, token string) error {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	name := verificationLabel + domain
	values, err := dnstxt.Lookup(ctx, s.resolver, name)
	switch {
	case errors.Is(err, dnstxt.ErrNoRecord):
	case err != nil:
		return fmt.Errorf("%w: %w", ErrResolver, err)
	case slices.Contains(values, VerificationPrefix+token):
		return nil
	}
	return &Refusal{Code: cloudlicenses.VerificationPending, Detail: "there is no TXT record " + name + " with the token yet; ask again once it is set"}
}
