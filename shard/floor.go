package shard

import (
	"context"
	"errors"
	"fmt"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm/directory"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// The lowest version of client libraries for a product stands in its vendor's
// catalog; the groups of the tenants that have licenses of it decide by a copy.
// Copies carry the time of the catalog's change, so that they may come in any
// order.

// floorBefore gives a tenant the floor of a license that it is about to get.
func (s *Shard) floorBefore(ctx context.Context, l *directory.License) error {
	product, err := s.Product(ctx, l.VendorID, l.ProductID, ReadOptions{Linearizable: true})
	var refusal *Refusal
	switch {
	case errors.As(err, &refusal): // not in the catalog
		return nil
	case err != nil:
		return fmt.Errorf("read the catalog of %s: %w", l.VendorID, err)
	case product.MinLibVersion == "":
		return nil
	}
	return s.setFloor(ctx, l.TenantID, l.VendorID, &product)
}

func (s *Shard) setFloor(ctx context.Context, tenant cloudlicenses.TenantID, vendor cloudlicenses.VendorID, p *license.Product) error {
	at, err := s.newReader(ReadOptions{Linearizable: true}).tenant(ctx, tenant) // suspended ones, too
	if errors.Is(err, ErrTenantNotFound) {
		return nil
	}
	var ack license.Ack
	if err == nil {
		_, err = s.doPlaced(ctx, &at, Command{Op: license.OpSetFloor, Result: &ack, Payload: &license.Floor{
			VendorID: vendor, ProductID: p.ID, MinLibVersion: p.MinLibVersion, AtMillis: p.UpdatedMillis,
		}})
	}
	if err == nil {
		err = refused(ack.Code, ack.Detail)
	}
	if err != nil {
		return fmt.Errorf("tell %s of the library that %s wants for %s: %w", tenant, vendor, p.ID, err)
	}
	return nil
}

// SetFloors gives every tenant that has licenses of a vendor's product what the
// catalog says of client libraries. It may be repeated where it fails.
func (s *Shard) SetFloors(ctx context.Context, vendor cloudlicenses.VendorID, p *license.Product) error {
	told := make(map[cloudlicenses.TenantID]bool)
	list := directory.ListLicenses{VendorID: vendor, ProductID: p.ID, Limit: cloudlicenses.MaxListLimit}
	for more := true; more; {
		var page directory.LicensePage
		query := Command{Op: directory.QueryLicenses, Payload: &list, Result: &page}
		if _, err := s.ReadDirectory(ctx, query, ReadOptions{Linearizable: true}); err != nil {
			return fmt.Errorf("read the licenses of %s: %w", p.ID, err)
		}
		for i := range page.Items {
			tenant := page.Items[i].TenantID
			if told[tenant] || page.Items[i].Revision == 0 {
				continue
			}
			told[tenant] = true
			if err := s.setFloor(ctx, tenant, vendor, p); err != nil {
				return err
			}
		}
		list.Cursor, more = page.Next, page.Next != ""
	}
	return nil
}
