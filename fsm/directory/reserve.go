package directory

import (
	"fmt"

	"github.com/tinylib/msgp/msgp"

	"github.com/cloudlicenses/cloudlicenses"
)

// Years of a license id have four digits.
const (
	minYear = 1970
	maxYear = 9999
)

// reserveLicenses draws license ids from the sequence of vendor, tenant and
// year. An intent repeated within 24 hours gets the same ids.
func (s *state) reserveLicenses(c *ReserveLicenses) msgp.Marshaler {
	if refusal := validateReservation(c); refusal != nil {
		return refusal
	}
	if known := s.intents[c.Intent]; known != nil {
		if known.Request != *c {
			return &Reserved{Code: cloudlicenses.IdempotencyKeyReused, Detail: "this intent reserved other ids"}
		}
		return &Reserved{Prefix: known.Prefix, First: known.First, Count: c.Count}
	}
	vendor := s.vendors[c.VendorID]
	if vendor == nil {
		return &Reserved{Code: cloudlicenses.NotFound, Detail: fmt.Sprintf("no vendor %q", c.VendorID)}
	}
	sequence := sequenceKey{vendor: c.VendorID, tenant: c.TenantID, year: c.Year}
	drawn := s.sequences[sequence]
	s.meta.Intents++
	r := &intentRecord{
		Sequence: s.meta.Intents,
		AtMillis: s.meta.ClockMillis,
		Request:  *c,
		Prefix:   fmt.Sprintf("lic-%s-%s-%04d-", vendor.LicensePrefix, c.TenantID, c.Year),
		First:    drawn + 1,
	}
	s.setSequence(sequence, drawn+c.Count)
	s.addIntent(r)
	s.put(sequence.key(), sequenceRecord{Drawn: drawn + c.Count})
	s.put(keyIntent(r.Sequence), r)
	return &Reserved{Prefix: r.Prefix, First: r.First, Count: c.Count}
}

func validateReservation(c *ReserveLicenses) *Reserved {
	var detail string
	switch {
	case len(c.Intent) < 1 || len(c.Intent) > cloudlicenses.MaxIdempotencyKeyLength:
		detail = "an intent has 1–255 bytes"
	case c.TenantID.Validate() != nil:
		detail = cloudlicenses.ErrTenantID.Error()
	case c.Year < minYear || c.Year > maxYear:
		detail = "the year must be 1970–9999"
	case c.Count < 1 || c.Count > cloudlicenses.MaxProvisionedLicenses:
		detail = "1–1,000,000 ids can be reserved at once"
	default:
		return nil
	}
	return &Reserved{Code: cloudlicenses.InvalidField, Detail: detail}
}

// ID returns the i-th license id of a reservation, from 0.
func (r *Reserved) ID(i int64) cloudlicenses.LicenseID {
	return cloudlicenses.LicenseID(fmt.Sprintf("%s%03d", r.Prefix, r.First+i))
}
