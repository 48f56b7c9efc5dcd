package license

import (
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
)

// TestTamperingShows: whatever is changed in a tenant's audit log on disk, its
// verification says that it is broken; it says so of no other tenant's.
func TestTamperingShows(t *testing.T) {
	type block struct{ key, value []byte }
	for name, tamper := range map[string]func(s *fsm.Store, blocks []block){
		"a result rewritten": func(s *fsm.Store, b []block) {
			at := slices.Index(b[1].value, 'b') // of the user bob
			require.Positive(t, at)
			b[1].value[at] = 'r'
			s.Set(b[1].key, b[1].value)
		},
		"a time":          func(s *fsm.Store, b []block) { b[1].value[47]++; s.Set(b[1].key, b[1].value) },
		"a count":         func(s *fsm.Store, b []block) { b[1].value[51]--; s.Set(b[1].key, b[1].value) },
		"the first gone":  func(s *fsm.Store, b []block) { s.Delete(b[0].key) },
		"one gone":        func(s *fsm.Store, b []block) { s.Delete(b[1].key) },
		"the latest gone": func(s *fsm.Store, b []block) { s.Delete(b[len(b)-1].key) },
		"all gone": func(s *fsm.Store, b []block) {
			for _, one := range b {
				s.Delete(one.key)
			}
		},
		"two exchanged": func(s *fsm.Store, b []block) { s.Set(b[1].key, b[2].value); s.Set(b[2].key, b[1].value) },
		"one moved": func(s *fsm.Store, b []block) {
			s.Delete(b[1].key)
			b[1].key[len(b[1].key)-9]++ // its time
			s.Set(b[1].key, b[1].value)
		},
		"one added": func(s *fsm.Store, b []block) {
			key := slices.Clone(b[2].key)
			key[len(key)-1] += 40
			s.Set(key, b[2].value)
		},
		"cut short": func(s *fsm.Store, b []block) { s.Set(b[1].key, b[1].value[:20]) },
	} {
		t.Run(name, func(t *testing.T) {
			m, err := Open(Config{Dir: "data", FS: vfs.NewMem(), Store: fsm.Options{WriteEvery: -1, FlushEvery: -1}})
			require.NoError(t, err)
			defer func() { require.NoError(t, m.Close()) }()
			apply := func(index uint64, tenant cloudlicenses.TenantID, op fsm.Op, body reply) {
				command := fsm.Header{Op: op, Version: Version, Epoch: 1, Tenant: tenant}.Append(nil)
				command, err := body.MarshalMsg(command)
				require.NoError(t, err)
				_, err = m.Apply(index, 1_800_000_000_000+int64(index)*256, [][]byte{command}, false)
				require.NoError(t, err)
			}
			index := uint64(0)
			for _, tenant := range []cloudlicenses.TenantID{"acme", "globex"} {
				index++
				apply(index, tenant, OpTenant, &PutTenant{Epoch: 1})
				for _, user := range []string{"ann", "bob", "carl", "dora"} {
					index++
					apply(index, tenant, OpPutUser, &PutUser{
						By: By{Platform: true}, ID: cloudlicenses.UserID("user-" + user), Email: user + "@acme", Role: cloudlicenses.RoleOwner,
					})
				}
			}
			verify := func(tenant cloudlicenses.TenantID) (proof AuditProof) {
				out, err := m.Query(append(fsm.Header{Op: QueryVerify, Version: Version, Epoch: 1, Tenant: tenant}.Append(nil), 0x91, 0xc2))
				require.NoError(t, err)
				require.NoError(t, decode(&proof, out))
				return proof
			}
			require.True(t, verify("acme").Valid)
			require.EqualValues(t, 4, verify("acme").Records)

			var blocks []block
			scan, err := m.store.Scan(key4(prefixAudit, 1), successor(key4(prefixAudit, 1)))
			require.NoError(t, err)
			for scan.Next() {
				blocks = append(blocks, block{slices.Clone(scan.Key()), slices.Clone(scan.Value())})
			}
			require.NoError(t, scan.Close())
			require.Len(t, blocks, 4)
			tamper(m.store, blocks)
			broken := verify("acme")
			require.False(t, broken.Valid)
			require.NotEmpty(t, broken.Detail)
			require.True(t, verify("globex").Valid)
		})
	}
}
