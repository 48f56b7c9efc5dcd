package fsm

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// oneKey seals what begins with 's' under one key, or under none.
type oneKey struct{ none bool }

func (o oneKey) ring(t *testing.T) *keyring {
	r := &keyring{
		sealing: &Sealing{Scope: func(key []byte) (uint32, bool, error) { return 1, key[0] == 's', nil }},
		keys:    map[uint32]cipher.AEAD{},
	}
	if !o.none {
		block, err := aes.NewCipher(make([]byte, 32))
		require.NoError(t, err)
		r.keys[1], err = cipher.NewGCMWithRandomNonce(block)
		require.NoError(t, err)
	}
	return r
}

func keep(t *testing.T, r *keyring, key, value []byte) []byte {
	t.Helper()
	k, err := r.of(key)
	require.NoError(t, err)
	packed := r.pack(&k, value)
	kept := make([]byte, k.size(packed))
	r.seal(kept, &k, key, packed)
	return kept
}

func noise(n int) []byte {
	chaos := rand.NewChaCha8([32]byte{byte(n)})
	b := make([]byte, n)
	_, _ = chaos.Read(b)
	return b
}

func TestValuesAreReadAsTheyWereKept(t *testing.T) {
	for _, o := range []oneKey{{}, {none: true}} {
		r := o.ring(t)
		for _, n := range []int{0, 1, packFrom - 1, packFrom, packFrom + 1, 4000, keptScratch / 2, 3 * keptScratch} {
			same := bytes.Repeat([]byte("returned by alice. "), n/19+1)[:n]
			for name, value := range map[string][]byte{"noise": noise(n), "the same": same} {
				for _, key := range []string{"s1", "plain"} {
					kept := keep(t, r, []byte(key), value)
					got, err := r.open([]byte(key), kept)
					require.NoError(t, err)
					require.Equal(t, value, got, "%d bytes of %s", n, name)
					if key == "s1" && name == "the same" && n >= packFrom {
						require.Less(t, len(kept), n/2, "packed")
					} else {
						require.GreaterOrEqual(t, len(kept), n, "as it is")
					}
				}
			}
		}
	}
}

// What is appended to keeps what was there: a list is opened part by part.
func TestOpenedIsAppended(t *testing.T) {
	for _, o := range []oneKey{{}, {none: true}} {
		r := o.ring(t)
		k, err := r.of([]byte("s"))
		require.NoError(t, err)
		got := []byte("before ")
		for _, part := range [][]byte{[]byte("short "), bytes.Repeat([]byte("long "), packFrom)} {
			got, err = k.open(got, []byte("s"), keep(t, r, []byte("s"), part))
			require.NoError(t, err)
		}
		require.Equal(t, "before short "+string(bytes.Repeat([]byte("long "), packFrom)), string(got))
	}
}

func TestKeptOtherwiseIsRefused(t *testing.T) {
	r, key := oneKey{}.ring(t), []byte("s1")
	for _, value := range [][]byte{[]byte("short"), make([]byte, packFrom)} {
		kept := keep(t, r, key, value)
		for how := range byte(8) {
			if how == kept[0] || how == keptPlain {
				continue
			}
			changed := bytes.Clone(kept)
			changed[0] = how
			_, err := r.open(key, changed)
			require.Error(t, err, "kept as %d, said to be kept as %d", kept[0], how)
		}
		_, err := r.open([]byte("s2"), kept)
		require.Error(t, err, "another record's")
		_, err = r.open(key, kept[:len(kept)-1])
		require.Error(t, err, "cut short")
	}
	plain := oneKey{none: true}.ring(t)
	kept := keep(t, plain, key, make([]byte, packFrom))
	require.Equal(t, byte(keptPacked), kept[0])
	_, err := plain.open(key, kept[:len(kept)-1])
	require.ErrorContains(t, err, "not packed as it says")
	_, err = plain.open(key, nil)
	require.ErrorContains(t, err, "is empty")
}
