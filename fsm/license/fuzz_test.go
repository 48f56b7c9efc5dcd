package license_test

import (
	"runtime"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	cl "github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// smallStore costs little to open.
func smallStore() fsm.Options {
	return fsm.Options{WriteEvery: -1, FlushEvery: -1, MemTableBytes: 256 << 10, CacheBytes: 1 << 20}
}

// founded is a machine with a small world in it.
func founded(t testing.TB, fs vfs.FS) (*license.Machine, uint64) {
	t.Helper()
	m, err := license.Open(license.Config{Dir: "data", FS: fs, Store: smallStore(), Logger: quiet(), Group: 1})
	require.NoError(t, err)
	index := uint64(0)
	for _, steps := range newGenerator(seeded(1)).founding() {
		var commands [][]byte
		for _, s := range steps {
			commands = append(commands, s.encode())
		}
		index++
		_, err := m.Apply(index, epochStart, commands, false)
		require.NoError(t, err)
	}
	return m, index
}

// most is how much memory a command of a few bytes may take for being decoded.
const most = 24 << 20

// FuzzApply: any bytes as a command are applied or refused with an error;
// never a panic, and never memory out of proportion. An entry that fails
// leaves nothing behind, and a command that applies once applies to a second
// replica with the same result and state.
func FuzzApply(f *testing.F) {
	for _, s := range samples() {
		command := encode(s.op, "acme", 1, s.body)
		if !s.ofTenant {
			command = encode(s.op, "", 0, s.body)
		}
		f.Add(command)
		f.Add(command[:len(command)-1])
		f.Add(append(slices.Clone(command), 0))
	}
	for _, odd := range []license.Checkout{{Count: -5, TTLMillis: minute}, {Count: 0, TTLMillis: minute}, {Count: 1 << 40, TTLMillis: minute}, {Count: 1, TTLMillis: 1 << 40}, {Count: 1, TTLMillis: -1}} {
		odd.Caller.KeyHash, odd.ProductID, odd.VendorID, odd.AllowOverage = keyHash("acme k0"), "cad", "vector", true
		f.Add(encode(license.OpCheckout, "acme", 1, &odd))
	}
	header := fsm.Header{Op: license.OpLicenses, Version: 1, Epoch: 1, Tenant: "acme"}.Append(nil)
	f.Add(append(slices.Clone(header), 0x91, 0xdd, 0x00, 0x0f, 0xff, 0xff))             // an array of a million
	f.Add(append(slices.Clone(header), 0x91, 0xdd, 0xff, 0xff, 0xff, 0xff))             // and of four billion
	f.Add(append(slices.Clone(header), 0x91, 0x91, 0x9e, 0xdb, 0xff, 0xff, 0xff, 0xff)) // a string of 4 GiB
	f.Add(fsm.Header{Op: 200, Version: 1, Epoch: 1, Tenant: "acme"}.Append(nil))        // no such command
	f.Add(fsm.Header{Op: license.OpLead, Version: 9}.Append(nil))                       // no such version
	f.Add(fsm.Header{Op: license.OpTenant, Version: 1, Epoch: 1}.Append([]byte{0x92}))  // no tenant
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, command []byte) {
		fs := vfs.NewMem()
		m, index := founded(t, fs)
		twin, _ := founded(t, vfs.NewMem())
		defer func() { _ = twin.Close() }()
		before := hashOf(t, m)

		var start, end runtime.MemStats
		runtime.ReadMemStats(&start)
		_ = m.Admit(epochStart, command)
		results, err := m.Apply(index+1, epochStart+second, [][]byte{command}, true)
		runtime.ReadMemStats(&end)
		require.Less(t, end.TotalAlloc-start.TotalAlloc, uint64(most+64*len(command)))

		if err != nil {
			require.ErrorContains(t, err, "entry 4")
			_, again := m.Apply(index+2, epochStart, nil, false)
			require.Error(t, again, "a machine that failed stays failed")
			_ = m.Close()
			m, err = license.Open(license.Config{Dir: "data", FS: fs, Store: smallStore(), Logger: quiet(), Group: 1})
			require.NoError(t, err)
			if m.AppliedIndex() == index { // else nothing at all had reached the disk
				require.Equal(t, before, hashOf(t, m), "nothing of a failed entry reaches the disk")
			}
			require.LessOrEqual(t, m.AppliedIndex(), index)
			require.NoError(t, m.Close())
			return
		}
		require.Len(t, results, 1)
		same, err := twin.Apply(index+1, epochStart+second, [][]byte{command}, true)
		require.NoError(t, err)
		require.Equal(t, same, results)
		require.Equal(t, hashOf(t, twin), hashOf(t, m))
		require.NoError(t, m.Close())
		m, err = license.Open(license.Config{Dir: "data", FS: fs, Store: smallStore(), Logger: quiet(), Group: 1})
		require.NoError(t, err)
		require.Equal(t, hashOf(t, twin), hashOf(t, m), "what was applied survives a restart")
		require.NoError(t, m.Close())
	})
}

// FuzzQuery: any bytes as a query are answered or refused with an error, and
// change nothing.
func FuzzQuery(f *testing.F) {
	for _, q := range querySamples() {
		f.Add(encode(q.op, "acme", 1, q.body))
		f.Add(encode(q.op, "", 0, q.body))
	}
	f.Add(encode(license.QueryHash, "", 0, nil))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, query []byte) {
		m, _ := founded(t, vfs.NewMem())
		defer func() { require.NoError(t, m.Close()) }()
		before := hashOf(t, m)
		var start, end runtime.MemStats
		runtime.ReadMemStats(&start)
		_, _ = m.Query(query)
		runtime.ReadMemStats(&end)
		require.Less(t, end.TotalAlloc-start.TotalAlloc, uint64(most+64*len(query)))
		require.Equal(t, before, hashOf(t, m))
	})
}

// FuzzRestore damages one file of a snapshot, by a flipped byte or a cut: a
// Restore either fails, and the machine goes on as it was, or brings the state
// that was taken. It never panics, and what it leaves opens again.
func FuzzRestore(f *testing.F) {
	source := vfs.NewMem()
	log, hashes := stream(f, 17, 60)
	giver := openMachine(f, source, "data", smallStore())
	for _, e := range log {
		applyEntry(f, giver, e)
	}
	persist(f, giver, source, "given")
	require.NoError(f, giver.Close())
	names, err := source.List("given")
	require.NoError(f, err)
	slices.Sort(names)
	for file := range names {
		for _, at := range []uint32{0, 9, 200, 1 << 20, 1<<32 - 1} {
			f.Add(uint8(file), at, uint8(0x01), false)
			f.Add(uint8(file), at, uint8(0x80), true)
		}
	}
	f.Fuzz(func(t *testing.T, file uint8, at uint32, flip uint8, cut bool) {
		fs := vfs.NewMem()
		ok, err := vfs.Clone(source, fs, "given", "given")
		require.NoError(t, err)
		require.True(t, ok)
		harm(t, fs, "given/"+names[int(file)%len(names)], at, flip, cut)

		m, index := founded(t, fs)
		before := hashOf(t, m)
		if err := m.Restore("given"); err != nil {
			require.Equal(t, before, hashOf(t, m), "a Restore that failed changes nothing")
			_, err := m.Apply(index+1, epochStart, [][]byte{m.Lead("n1")}, false)
			require.NoError(t, err)
			require.NoError(t, m.Close())
			return
		}
		h, err := askHash(m)
		if err != nil { // damage in what is read on demand surfaces as an error
			_ = m.Close()
			return
		}
		require.Equal(t, hashes[h.AppliedIndex], h, "damage went unnoticed")
		_ = m.Close()
	})
}

// harm flips bits of a byte, or cuts the file there.
func harm(t *testing.T, fs *vfs.MemFS, path string, at uint32, flip uint8, cut bool) {
	t.Helper()
	info, err := fs.Stat(path)
	require.NoError(t, err)
	data := make([]byte, info.Size())
	in, err := fs.Open(path)
	require.NoError(t, err)
	if len(data) > 0 {
		_, err = in.ReadAt(data, 0)
		require.NoError(t, err)
		if i := int(at) % len(data); cut {
			data = data[:i]
		} else {
			data[i] ^= flip
		}
	}
	require.NoError(t, in.Close())
	out, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	require.NoError(t, err)
	_, err = out.Write(data)
	require.NoError(t, err)
	require.NoError(t, out.Close())
}

// askHash is hashOf for a machine whose disk may be damaged.
func askHash(m *license.Machine) (h license.StateHash, err error) {
	out, err := m.Query(encode(license.QueryHash, "", 0, nil))
	if err == nil {
		_, err = h.UnmarshalMsg(out)
	}
	return h, err
}

// TestDamagedFolderSaysWhatToDo: a data folder that was harmed opens with an
// error that names it and the way out, or opens to the state it held.
func TestDamagedFolderSaysWhatToDo(t *testing.T) {
	source := vfs.NewMem()
	log, hashes := stream(t, 19, 60)
	giver := openMachine(t, source, "data", smallStore())
	for _, e := range log {
		applyEntry(t, giver, e)
	}
	require.NoError(t, giver.Close())
	top, err := source.List("data")
	require.NoError(t, err)
	var files []string
	for _, name := range top {
		path := "data/" + name
		if info, err := source.Stat(path); err == nil && info.IsDir() {
			inner, err := source.List(path)
			require.NoError(t, err)
			for _, n := range inner {
				files = append(files, path+"/"+n)
			}
			continue
		}
		files = append(files, path)
	}
	said := 0
	for _, file := range files {
		for _, at := range []uint32{0, 5, 50, 1000, 1<<32 - 1} {
			for _, cut := range []bool{false, true} {
				fs := vfs.NewMem()
				_, err := vfs.Clone(source, fs, "data", "data")
				require.NoError(t, err)
				harm(t, fs, file, at, 0x40, cut)
				m, err := license.Open(license.Config{Dir: "data", FS: fs, Store: smallStore(), Logger: quiet(), Group: 1})
				if err != nil {
					require.ErrorContains(t, err, "data folder data", "%s at %d", file, at)
					require.ErrorIs(t, err, fsm.ErrDamaged, "%s at %d", file, at)
					require.ErrorContains(t, err, "remove this folder", "%s at %d", file, at)
					said++
					continue
				}
				if h, err := askHash(m); err == nil {
					// A cut may fall between two edits of Pebble's manifest: an
					// older state, but a whole one, which the log leads on.
					require.Equal(t, hashes[h.AppliedIndex], h, "%s at %d: damage went unnoticed", file, at)
				}
				_ = m.Close()
			}
		}
	}
	require.Greater(t, said, 10)
}

// TestForeignFolder: another group's folder is refused as such.
func TestForeignFolder(t *testing.T) {
	fs := vfs.NewMem()
	m, _ := founded(t, fs)
	require.NoError(t, m.Close())
	_, err := license.Open(license.Config{Dir: "data", FS: fs, Store: smallStore(), Logger: quiet(), Group: 2})
	require.ErrorIs(t, err, fsm.ErrForeign)
	require.ErrorContains(t, err, "group 1")
}

// TestAdmitNeverDecidesInFavor: what Admit refuses is what apply would refuse
// as well; a known key is always proposed.
func TestAdmitNeverDecidesInFavor(t *testing.T) {
	g := newGenerator(seeded(9))
	r := newRig(t, fastStore())
	for _, steps := range g.founding() {
		for _, s := range steps {
			require.Nil(t, r.m.Admit(r.now, s.encode()))
			r.apply(s.encode())
		}
	}
	refused := 0
	for range 200 {
		_, steps := g.entry()
		for _, s := range steps {
			refusal := r.m.Admit(r.now, s.encode())
			result := r.apply(s.encode())[0]
			if refusal == nil {
				continue
			}
			refused++
			early, late := decodeLease(t, refusal), decodeLease(t, result)
			require.Equal(t, late.Code, early.Code)
			require.Contains(t, []cl.Code{cl.Unauthenticated, cl.StalePlacement}, early.Code)
		}
	}
	require.Positive(t, refused)
}
