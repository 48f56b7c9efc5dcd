package directory

import (
	"math/rand/v2"
	"testing"

	"github.com/tinylib/msgp/msgp"

	"github.com/cloudlicenses/cloudlicenses/fsm"
)

// discard is a sink for a state without storage.
type discard struct{}

func (discard) Set(_, _ []byte) {}
func (discard) Delete([]byte)   {}

// FuzzCommand: no bytes crash the machine, and what decodes encodes and
// applies the same on two replicas.
func FuzzCommand(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 40 {
		f.Add(randomCommand(r))
	}
	f.Add(command(OpInit, twoRegions()))
	f.Add(command(OpRegister, sampleRegister()))
	f.Add(command(OpRegister, &Register{ID: "@vector-de", Company: "Vector", Domain: "vector.com", Region: "eu", Prefix: "vector", Groups: []uint32{1}}))
	f.Add(command(OpVendorSet, &SetVendor{ID: "vector-de", Set: 63, Name: "N", Settings: VendorSettings{Host: "licenses.vector.com"}}))
	f.Add(command(OpVendorShare, &SetVendorShare{ID: "vector-de", Rate: 300}))
	f.Add(command(OpVendorHost, &VerifyVendorHost{ID: "vector-de", Host: "licenses.vector.com"}))
	f.Add(command(OpUnregister, &Unregister{ID: "mercedes", Intent: [16]byte{1}}))
	f.Add(command(OpAdmit, &AdmitTenant{ID: "mercedes", Intent: [16]byte{1}}))
	f.Add(command(OpAdmitted, &TenantAdmitted{ID: "mercedes"}))
	for _, sample := range licenseSamples() {
		f.Add(command(sample.op, sample.body))
	}
	for _, sample := range lifeSamples() {
		f.Add(sample)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var hashes [2][32]byte
		for i := range hashes {
			change, err := decodeCommand(b)
			if err != nil {
				return
			}
			s := newState(discard{})
			s.cluster = twoRegions()
			s.advance(1000)
			peopled(s)
			if _, err := change(s).MarshalMsg(nil); err != nil {
				t.Fatal(err)
			}
			hashes[i] = s.hash()
		}
		if hashes[0] != hashes[1] {
			t.Fatal("two replicas differ")
		}
	})
}

// FuzzQuery: no bytes crash a query.
func FuzzQuery(f *testing.F) {
	f.Add(append(fsm.Header{Op: QueryLicenses, Version: Version}.Append(nil), encoded(&ListLicenses{VendorID: "vector-de", Cursor: "a", Limit: 2})...))
	f.Add(append(fsm.Header{Op: QueryCustomers, Version: Version}.Append(nil), encoded(&ListCustomers{VendorID: "vector-de", Name: "m"})...))
	for op := range fsm.Op(63) {
		f.Add(fsm.Header{Op: op, Version: Version}.Append(nil))
		f.Add(append(fsm.Header{Op: op, Version: Version}.Append(nil), encoded(&List{Cursor: "a", Limit: 2})...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s := newState(discard{})
		peopled(s)
		result, err := s.query(b, 1)
		if err != nil {
			return
		}
		if _, err := result.MarshalMsg(nil); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzRecord: no record found on disk crashes the load, and what loads is
// written so that it loads the same.
func FuzzRecord(f *testing.F) {
	f.Add(keyTenant("mercedes"), encoded(&Tenant{ID: "mercedes"}))
	f.Add(sequenceKey{"v", "t", 2025}.key(), encoded(sequenceRecord{Drawn: 3}))
	f.Add(keyIntent(7), encoded(&intentRecord{Sequence: 7}))
	f.Add(keyRegistration("mercedes"), encoded(&Registration{ID: "mercedes", Domain: "mercedes.com", Status: RegistrationPending, ExpiresMillis: 7}))
	f.Add(keyLicense("lic-vector-mercedes-2025-001"), encoded(&License{ID: "lic-vector-mercedes-2025-001", Prices: []Price{{}}, Terms: Terms{EndMillis: 7}, Revision: 1}))
	f.Add(keyCustomer(&Customer{VendorID: "v", CRMAccount: "a"}), encoded(&Customer{VendorID: "v", CRMAccount: "a"}))
	f.Add(keyLink(&Link{TenantID: "t", VendorID: "v"}), encoded(&Link{TenantID: "t", VendorID: "v"}))
	f.Add(keyLife("mercedes"), encoded(&Life{ID: "mercedes", Revision: 2, Plans: []PlanSpan{{"free", 1}}, RemovedMillis: 7}))
	f.Add([]byte{kindMeta}, encoded(&metaRecord{}))
	f.Add([]byte{kindCluster}, encoded(twoRegions()))
	f.Fuzz(func(t *testing.T, key, value []byte) {
		s := newState(discard{})
		if s.load(key, value) != nil {
			return
		}
		again := newState(discard{})
		s.records(func(key []byte, record msgp.Marshaler) {
			if err := again.load(key, encoded(record)); err != nil {
				t.Fatal(err)
			}
		})
		if s.hash() != again.hash() {
			t.Fatal("loaded, written and loaded again is not the same")
		}
	})
}
