package directory

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
	"github.com/tinylib/msgp/msgp"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
)

// byHand leaves every write and flush to the test.
var byHand = fsm.Options{WriteEvery: -1, FlushEvery: -1, MemTableBytes: 256 << 10, CacheBytes: 1 << 20}

// entry is one log entry of a test.
type entry struct {
	stamp    int64
	commands [][]byte
}

// command encodes a command.
func command(op fsm.Op, payload msgp.Marshaler) []byte {
	return append(fsm.Header{Op: op, Version: Version}.Append(nil), encoded(payload)...)
}

func open(t testing.TB, fs vfs.FS, dir string, options fsm.Options) *Machine {
	t.Helper()
	m, err := Open(Config{Dir: dir, FS: fs, Store: options})
	require.NoError(t, err)
	return m
}

// ask answers a query into result.
func ask(t testing.TB, m *Machine, op fsm.Op, payload msgp.Marshaler, result msgp.Unmarshaler) {
	t.Helper()
	query := fsm.Header{Op: op, Version: Version}.Append(nil)
	if payload != nil {
		query = append(query, encoded(payload)...)
	}
	b, err := m.Query(query)
	require.NoError(t, err)
	require.NoError(t, decode(b, result))
}

func hashOf(t testing.TB, m *Machine) StateHash {
	t.Helper()
	var h StateHash
	ask(t, m, QueryHash, nil, &h)
	return h
}

// replay applies log (entry i has index i+1) from the machine's own index on.
func replay(t testing.TB, m *Machine, log []entry) {
	t.Helper()
	for i := m.AppliedIndex(); i < uint64(len(log)); i++ {
		_, err := m.Apply(i+1, log[i].stamp, log[i].commands, false)
		require.NoError(t, err)
	}
}

// twoRegions is a birth record with groups 1 and 2 in eu and 3 in us.
func twoRegions() *Init {
	return &Init{
		ClusterID: "c-1", Domain: "example.test", Secrets: []byte("wrapped"), AtMillis: 1,
		Groups: []Group{{ID: 1, Region: "eu"}, {ID: 2, Region: "eu"}, {ID: 3, Region: "us"}},
	}
}

func tenantID(s string) cloudlicenses.TenantID { return cloudlicenses.TenantID(s) }
