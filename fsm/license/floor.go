package license

import (
	"fmt"

	"github.com/Masterminds/semver/v3"

	"github.com/cloudlicenses/cloudlicenses"
)

var _ = register(OpSetFloor, operation{name: "set floor", needs: needsTenant, apply: (*Machine).applySetFloor})

// prefixFloor begins the key of a Floor: 'w' tenant(4) number(4).
const prefixFloor = 'w'

// floor is the lowest version of client libraries that a vendor lets check one of
// its products out, as its catalog says.
type floor struct {
	Floor
	number  uint32
	version *semver.Version // nil: any

	last        string // whose verdict is lastAllowed
	lastAllowed bool
}

// set takes what the catalog says; its version parses.
func (f *floor) set(to Floor) error {
	version := (*semver.Version)(nil)
	if to.MinLibVersion != "" {
		var err error
		if version, err = semver.NewVersion(to.MinLibVersion); err != nil {
			return fmt.Errorf("floor of %s: %w", to.ProductID, err)
		}
	}
	f.Floor, f.version, f.last, f.lastAllowed = to, version, "", version == nil
	return nil
}

// allows judges what a client sent as X-Lib-Version. What is no version, or was
// left out, is below every floor.
func (f *floor) allows(library string) bool {
	if f == nil || f.version == nil {
		return true
	}
	if f.last != library {
		v, err := semver.NewVersion(library)
		f.last, f.lastAllowed = library, err == nil && !v.LessThan(f.version)
	}
	return f.lastAllowed
}

// refuses returns why a library may not check the license out; "" where it may.
func (l *license) refuses(library string) string {
	switch {
	case l.floor.allows(library):
		return ""
	case library == "":
		return "the vendor wants its client library " + l.floor.MinLibVersion + " or newer, and X-Lib-Version is missing"
	default:
		return "the vendor wants its client library " + l.floor.MinLibVersion + " or newer: update the application"
	}
}

func (t *tenant) floorOf(vendor cloudlicenses.VendorID, product cloudlicenses.ProductID) *floor {
	for _, f := range t.floors {
		if f.ProductID == product && f.VendorID == vendor {
			return f
		}
	}
	return nil
}

// admitFloor brings a floor into force for the licenses that it is about.
func (t *tenant) admitFloor(f *floor) {
	t.floors = append(t.floors, f)
	for _, l := range t.products[f.ProductID] {
		if l.VendorID == f.VendorID {
			l.floor = f
		}
	}
}

// applySetFloor takes what a vendor's catalog says, unless something newer is here.
func (m *Machine) applySetFloor(t *tenant, payload []byte) (reply, error) {
	var p Floor
	if err := decode(&p, payload); err != nil {
		return nil, err
	}
	f := t.floorOf(p.VendorID, p.ProductID)
	switch {
	case f != nil && (f.Floor == p || f.AtMillis > p.AtMillis):
		return m.acked(cloudlicenses.OK, ""), nil
	case f == nil && p.MinLibVersion == "":
		return m.acked(cloudlicenses.OK, ""), nil
	}
	fresh := f == nil
	if fresh {
		f = &floor{number: uint32(len(t.floors)) + 1}
	}
	if err := f.set(p); err != nil {
		return m.acked(cloudlicenses.InvalidField, "min_lib_version: must be a semantic version"), nil //nolint:nilerr // a refusal
	}
	if fresh {
		t.admitFloor(f)
	}
	m.put(key44(nil, prefixFloor, t.number, f.number), &f.Floor)
	return m.acked(cloudlicenses.OK, ""), nil
}

func (l *loader) floor(key, value []byte) error {
	t, number, err := l.keyNumbers(key, 9)
	if err != nil {
		return err
	}
	var r Floor
	if err := decode(&r, value); err != nil {
		return err
	}
	if int(number) != len(t.floors)+1 {
		return fmt.Errorf("want floor %d of the tenant", len(t.floors)+1)
	}
	f := &floor{number: number}
	if err := f.set(r); err != nil {
		return err
	}
	t.admitFloor(f)
	return nil
}
