package shard

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/billing"
	"github.com/cloudlicenses/cloudlicenses/cluster"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/directory"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// The saga of a month's invoices, of one vendor: read what was charged, once
// nothing more can be, and what is billed of it; put each invoice into the vendor's
// account, which keeps and sends it and remembers what it bills; say that the month
// is through. What is billed is not billed again, so every step may be repeated by
// any node.

// ErrMonthRuns: a month is invoiced once it is over.
var ErrMonthRuns = errors.New("the month is not over yet")

// InvoiceRun is what a run came to.
type InvoiceRun struct {
	Month  billing.Month
	Issued []license.Invoice // new ones
	Known  int               // those that were there before
	Written
}

// errBilledBeside: another run has billed something since this one read what is
// billed.
var errBilledBeside = errors.New("another run of invoices goes on; ask again")

// RunInvoices makes a vendor's invoices of a month, and sends again those that
// could not be sent. A void one is replaced by its next revision only where
// somebody asks for it by hand.
func (s *Shard) RunInvoices(ctx context.Context, vendor cloudlicenses.VendorID, month billing.Month, by license.By, byHand bool) (InvoiceRun, error) {
	var issued []license.Invoice
	for try := 0; ; try++ {
		run, err := s.runInvoices(ctx, vendor, month, by, byHand)
		issued = append(issued, run.Issued...)
		if try == 3 || !errors.Is(err, errBilledBeside) {
			run.Issued = issued
			return run, err
		}
	}
}

func (s *Shard) runInvoices(ctx context.Context, vendor cloudlicenses.VendorID, month billing.Month, by license.By, byHand bool) (InvoiceRun, error) {
	run := InvoiceRun{Month: month}
	if s.monthOver() < month {
		return run, ErrMonthRuns
	}
	found, err := s.finalCharges(ctx, vendor, month)
	if err != nil {
		return run, err
	}
	r := s.newReader(ReadOptions{Linearizable: true})
	books, err := r.books(ctx, vendor, month, byHand)
	if err != nil {
		return run, err
	}
	there, err := r.invoicesOf(ctx, vendor, month)
	if err != nil {
		return run, err
	}
	kept := make(map[string]*license.Invoice, len(there))
	var errs []error // what fails for one customer does not hold up the others
	for i := range there {
		v := &there[i]
		if kept[v.ID] = v; !v.Void && v.Voids == "" {
			run.Known++
		}
		errs = append(errs, s.resendInvoice(ctx, vendor, v, by))
		if stops(errs) {
			return run, errors.Join(errs...)
		}
	}
	for _, bill := range billsOf(&found) {
		invoices, err := billing.Invoices(month, bill.contracts, bill.sums, &books)
		if err != nil {
			errs = append(errs, fmt.Errorf("invoices of %s for %s: %w", vendor, month, err))
		}
		for i := range invoices {
			errs = append(errs, s.putInvoice(ctx, &run, &invoices[i], by, kept))
			if stops(errs) {
				break
			}
		}
		if stops(errs) {
			break
		}
	}
	if err := errors.Join(errs...); err != nil {
		return run, err
	}
	through := month
	if month > max(books.Through+1, books.From) { // others before it are still to be run
		through = books.Through
	}
	var ack license.Ack
	run.Written, err = s.doAccount(ctx, vendor, Command{Op: license.OpInvoiced, Payload: &license.Invoiced{Month: uint32(through)}, Result: &ack})
	if err == nil {
		err = refused(ack.Code, ack.Detail)
	}
	return run, err
}

// stops reports whether the last error is one that all that follows would meet.
func stops(errs []error) bool {
	if len(errs) == 0 {
		return false
	}
	var silent *unreached
	last := errs[len(errs)-1]
	return errors.As(last, &silent) || errors.Is(last, context.Canceled) || errors.Is(last, context.DeadlineExceeded)
}

// bill is what one customer is charged by.
type bill struct {
	contracts []billing.ContractLine
	sums      []billing.OverageSum
}

// billsOf are the bills of a vendor's customers, as invoices tell them apart, in
// their order.
func billsOf(v *VendorCharges) (bills []*bill) {
	type customer struct{ account, tenant string }
	of := func(c *billing.ContractLine) customer {
		if c.CRMAccount != "" {
			return customer{account: c.CRMAccount}
		}
		return customer{tenant: string(c.Tenant)}
	}
	found := make(map[customer]*bill)
	for i := range v.Contracts {
		c := &v.Contracts[i]
		if found[of(c)] == nil {
			found[of(c)] = &bill{}
		}
		found[of(c)].contracts = append(found[of(c)].contracts, *c)
	}
	for i := range v.Charges {
		if c := &v.Charges[i]; c.Sum.Uses != 0 || c.Sum.Minor != 0 {
			b := found[of(c.Contract)]
			b.sums = append(b.sums, c.Sum)
		}
	}
	for _, who := range slices.SortedFunc(maps.Keys(found), func(a, b customer) int {
		return cmp.Or(strings.Compare(a.account, b.account), strings.Compare(a.tenant, b.tenant))
	}) {
		bills = append(bills, found[who])
	}
	return bills
}

// monthOver is the last month that is over on every node's clock: no entry can be
// stamped in it any more.
func (s *Shard) monthOver() billing.Month {
	return billing.DayAt(s.now().Add(-2*cloudlicenses.MaxClockOffset).UnixMilli()).Month() - 1
}

// resendInvoice sends an invoice as it is kept, where it could not be sent.
func (s *Shard) resendInvoice(ctx context.Context, vendor cloudlicenses.VendorID, kept *license.Invoice, by license.By) error {
	if kept.Void || !kept.Unsent() {
		return nil
	}
	v := BilledInvoice(vendor, kept)
	body, err := v.AppendWebhook(nil, s.domain)
	if err != nil {
		return fmt.Errorf("invoice %s: %w", v.ID, err)
	}
	var result license.InvoiceResult
	_, err = s.doAccount(ctx, vendor, Command{
		Op: license.OpResendInvoice, Payload: &license.ResendInvoice{By: by, ID: kept.ID, Body: body}, Result: &result,
	})
	if err == nil {
		err = refused(result.Code, result.Detail)
	}
	if err != nil {
		return fmt.Errorf("send invoice %s again: %w", v.ID, err)
	}
	return nil
}

// putInvoice puts one invoice: in place of one that is void, or beside those that
// are there.
func (s *Shard) putInvoice(ctx context.Context, run *InvoiceRun, v *billing.Invoice, by license.By, kept map[string]*license.Invoice) error {
	for known := kept[string(v.ID)]; known != nil; known = kept[string(v.ID)] {
		if known.Void {
			*v = v.WithRevision(v.Revision + 1)
		} else {
			*v = v.WithPart(v.Part + 1)
		}
	}
	body, err := v.AppendWebhook(nil, s.domain)
	if err != nil {
		return fmt.Errorf("invoice %s: %w", v.ID, err)
	}
	var result license.InvoiceResult
	_, err = s.doAccount(ctx, v.Vendor, Command{
		Op: license.OpIssueInvoice, Payload: &license.IssueInvoice{By: by, Invoice: keptInvoice(v), Body: body, Shares: sharesOf(v)}, Result: &result,
	})
	switch {
	case err == nil && (result.Code == cloudlicenses.AlreadyExists || !result.Fresh && result.Code == cloudlicenses.OK && v.Total != 0):
		err = errBilledBeside
	case err == nil:
		err = refused(result.Code, result.Detail)
	}
	if err != nil {
		return fmt.Errorf("put invoice %s: %w", v.ID, err)
	}
	if result.Fresh {
		run.Issued = append(run.Issued, result.Invoice)
		kept[string(v.ID)] = &result.Invoice
	}
	return nil
}

// finalCharges gathers a month's charges once every group's clock is past its
// end: no charge can come any more then. The contracts are those that the
// directory has by now, whichever replica is asked, once it has renewed or ended
// what was to end with the month. A group where nothing happens is given an entry
// that moves its clock.
func (s *Shard) finalCharges(ctx context.Context, vendor cloudlicenses.VendorID, month billing.Month) (VendorCharges, error) {
	end := (month + 1).First().UnixMillis()
	known, err := s.places.barrier(ctx)
	if err != nil {
		return VendorCharges{}, err
	}
	contracts := FormatAppliedIndex(directoryGroup, known)
	opt := ReadOptions{MinIndex: contracts}
	for ticked, ended := false, 0; ; {
		r := s.newReader(opt)
		found, behind, err := r.vendorCharges(ctx, vendor, "", month.Days())
		switch {
		case err != nil:
			return found, err
		case behind:
			return found, errUnknownLicense
		case r.ends != 0 && r.ends <= end:
			if ended == maxEndings {
				return found, fmt.Errorf("%w: contracts are to end with it", ErrMonthRuns)
			}
			if contracts, err = s.endLicenses(ctx); err != nil {
				return found, err
			}
			opt.MinIndex, ended = contracts, ended+1
			continue
		case found.ClockMillis >= end || found.ClockMillis == 0: // 0: no customer is there
			return found, nil
		}
		parts := []string{contracts}
		for group := range r.indexes {
			if group == directoryGroup {
				continue
			}
			index, err := s.tick(ctx, group)
			if err != nil {
				return found, err
			}
			parts = append(parts, FormatAppliedIndex(group, index))
		}
		if ticked || len(parts) == 1 {
			return found, fmt.Errorf("%w: the clock of a group is before its end", ErrMonthRuns)
		}
		opt.MinIndex, ticked = JoinAppliedIndexes(parts...), true
	}
}

// maxEndings bounds how often one run has the directory end contracts.
const maxEndings = 16

// endLicenses has the directory renew or end what has come to its end, as it does by
// itself, and returns the index at which it has.
func (s *Shard) endLicenses(ctx context.Context) (index string, err error) {
	var ack directory.Ack
	w, err := s.DoDirectory(ctx, Command{Op: directory.OpLicensesEnd, Payload: &directory.EndLicenses{Limit: directory.MaxEndings}, Result: &ack})
	if err != nil {
		return "", fmt.Errorf("end contracts: %w", err)
	}
	return w.Applied, nil
}

// tick has a group commit an entry that carries nothing but its time.
func (s *Shard) tick(ctx context.Context, group cluster.GroupID) (uint64, error) {
	var ack license.Ack
	reply, err := s.propose(ctx, group, fsm.Header{Op: license.OpTick, Version: license.Version}, &license.Tick{})
	if err == nil {
		_, err = settled(reply.Value, &ack)
	}
	if err != nil {
		return 0, fmt.Errorf("move the clock of group %d: %w", group, err)
	}
	return reply.Index, nil
}

// keptInvoice is an invoice as the vendor's account keeps it.
func keptInvoice(v *billing.Invoice) license.Invoice {
	kept := license.Invoice{
		ID: string(v.ID), CreditNote: v.Kind == billing.KindCreditNote, Void: v.State == billing.InvoiceVoid, Revision: int64(v.Revision),
		Voids: string(v.Voids), VoidReason: v.VoidReason, CRMAccount: v.CRMAccount, TenantID: v.Tenant, CustomerName: v.CustomerName, Month: uint32(v.Period),
		Currency: v.Currency, Total: v.Total,
	}
	for _, l := range v.Lines {
		kept.Lines = append(kept.Lines, license.InvoiceLine{
			LicenseID: l.License, Description: l.Description, Amount: l.Amount, Quantity: l.Quantity, UnitPrice: l.UnitPrice, PerUnit: l.PerUnit,
		})
	}
	return kept
}

// BilledInvoice is the reverse: a kept invoice as package billing has it.
func BilledInvoice(vendor cloudlicenses.VendorID, kept *license.Invoice) billing.Invoice {
	v := billing.Invoice{
		ID: billing.InvoiceID(kept.ID), Kind: billing.KindInvoice, State: billing.InvoiceIssued, Revision: int(kept.Revision),
		Voids: billing.InvoiceID(kept.Voids), VoidReason: kept.VoidReason, Vendor: vendor, CRMAccount: kept.CRMAccount, Tenant: kept.TenantID, CustomerName: kept.CustomerName,
		Period: billing.Month(kept.Month), Currency: kept.Currency, Total: kept.Total,
	}
	if kept.CreditNote {
		v.Kind = billing.KindCreditNote
	}
	if kept.Void {
		v.State = billing.InvoiceVoid
	}
	for _, l := range kept.Lines {
		v.Lines = append(v.Lines, billing.LineItem{
			License: l.LicenseID, Description: l.Description, Amount: l.Amount, Quantity: l.Quantity, UnitPrice: l.UnitPrice, PerUnit: l.PerUnit,
		})
	}
	return v
}

// VoidInvoice voids an invoice of a vendor by a mirror of it, which it returns
// beside it. Said again, it answers the same, with the reason given first, and sends
// again a mirror that could not be sent. Refusals: not_found, invalid_field (a mirror
// is not voided).
func (s *Shard) VoidInvoice(ctx context.Context, vendor cloudlicenses.VendorID, id string, by license.By, reason string) (void license.Invoice, mirror billing.Invoice, w Written, err error) {
	kept, err := s.invoice(ctx, vendor, id)
	if err != nil {
		return void, mirror, w, err
	}
	billed := BilledInvoice(vendor, &kept)
	billed.State, billed.VoidReason = billing.InvoiceIssued, reason // said again, the mirror is the same
	if _, mirror, err = billed.Void(); err != nil {
		return void, mirror, w, &Refusal{Code: cloudlicenses.InvalidField, Detail: "id: " + err.Error()}
	}
	body, err := mirror.AppendWebhook(nil, s.domain)
	if err != nil {
		return void, mirror, w, fmt.Errorf("void invoice %s: %w", id, err)
	}
	var result license.InvoiceResult
	w, err = s.Do(ctx, vendor.Account(), Command{
		Op: license.OpVoidInvoice, Payload: &license.VoidInvoice{By: by, ID: id, Mirror: keptInvoice(&mirror), Body: body}, Result: &result,
	})
	if err == nil {
		err = refused(result.Code, result.Detail)
	}
	mirror.VoidReason = result.Invoice.VoidReason
	if err == nil && !result.Fresh {
		if kept, err = s.invoice(ctx, vendor, string(mirror.ID)); err == nil {
			err = s.resendInvoice(ctx, vendor, &kept, by)
		}
	}
	return result.Invoice, mirror, w, err
}

// invoice reads an invoice of a vendor. Refusal: not_found.
func (s *Shard) invoice(ctx context.Context, vendor cloudlicenses.VendorID, id string) (license.Invoice, error) {
	var page license.InvoicePage
	err := s.readNow(ctx, vendor.Account(), license.QueryInvoices, &license.ListInvoices{ID: id}, &page)
	if err == nil {
		err = refused(page.Code, "there is no such invoice")
	}
	if err != nil {
		return license.Invoice{}, err
	}
	return page.Items[0], nil
}

// billEvery is how often the directory's leader looks whether a month is over, and
// billAgain how long after it has failed.
const (
	billEvery = 10 * time.Second
	billAgain = time.Minute
)

// RunInvoicesMonthly makes, while this node leads the directory, every vendor's
// invoices of the months that are over. It returns when ctx is done.
func (s *Shard) RunInvoicesMonthly(ctx context.Context) {
	ticker := time.NewTicker(billEvery)
	defer ticker.Stop()
	through := make(invoicedThrough)
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if s.Secrets() == nil || !s.node.Leads(directoryGroup) {
			clear(through)
			continue
		}
		last := s.monthOver()
		if err := s.invoiceVendors(ctx, last, through); err != nil && ctx.Err() == nil {
			s.logger.Warn("the invoices of a month can't be made yet", "month", last.String(), "error", err)
			ticker.Reset(billAgain)
		} else {
			ticker.Reset(billEvery)
		}
	}
}

// invoicedThrough is up to which month a node, as long as it leads, has seen each
// vendor's invoices made.
type invoicedThrough map[cloudlicenses.VendorID]billing.Month

// invoiceVendors runs every vendor's months up to last, where they are not through,
// also those of vendors that are suspended: what was used is owed. What fails for
// one, or waits for a group without leader, does not hold up the others.
func (s *Shard) invoiceVendors(ctx context.Context, last billing.Month, through invoicedThrough) error {
	var errs []error
	needs := func(v *directory.Vendor) []cluster.GroupID { return []cluster.GroupID{cluster.GroupID(v.Group)} }
	list, p := directory.List{Limit: cloudlicenses.MaxListLimit}, newPass()
	for more := true; more && ctx.Err() == nil; {
		var page directory.VendorPage
		if _, err := s.ReadDirectory(ctx, Command{Op: directory.QueryVendors, Payload: &list, Result: &page}, ReadOptions{}); err != nil {
			return fmt.Errorf("read the vendors to invoice for: %w", err)
		}
		due := slices.DeleteFunc(page.Items, func(v directory.Vendor) bool {
			return v.Status == cloudlicenses.TenantPending || billing.DayAt(v.CreatedMillis).Month() > last || through[v.ID] >= last
		})
		failed := atOnce(p, due, needs, func(v *directory.Vendor) error { return s.invoiceVendor(ctx, v, last) })
		for i := range due {
			if failed[i] == nil {
				through[due[i].ID] = last
			}
		}
		errs = append(errs, failed...)
		list.Cursor, more = page.Next, page.Next != ""
	}
	return failures(errs)
}

// invoiceVendor runs a vendor's months up to last. One that fails, for a customer whose
// invoice can't be made, holds up no later one.
func (s *Shard) invoiceVendor(ctx context.Context, v *directory.Vendor, last billing.Month) error {
	next, err := s.newReader(ReadOptions{Linearizable: true}).invoicedBefore(ctx, v.ID)
	if err != nil {
		return err
	}
	var errs []error
	for next = max(next, billing.DayAt(v.CreatedMillis).Month()); next <= last; next++ {
		run, err := s.RunInvoices(ctx, v.ID, next, license.By{Platform: true}, false)
		if err != nil {
			errs = append(errs, fmt.Errorf("invoices of %s: %w", v.ID, err))
			if stops(errs) {
				break
			}
			continue
		}
		s.logger.Info("invoices made", "vendor", string(v.ID), "month", next.String(), "issued", len(run.Issued), "known", run.Known)
	}
	return errors.Join(errs...)
}
