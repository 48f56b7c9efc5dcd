package cluster

import (
	"bytes"
	"crypto/cipher"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/chacha20poly1305"
)

func logKey(t *testing.T, fill byte) cipher.AEAD {
	t.Helper()
	aead, err := chacha20poly1305.NewX(bytes.Repeat([]byte{fill}, chacha20poly1305.KeySize))
	require.NoError(t, err)
	return aead
}

// TestLogSeal: an entry is read back under its own key, group and index alone,
// whatever it holds, and nothing of it stands in the clear.
func TestLogSeal(t *testing.T) {
	seal := logSeal{logKey(t, 1)}
	for _, l := range []raft.Log{
		{Index: 7, Term: 3, Type: raft.LogCommand, Data: []byte("a secret"), Extensions: []byte("another"), AppendedAt: time.Unix(1, 2)},
		{Index: 7, Term: 3, Type: raft.LogNoop},
		{Index: 7, Term: 3, Data: bytes.Repeat([]byte("a secret"), 20_000)},
	} {
		b := seal.append([]byte("before"), 2, &l)
		require.Equal(t, "before", string(b[:6]))
		b = b[6:]
		require.Len(t, b, logValueHeader+seal.overhead()+len(l.Data)+len(l.Extensions))
		require.NotContains(t, string(b), "secret")
		require.NotContains(t, string(b), "another")
		require.NotEqual(t, b, seal.append(nil, 2, &l), "no nonce comes twice")

		var got, want raft.Log
		require.NoError(t, seal.decode(2, 7, b, &got))
		require.NoError(t, decodeLog(7, logSeal{}.append(nil, 2, &l), &want))
		require.Equal(t, want, got)

		require.Error(t, seal.decode(1, 7, b, &got), "another group's")
		require.Error(t, seal.decode(2, 8, b, &got), "another place's")
		require.Error(t, logSeal{logKey(t, 2)}.decode(2, 7, b, &got))
		require.Error(t, logSeal{}.decode(2, 7, b, &got))
		for _, at := range []int{0, 1, 5, 20, logValueHeader, len(b) - 1} {
			b[at] ^= 4
			require.Error(t, seal.decode(2, 7, b, &got), "byte %d", at)
			b[at] ^= 4
		}
		for _, cut := range []int{0, 5, logValueHeader, logValueHeader + 10, len(b) - 1} {
			require.Error(t, seal.decode(2, 7, b[:cut], &got), "cut at %d", cut)
		}
		require.NoError(t, seal.decode(2, 7, logSeal{}.append(nil, 2, &l), &got), "one from before there was a key")
	}
}
