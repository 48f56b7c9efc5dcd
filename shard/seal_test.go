package shard

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDataKeys(t *testing.T) {
	keys, err := NewKeys(bytes.Repeat([]byte{1}, KEKBytes))
	require.NoError(t, err)
	other, err := NewKeys(bytes.Repeat([]byte{2}, KEKBytes))
	require.NoError(t, err)

	wrapped := keys.NewDataKey("acme")
	require.NotEqual(t, wrapped, keys.NewDataKey("acme"))

	key, err := keys.DataKey(wrapped)
	require.NoError(t, err)
	sealed := key.Seal(nil, nil, []byte("alice"), []byte("here"))
	same, err := keys.DataKey(wrapped)
	require.NoError(t, err)
	plain, err := same.Open(nil, nil, sealed, []byte("here"))
	require.NoError(t, err)
	require.Equal(t, "alice", string(plain))
	_, err = same.Open(nil, nil, sealed, []byte("there"))
	require.Error(t, err, "bound to its record")

	_, err = other.DataKey(wrapped)
	require.ErrorIs(t, err, ErrKEK)
	renamed := append([]byte(nil), wrapped...)
	renamed[2] = 'b' // another tenant's
	_, err = keys.DataKey(renamed)
	require.ErrorIs(t, err, ErrKEK)
	for cut := range wrapped {
		_, err = keys.DataKey(wrapped[:cut])
		require.Error(t, err)
	}

	one, err := keys.GroupKey(1)
	require.NoError(t, err)
	two, err := keys.GroupKey(2)
	require.NoError(t, err)
	_, err = two.Open(nil, nil, one.Seal(nil, nil, []byte("x"), nil), nil)
	require.Error(t, err, "each group has a key of its own")
	dir := t.TempDir()
	require.NoError(t, keys.Fit(dir), "a new folder")
	id, err := keys.id()
	require.NoError(t, err)
	require.NoError(t, writeFile(filepath.Join(dir, kekIDFile), id, 0o600))
	require.NoError(t, keys.Fit(dir))
	require.ErrorIs(t, other.Fit(dir), ErrKEK)

	logKey, err := keys.LogKey(dir)
	require.NoError(t, err)
	require.Equal(t, 24, logKey.NonceSize(), "long enough to be random")
	nonce := make([]byte, 24)
	sealed = logKey.Seal(nil, nonce, []byte("entry"), nil)
	logKey, err = keys.LogKey(dir)
	require.NoError(t, err)
	plain, err = logKey.Open(nil, nonce, sealed, nil)
	require.NoError(t, err)
	require.Equal(t, "entry", string(plain))
	_, err = other.LogKey(dir)
	require.ErrorIs(t, err, ErrKEK)

	_, err = NewKeys([]byte("short"))
	require.Error(t, err)
}
