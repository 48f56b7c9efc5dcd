package api

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzEncodeString: what is appended is JSON and means the same text.
func FuzzEncodeString(f *testing.F) {
	for _, seed := range []string{"", "plain", `"\`, "a\x00\x1f\u2028", "\xff<&>", "é😀"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var got string
		require.NoError(t, json.Unmarshal(appendString(nil, s), &got))
		require.Equal(t, string([]rune(s)), got)
	})
}
