package shard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/cluster"
	"github.com/cloudlicenses/cloudlicenses/fsm/directory"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// TellVendors brings vendors' accounts, while this node leads the directory,
// what the directory has decided about their licenses and customers. It returns
// when ctx is done.
func (s *Shard) TellVendors(ctx context.Context) {
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
		if err := s.tellVendors(ctx); err != nil && ctx.Err() == nil {
			s.logger.Warn("vendors can't be told of events yet", "error", err)
		}
	}
}

// toldEvents are events that one vendor is told of, in order.
type toldEvents struct {
	vendor cloudlicenses.VendorID
	events []license.VendorEvent
}

// tellVendors goes through what waits once. A vendor that can't be told, such as
// one that is suspended, keeps its own events waiting alone.
func (s *Shard) tellVendors(ctx context.Context) error {
	var errs []error
	failed, p := map[cloudlicenses.VendorID]bool{}, newPass()
	needs := func(t *toldEvents) []cluster.GroupID { return []cluster.GroupID{s.groupOf(ctx, t.vendor.Account())} }
	for list := (directory.ListVendorEvents{Limit: cloudlicenses.MaxListLimit}); ; {
		var page directory.VendorEvents
		if _, err := s.ReadDirectory(ctx, Command{Op: directory.QueryVendorEvents, Payload: &list, Result: &page}, ReadOptions{}); err != nil {
			return failures(append(errs, fmt.Errorf("read events for vendors: %w", err)))
		}
		if len(page.Items) == 0 || ctx.Err() != nil {
			return failures(errs)
		}
		last := &page.Items[len(page.Items)-1]
		list.VendorID, list.After = last.VendorID, last.Sequence
		told := slices.DeleteFunc(toldOf(&page), func(t toldEvents) bool { return failed[t.vendor] })
		for i, err := range atOnce(p, told, needs, func(t *toldEvents) error { return s.tellVendor(ctx, t.vendor, t.events) }) {
			if err == nil {
				continue
			}
			failed[told[i].vendor] = true
			if !errors.Is(err, ErrTenantNotFound) { // suspended: it is told once it is not
				errs = append(errs, err)
			}
		}
	}
}

// toldOf puts a page in order of vendor.
func toldOf(page *directory.VendorEvents) (all []toldEvents) {
	places := make(map[cloudlicenses.VendorID]int)
	for i := range page.Items {
		e := &page.Items[i]
		at, known := places[e.VendorID]
		if !known {
			at = len(all)
			places[e.VendorID] = at
			all = append(all, toldEvents{vendor: e.VendorID})
		}
		all[at].events = append(all[at].events, license.VendorEvent{
			Sequence: e.Sequence, AtMillis: e.AtMillis, Kind: e.Kind, TenantID: e.TenantID, CRMAccount: e.CRMAccount,
			LicenseID: e.LicenseID, ProductID: e.ProductID,
		})
	}
	return all
}

func (s *Shard) tellVendor(ctx context.Context, vendor cloudlicenses.VendorID, events []license.VendorEvent) error {
	ctx, cancel := context.WithTimeout(ctx, cloudlicenses.RequestTimeout)
	defer cancel()
	var ack license.Ack
	_, err := s.Do(ctx, vendor.Account(), Command{Op: license.OpTellVendor, Payload: &license.TellVendor{Events: events}, Result: &ack})
	if err == nil {
		err = refused(ack.Code, ack.Detail)
	}
	if err != nil {
		return fmt.Errorf("tell %s of events: %w", vendor, err)
	}
	var done directory.Ack
	_, err = s.DoDirectory(ctx, Command{
		Op: directory.OpVendorTold, Payload: &directory.VendorTold{VendorID: vendor, UpTo: events[len(events)-1].Sequence}, Result: &done,
	})
	if err == nil {
		err = refused(done.Code, done.Detail)
	}
	if err != nil {
		return fmt.Errorf("end the telling of %s: %w", vendor, err)
	}
	return nil
}
