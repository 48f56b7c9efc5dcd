package license_test

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
	"github.com/tinylib/msgp/msgp"
	"pgregory.net/rapid"

	cl "github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// epochStart is where every test's clock begins: ten days before the end of
// a month, so that a month turn is near.
var epochStart = time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC).UnixMilli()

const (
	second = int64(1000)
	minute = 60 * second
	hour   = 60 * minute
)

// entry is one log entry as a group would hand it to its machine.
type entry struct {
	index    uint64
	stamp    int64
	commands [][]byte
}

// quiet drops what the machine logs but its failure, after which the process
// may end without another word.
func quiet() *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
}

// fastStore writes behind and flushes as often as it can, so that a short test
// meets every state of the disk.
func fastStore() fsm.Options {
	return fsm.Options{WriteEvery: time.Millisecond, FlushEvery: 5 * time.Millisecond, FlushBytes: 1 << 20, MemTableBytes: 256 << 10, CacheBytes: 1 << 20}
}

// openMachine opens a machine whose failure fails the test.
func openMachine(t rapid.TB, fs vfs.FS, dir string, opts fsm.Options) *license.Machine {
	t.Helper()
	m, err := license.Open(license.Config{Dir: dir, FS: fs, Store: opts, Logger: quiet(), Group: 1, Sealer: testSealer{}})
	require.NoError(t, err)
	return m
}

// rig drives one machine by hand and keeps its log, so that any moment can be
// replayed on another one.
type rig struct {
	t     rapid.TB
	fs    vfs.FS
	dir   string
	opts  fsm.Options
	m     *license.Machine
	index uint64
	now   int64
	log   []entry
}

func newRig(t rapid.TB, opts fsm.Options) *rig {
	t.Helper()
	r := &rig{t: t, fs: vfs.NewMem(), dir: "data", opts: opts, now: epochStart}
	r.m = openMachine(t, r.fs, r.dir, opts)
	if c, ok := t.(interface{ Cleanup(func()) }); ok {
		c.Cleanup(func() { _ = r.m.Close() })
	}
	return r
}

// apply applies one entry at the rig's clock and returns its results.
func (r *rig) apply(commands ...[]byte) [][]byte {
	r.t.Helper()
	r.index++
	e := entry{index: r.index, stamp: r.now, commands: commands}
	r.log = append(r.log, e)
	return applyEntry(r.t, r.m, e)
}

// applyEntry applies e from a buffer that is overwritten afterwards: a machine
// that kept a reference into the log's memory would show it.
func applyEntry(t rapid.TB, m *license.Machine, e entry) [][]byte {
	t.Helper()
	borrowed := make([][]byte, len(e.commands))
	for i, c := range e.commands {
		borrowed[i] = slices.Clone(c)
	}
	results, err := m.Apply(e.index, e.stamp, borrowed, true)
	require.NoError(t, err, "entry %d", e.index)
	require.Len(t, results, len(e.commands))
	kept := make([][]byte, len(results))
	for i := range results {
		kept[i] = slices.Clone(results[i])
	}
	for _, b := range borrowed {
		for i := range b {
			b[i] = 0xAA
		}
	}
	return kept
}

// reopen closes the machine and opens its folder again.
func (r *rig) reopen() {
	r.t.Helper()
	before := hashOf(r.t, r.m)
	require.NoError(r.t, r.m.Close())
	r.m = openMachine(r.t, r.fs, r.dir, r.opts)
	require.Equal(r.t, r.index, r.m.AppliedIndex(), "Close flushes everything applied")
	require.Equal(r.t, before, hashOf(r.t, r.m), "a restart changes nothing")
}

// move takes a snapshot and goes on with it in a fresh machine.
func (r *rig) move(to string) {
	r.t.Helper()
	before := hashOf(r.t, r.m)
	persist(r.t, r.m, r.fs, to+"-snapshot")
	next := openMachine(r.t, r.fs, to, r.opts)
	require.NoError(r.t, next.Restore(to+"-snapshot"))
	require.NoError(r.t, r.m.Close())
	r.m, r.dir = next, to
	require.Equal(r.t, before, hashOf(r.t, r.m), "a restored snapshot is the state it was taken of")
}

// persist takes a snapshot of m into dir.
func persist(t rapid.TB, m *license.Machine, fs vfs.FS, dir string) {
	t.Helper()
	snapshot, err := m.Snapshot()
	require.NoError(t, err)
	defer snapshot.Release()
	require.NoError(t, fs.MkdirAll(dir, 0o755))
	require.NoError(t, snapshot.Persist(dir))
}

// tick lets the leader propose what time has made due, until nothing is.
func (r *rig) tick() (entries int) {
	r.t.Helper()
	for range 10_000 {
		due := r.m.Due(r.now)
		if due == nil {
			return entries
		}
		entries++
		require.Equal(r.t, cl.OK, decodeAck(r.t, r.apply(slices.Clone(due))[0]).Code)
	}
	r.t.Fatal("Due never ends")
	return 0
}

// hashOf asks a machine for the hash of its whole state.
func hashOf(t rapid.TB, m *license.Machine) license.StateHash {
	t.Helper()
	var h license.StateHash
	ask(t, m, "", license.QueryHash, nil, &h)
	require.Equal(t, cl.OK, h.Code)
	return h
}

// ask sends a query (body nil: an empty payload) at epoch 1 and decodes its
// reply.
func ask(t rapid.TB, m *license.Machine, tenant cl.TenantID, op fsm.Op, body msgp.Marshaler, reply msgp.Unmarshaler) {
	t.Helper()
	askAt(t, m, tenant, 1, op, body, reply)
}

func askAt(t rapid.TB, m *license.Machine, tenant cl.TenantID, epoch uint32, op fsm.Op, body msgp.Marshaler, reply msgp.Unmarshaler) {
	t.Helper()
	out, err := m.Query(encode(op, tenant, epoch, body))
	require.NoError(t, err)
	decode(t, out, reply)
}

// encode builds a command or query.
func encode(op fsm.Op, tenant cl.TenantID, epoch uint32, body msgp.Marshaler) []byte {
	if tenant == "" {
		epoch = 0
	}
	b := fsm.Header{Op: op, Version: license.Version, Epoch: epoch, Tenant: tenant}.Append(nil)
	if body == nil {
		return b
	}
	b, err := body.MarshalMsg(b)
	if err != nil {
		panic(err)
	}
	return b
}

// decode decodes a result strictly: nothing may be left over.
func decode(t rapid.TB, b []byte, into msgp.Unmarshaler) {
	t.Helper()
	rest, err := into.UnmarshalMsg(b)
	require.NoError(t, err)
	require.Empty(t, rest)
}

func decodeAck(t rapid.TB, b []byte) license.Ack {
	t.Helper()
	var a license.Ack
	decode(t, b, &a)
	return a
}

func decodeLease(t rapid.TB, b []byte) license.LeaseResult {
	t.Helper()
	var l license.LeaseResult
	decode(t, b, &l)
	return l
}

// atRace scales a count down under the race detector.
func atRace(n int) int {
	if raced {
		return max(1, n/5)
	}
	return n
}

// platform is who needs no session.
var platform = license.By{Platform: true}

// keyHash is the hash a test's key is known by.
func keyHash(name string) [32]byte { return sha256.Sum256([]byte("key " + name)) }

// intentOf is a request's identity.
func intentOf(text string) (id [16]byte) {
	sum := sha256.Sum256([]byte("intent " + text))
	copy(id[:], sum[:])
	return id
}

// bodyHash hashes what a checkout asks for, as the edge does.
func bodyHash(c *license.Checkout) uint64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%q%q%q%d%q%d%v%q", c.VendorID, c.ProductID, c.User, c.Count, c.AppVersion, c.TTLMillis, c.AllowOverage, c.Metadata)
	return h.Sum64()
}

// serial makes the nth server request id.
func serial(n uint64) (id [16]byte) {
	binary.BigEndian.PutUint64(id[8:], n)
	return id
}
