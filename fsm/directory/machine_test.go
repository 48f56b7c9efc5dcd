package directory

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
)

// randomLog makes entries of one to three commands, of every kind, in which
// ids and intents come back and the clock jumps, now and then by days.
func randomLog(r *rand.Rand, entries int) []entry {
	log := []entry{{stamp: 1, commands: [][]byte{command(OpInit, twoRegions())}}}
	stamp := int64(1)
	for range entries {
		stamp += r.Int64N(1000) - 100
		if r.IntN(50) == 0 {
			stamp += intentMemoryMillis / 2
		}
		e := entry{stamp: stamp}
		for range 1 + r.IntN(3) {
			e.commands = append(e.commands, randomCommand(r))
		}
		log = append(log, e)
	}
	return log
}

func randomCommand(r *rand.Rand) []byte {
	tenant := tenantID(fmt.Sprintf("t%d", r.IntN(40)))
	vendor := cloudlicenses.VendorID(fmt.Sprintf("v%d", r.IntN(8)))
	switch r.IntN(19) {
	case 9, 10, 11, 12, 13, 14, 15, 16:
		return randomLicenseCommand(r)
	case 0:
		return command(OpLead, Lead{Node: "n1"})
	case 1:
		return command(OpVendor, &PutVendor{
			ID: vendor, Name: string(vendor), LicensePrefix: fmt.Sprintf("p%d", r.IntN(10)), Region: []string{"eu", "us", "asia"}[r.IntN(3)],
		})
	case 2:
		return command(OpTenant, &CreateTenant{ID: tenant, Company: "C", Region: []string{"eu", "us", "asia"}[r.IntN(3)], Plan: "free", AtMillis: r.Int64N(2)})
	case 3:
		states := []cloudlicenses.TenantStatus{cloudlicenses.TenantActive, cloudlicenses.TenantSuspended, "nonsense"}
		return command(OpTenantUp, &SetTenantStatus{ID: tenant, Status: states[r.IntN(3)]})
	case 4:
		host := fmt.Sprintf("h%d.com", r.IntN(4))
		switch r.IntN(5) {
		case 4:
			return command(OpVendorShare, &SetVendorShare{ID: vendor, Rate: 100 * r.Int64N(7)})
		case 0:
			return command(OpVendorHost, &VerifyVendorHost{ID: vendor, Host: host})
		case 1, 2:
			return command(OpVendorSet, &SetVendor{ID: vendor, Set: VendorMember(r.IntN(64)), Name: "N", Settings: VendorSettings{BrandName: "B", Host: host}})
		}
		states := []cloudlicenses.TenantStatus{cloudlicenses.TenantActive, cloudlicenses.TenantSuspended, "nonsense"}
		return command(OpVendorStatus, &SetVendorStatus{ID: vendor, Status: states[r.IntN(3)]})
	case 5, 6:
		return randomSignUp(r, tenant, vendor)
	case 17, 18:
		return randomLife(r, tenant)
	default:
		return command(OpReserve, &ReserveLicenses{
			Intent: fmt.Sprintf("i%d", r.IntN(200)), VendorID: vendor, TenantID: tenant, Year: 2024 + r.Int64N(2), Count: 1 + r.Int64N(3),
		})
	}
}

// randomSignUp is a step of the sign-up of a tenant or of a vendor.
func randomSignUp(r *rand.Rand, tenant cloudlicenses.TenantID, vendor cloudlicenses.VendorID) []byte {
	c := &Register{
		Intent: [16]byte{byte(r.IntN(2))}, ID: tenant, Company: "C", Domain: fmt.Sprintf("d%d.com", r.IntN(30)), Region: "eu", Plan: "free", Groups: []uint32{1, 2},
	}
	if r.IntN(2) == 0 {
		c.ID, c.Plan, c.Prefix = vendor.Account(), "", fmt.Sprintf("p%d", r.IntN(10))
	}
	switch r.IntN(5) {
	case 0:
		return command(OpUnregister, &Unregister{ID: c.ID, Intent: c.Intent})
	case 1:
		return command(OpAdmit, &AdmitTenant{ID: c.ID, Intent: c.Intent})
	case 2:
		return command(OpAdmitted, &TenantAdmitted{ID: c.ID})
	default:
		return command(OpRegister, c)
	}
}

// TestDisturbedEqualsStraight: restarts, crashes, snapshots and restores at
// any point, with any settings of the storage, leave the same state as
// applying the log in one go.
func TestDisturbedEqualsStraight(t *testing.T) {
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 0))
		log := randomLog(r, 200)
		straight := open(t, vfs.NewMem(), "d", byHand)
		replay(t, straight, log)
		want := hashOf(t, straight)
		require.NoError(t, straight.Close())

		mem, dir := vfs.NewCrashableMem(), "d"
		m := open(t, mem, dir, byHand)
		for m.AppliedIndex() < uint64(len(log)) {
			upTo := min(len(log), int(m.AppliedIndex())+1+r.IntN(20))
			replay(t, m, log[:upTo])
			switch r.IntN(5) {
			case 0:
				require.NoError(t, m.current().WriteBehind())
			case 1:
				require.NoError(t, m.Flush())
			case 2:
				require.NoError(t, m.Close())
				m = open(t, mem, dir, byHand)
			case 3:
				old := m
				mem = mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: r.IntN(101), RNG: r})
				m = open(t, mem, dir, byHand)
				require.NoError(t, old.Close())
			case 4:
				m, dir = throughSnapshot(t, m, mem, dir)
			}
		}
		require.Equal(t, want, hashOf(t, m), "seed %d", seed)
		require.NoError(t, m.Close())
	}
}

// throughSnapshot restores a snapshot of m on an empty machine and goes on
// with that one.
func throughSnapshot(t *testing.T, m *Machine, mem *vfs.MemFS, dir string) (*Machine, string) {
	t.Helper()
	snapshot, err := m.Snapshot()
	require.NoError(t, err)
	require.NoError(t, mem.RemoveAll("snap")) // a crash may have brought an earlier one back
	require.NoError(t, mem.MkdirAll("snap", 0o755))
	require.NoError(t, snapshot.Persist("snap"))
	snapshot.Release()
	want := m.AppliedIndex()
	require.NoError(t, m.Close())
	dir += "x"
	next := open(t, mem, dir, byHand)
	require.NoError(t, next.Restore("snap"))
	require.Equal(t, want, next.AppliedIndex())
	require.NoError(t, mem.RemoveAll("snap"))
	return next, dir
}

// TestWriteBehindAlone: with the storage's own timers, what was applied
// reaches the disk without another entry coming.
func TestWriteBehindAlone(t *testing.T) {
	mem := vfs.NewCrashableMem()
	m := open(t, mem, "d", fsm.Options{WriteEvery: time.Millisecond, FlushEvery: 2 * time.Millisecond})
	log := randomLog(rand.New(rand.NewPCG(1, 2)), 50)
	replay(t, m, log)
	require.Eventually(t, func() bool {
		crashed := open(t, mem.CrashClone(vfs.CrashCloneCfg{}), "d", byHand)
		defer func() { require.NoError(t, crashed.Close()) }()
		return crashed.AppliedIndex() == uint64(len(log)) && hashOf(t, crashed) == hashOf(t, m)
	}, 10*time.Second, 5*time.Millisecond)
	require.NoError(t, m.Close())
}

// TestApplyRefusesNonsense: an entry that does not decode changes nothing at
// all, also where commands before the bad one would have.
func TestApplyRefusesNonsense(t *testing.T) {
	m := open(t, vfs.NewMem(), "d", byHand)
	_, err := m.Apply(1, 10, [][]byte{command(OpInit, twoRegions())}, false)
	require.NoError(t, err)
	before := hashOf(t, m)
	good := command(OpTenant, &CreateTenant{ID: "mercedes", Region: "eu", Plan: "free"})
	for name, bad := range map[string][]byte{
		"empty":           {},
		"short":           good[:5],
		"unknown op":      command(99, Lead{}),
		"op zero":         command(0, Lead{}),
		"unknown version": append(fsm.Header{Op: OpLead, Version: 2}.Append(nil), encoded(Lead{})...),
		"truncated":       good[:len(good)-1],
		"trailing":        append(append([]byte(nil), good...), 0),
		"other payload":   command(OpTenant, Lead{Node: "n"}),
	} {
		_, err := m.Apply(2, 20, [][]byte{good, bad}, true)
		require.ErrorContains(t, err, "entry 2, command 1", name)
		require.Equal(t, before, hashOf(t, m), name)
	}
	_, err = m.Apply(1, 20, [][]byte{good}, true)
	require.ErrorContains(t, err, "entry 1 comes after entry 1")
	require.NoError(t, m.Close())
	_, err = m.Apply(2, 20, [][]byte{good}, true)
	require.ErrorIs(t, err, fsm.ErrClosed)
}

// TestQueryRefusesNonsense: a query that does not decode is an error.
func TestQueryRefusesNonsense(t *testing.T) {
	m := open(t, vfs.NewMem(), "d", byHand)
	defer func() { require.NoError(t, m.Close()) }()
	for name, query := range map[string][]byte{
		"empty":           {},
		"unknown":         fsm.Header{Op: 77, Version: Version}.Append(nil),
		"unknown version": fsm.Header{Op: QueryHash, Version: 2}.Append(nil),
		"trailing":        append(fsm.Header{Op: QueryCluster, Version: Version}.Append(nil), 1),
		"no payload":      fsm.Header{Op: QueryTenant, Version: Version}.Append(nil),
	} {
		_, err := m.Query(query)
		require.Error(t, err, name)
	}
}

// TestDamagedFolder: what was cut off or belongs to another group is refused
// with what to do about it, never opened as something smaller.
func TestDamagedFolder(t *testing.T) {
	fill := func(t *testing.T) string {
		dir := t.TempDir()
		m := open(t, vfs.Default, dir, byHand)
		replay(t, m, randomLog(rand.New(rand.NewPCG(1, 2)), 50))
		require.NoError(t, m.Close())
		return dir
	}
	t.Run("other group", func(t *testing.T) {
		_, err := Open(Config{Dir: fill(t), Group: 1, Store: byHand})
		require.ErrorIs(t, err, fsm.ErrForeign)
	})
	t.Run("truncated tables", func(t *testing.T) {
		dir, cut := fill(t), 0
		require.NoError(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if err == nil && filepath.Ext(path) == ".sst" {
				cut++
				return os.Truncate(path, 100)
			}
			return err
		}))
		require.Positive(t, cut)
		_, err := Open(Config{Dir: dir, Store: byHand})
		require.ErrorIs(t, err, fsm.ErrDamaged)
		require.ErrorContains(t, err, "remove this folder")
	})
	t.Run("record of an unknown kind", func(t *testing.T) {
		dir := fill(t)
		m := open(t, vfs.Default, dir, byHand)
		m.mu.Lock()
		m.store.Set([]byte("Z"), []byte("?"))
		m.store.SetApplied(m.store.Applied() + 1)
		m.mu.Unlock()
		require.NoError(t, m.Close())
		_, err := Open(Config{Dir: dir, Store: byHand})
		require.ErrorIs(t, err, fsm.ErrDamaged)
		require.ErrorContains(t, err, "unknown kind of record")
	})
}

// TestRestoreRefusesNonsense: a snapshot that does not open leaves the state
// in force as it was.
func TestRestoreRefusesNonsense(t *testing.T) {
	mem := vfs.NewMem()
	m := open(t, mem, "d", byHand)
	replay(t, m, randomLog(rand.New(rand.NewPCG(3, 4)), 20))
	before := hashOf(t, m)
	require.NoError(t, mem.MkdirAll("snap", 0o755))
	require.Error(t, m.Restore("snap"))
	require.Error(t, m.Restore("missing"))
	require.Equal(t, before, hashOf(t, m))
	require.NoError(t, m.Close())
	m = open(t, mem, "d", byHand)
	require.Equal(t, before, hashOf(t, m))
	require.NoError(t, m.Close())
}

// TestOpsAreNeverReused: the numbers are on disk and on the wire.
func TestOpsAreNeverReused(t *testing.T) {
	require.Panics(t, func() { register(OpLead, (*state).lead) })
}
