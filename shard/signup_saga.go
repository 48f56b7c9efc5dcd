package shard

import (
	"context"
	"fmt"
	"time"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/cluster"
	"github.com/cloudlicenses/cloudlicenses/fsm/directory"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// finishTenant takes an admitted tenant, or the account of a vendor, to its end:
// its group, its owner, active, done. Every step may be repeated, by any node.
func (s *Shard) finishTenant(ctx context.Context, tenant *directory.Tenant) error {
	if err := s.openAccount(ctx, tenant, cloudlicenses.TenantCheckoutsPerMinute); err != nil {
		return err
	}
	if err := s.inviteOwner(ctx, tenant); err != nil {
		return fmt.Errorf("invite the owner of %s: %w", tenant.ID, err)
	}
	if tenant.Status == cloudlicenses.TenantPending { // one suspended meanwhile stays so
		if _, err := s.activate(ctx, tenant); err != nil {
			return err
		}
	}
	var done directory.Ack
	_, err := s.DoDirectory(ctx, Command{Op: directory.OpAdmitted, Payload: &directory.TenantAdmitted{ID: tenant.ID}, Result: &done})
	if err == nil {
		err = refused(done.Code, done.Detail)
	}
	if err != nil {
		return fmt.Errorf("end the sign-up of %s: %w", tenant.ID, err)
	}
	return nil
}

// inviteOwner is where the tenant's administrator becomes its owner: the
// address and the name are in the sign-up that the tenant's group keeps.
func (s *Shard) inviteOwner(ctx context.Context, tenant *directory.Tenant) error {
	id, err := NewUserID()
	if err != nil {
		return err
	}
	mail := NewMail(cloudlicenses.TokenWelcome)
	var ack license.Ack
	_, err = s.doPlaced(ctx, tenant, Command{Op: license.OpOwnSignUp, Result: &ack, Payload: &license.OwnSignUp{
		UserID: string(id), Token: mail.Token, ExpiresMillis: mail.ExpiresMillis, Company: tenant.Company,
	}})
	if err == nil {
		err = refused(ack.Code, ack.Detail)
	}
	return err
}

// ResumeSignUps finishes, while this node leads the directory, the tenants
// whose sagas were interrupted. It returns when ctx is done.
func (s *Shard) ResumeSignUps(ctx context.Context) {
	ticker := time.NewTicker(resumeEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if s.Secrets() == nil || !s.node.Leads(directoryGroup) {
			continue
		}
		if err := s.resumeSignUps(ctx); err != nil && ctx.Err() == nil {
			s.logger.Warn("a sign-up can't be finished yet", "error", err)
		}
	}
}

// resumeSignUps goes through what is unfinished once.
func (s *Shard) resumeSignUps(ctx context.Context) error {
	var result directory.Unfinished
	_, err := s.ReadDirectory(ctx, Command{Op: directory.QueryRegistrations, Result: &result}, ReadOptions{})
	if err != nil {
		return fmt.Errorf("read unfinished sign-ups: %w", err)
	}
	needs := func(tenant *directory.Tenant) []cluster.GroupID {
		return []cluster.GroupID{cluster.GroupID(tenant.Group)}
	}
	return failures(atOnce(newPass(), result.Items, needs, func(tenant *directory.Tenant) error {
		bounded, cancel := context.WithTimeout(ctx, cloudlicenses.RequestTimeout)
		defer cancel()
		return s.finishTenant(bounded, tenant)
	}))
}
