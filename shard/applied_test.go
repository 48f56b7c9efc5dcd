package shard

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses/cluster"
)

func TestAppliedIndex(t *testing.T) {
	require.Equal(t, "d:77", FormatAppliedIndex(0, 77))
	require.Equal(t, "g4294967295:18446744073709551615", FormatAppliedIndex(1<<32-1, 1<<64-1))
	both := JoinAppliedIndexes("g1:1042", "d:77")
	for _, c := range []struct {
		text  string
		group cluster.GroupID
		want  uint64
	}{
		{"", 1, 0}, {both, 1, 1042}, {both, 0, 77}, {both, 2, 0}, {"g1:5,g1:9,g1:7", 1, 9}, {"d:0", 0, 0},
	} {
		got, err := ParseAppliedIndex(c.text, c.group)
		require.NoError(t, err, c.text)
		require.Equal(t, c.want, got, c.text)
	}
	for _, wrong := range []string{
		"g1", "1042", "g1:", "g:1", "g0:1", "g01:1", "g1:01", "g1:-1", "g1:+1", "x1:1", "d1:1", "g1:1,", ",g1:1", "g1:1, d:2",
		"g4294967296:1", "g1:18446744073709551616", "g1:1042;d:77", strings.Repeat("d:1,", 64) + "d:1",
	} {
		_, err := ParseAppliedIndex(wrong, 1)
		require.ErrorIs(t, err, ErrAppliedIndex, wrong)
	}
}

func FuzzParseAppliedIndex(f *testing.F) {
	f.Add("g1:1042,d:77", uint32(1))
	f.Fuzz(func(t *testing.T, text string, group uint32) {
		index, err := ParseAppliedIndex(text, cluster.GroupID(group))
		if err != nil || index == 0 {
			return
		}
		if !strings.Contains(text, FormatAppliedIndex(cluster.GroupID(group), index)) {
			t.Fatalf("%q does not name %d", text, index)
		}
	})
}
