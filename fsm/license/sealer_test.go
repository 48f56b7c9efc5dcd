package license_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	cl "github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// testSealer opens data keys whose wrapped form is any text: the machines of
// the tests seal as those of a cluster do.
type testSealer struct{}

func (testSealer) key(text string) (cipher.AEAD, error) {
	sum := sha256.Sum256([]byte(text))
	block, err := aes.NewCipher(sum[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

func (s testSealer) DataKey(wrapped []byte) (cipher.AEAD, error) {
	return s.key("tenant " + string(wrapped))
}
func (s testSealer) GroupKey(group uint32) (cipher.AEAD, error) {
	return s.key(fmt.Sprint("group ", group))
}

// TestSealedFolderNeedsItsKeys: a folder whose keys do not open is refused, and
// not opened as something smaller.
func TestSealedFolderNeedsItsKeys(t *testing.T) {
	r := newRig(t, smallStore())
	r.apply(encode(license.OpTenant, "acme", 1, &license.PutTenant{Epoch: 1, DataKey: []byte("a")}))
	r.apply(encode(license.OpPutUser, "acme", 1, &license.PutUser{
		By: license.By{Platform: true}, ID: "user-1", Email: "ann@acme", Name: "Ann", Role: cl.RoleOwner, PasswordHash: []byte("p"),
	}))
	require.NoError(t, r.m.Close())
	for name, sealer := range map[string]fsm.Sealer{"none": nil, "another": otherSealer{}} {
		_, err := license.Open(license.Config{Dir: r.dir, FS: r.fs, Store: smallStore(), Logger: quiet(), Group: 1, Sealer: sealer})
		require.Error(t, err, name)
	}
	r.m = openMachine(t, r.fs, r.dir, smallStore())
	require.Equal(t, uint64(2), r.m.AppliedIndex())
	require.NoError(t, r.m.Close())
}

// otherSealer has other keys under the same names.
type otherSealer struct{ testSealer }

func (s otherSealer) DataKey(wrapped []byte) (cipher.AEAD, error) {
	return s.key("other " + string(wrapped))
}
