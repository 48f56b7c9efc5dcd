package shard

import (
	"crypto/hmac"
	"crypto/sha256"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses"
)

func TestAPIKeyRoundTrip(t *testing.T) {
	seen := map[string]bool{}
	for _, tenant := range []cloudlicenses.TenantID{"m", "mercedes", "a-b-c", cloudlicenses.TenantID("t" + strings.Repeat("x", 49))} {
		for range 200 {
			key := NewAPIKey(tenant)
			require.True(t, strings.HasPrefix(key, "clsk_"+string(tenant)+"_"))
			require.Len(t, key, len("clsk__")+len(tenant)+28)
			got, err := ParseAPIKey(key)
			require.NoError(t, err)
			require.Equal(t, tenant, got)
			require.False(t, seen[key])
			seen[key] = true
		}
	}
}

// TestAPIKeyTypos: no single wrong character and no swap of neighbors passes.
func TestAPIKeyTypos(t *testing.T) {
	key := NewAPIKey("mercedes")
	for i := range key {
		for _, c := range []byte("0Az_-. \x00") {
			if wrong := key[:i] + string(c) + key[i+1:]; wrong != key {
				_, err := ParseAPIKey(wrong)
				require.ErrorIs(t, err, ErrAPIKey, wrong)
			}
		}
		if i > 0 && key[i-1] != key[i] {
			_, err := ParseAPIKey(key[:i-1] + key[i:i+1] + key[i-1:i] + key[i+1:])
			require.ErrorIs(t, err, ErrAPIKey)
		}
	}
	for _, wrong := range []string{"", "clsk_", "clsk__", key[:len(key)-1], key + "0", " " + key, strings.ToUpper(key), strings.Replace(key, "clsk_", "clvk_", 1)} {
		_, err := ParseAPIKey(wrong)
		require.ErrorIs(t, err, ErrAPIKey, wrong)
	}
}

func TestChecksumIsCRC32(t *testing.T) {
	for _, s := range []string{"", "a", "clsk_mercedes_abc", strings.Repeat("xyz", 50)} {
		require.Equal(t, crc32.ChecksumIEEE([]byte(s)), checksum(s))
	}
}

func TestHashAPIKeyIsHMAC(t *testing.T) {
	for _, secret := range [][]byte{nil, []byte("s"), make([]byte, 32), make([]byte, 64), make([]byte, 65)} {
		for _, key := range []string{"", "k", NewAPIKey("mercedes"), strings.Repeat("k", maxAPIKeyLength), strings.Repeat("k", maxAPIKeyLength+1)} {
			mac := hmac.New(sha256.New, secret)
			mac.Write([]byte(key))
			require.Equal(t, [32]byte(mac.Sum(nil)), HashAPIKey(secret, key))
		}
	}
}

func FuzzParseAPIKey(f *testing.F) {
	f.Add("clsk_mercedes_" + strings.Repeat("a", 28))
	f.Add(NewAPIKey("mercedes"))
	f.Add("clsk_")
	f.Fuzz(func(t *testing.T, key string) {
		tenant, err := ParseAPIKey(key)
		if err != nil {
			return
		}
		// What passes is canonical: the same parts make the same key.
		if err := tenant.Validate(); err != nil {
			t.Fatal(err)
		}
		body := key[:len(key)-apiKeyChecksum]
		if again := string(appendChecksum62([]byte(body), checksum(body))); again != key {
			t.Fatalf("%q and %q both pass", key, again)
		}
	})
}

func BenchmarkParseAndHashAPIKey(b *testing.B) {
	key, secret := NewAPIKey("mercedes"), make([]byte, 32)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseAPIKey(key); err != nil {
			b.Fatal(err)
		}
		HashAPIKey(secret, key)
	}
}
