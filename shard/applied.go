package shard

import (
	"errors"
	"strconv"
	"strings"

	"github.com/cloudlicenses/cloudlicenses/cluster"
)

// ErrAppliedIndex is returned for a text that is no X-Applied-Index.
var ErrAppliedIndex = errors.New(`not an applied index: want parts such as "g1:1042" or "d:77", joined by commas`)

// maxAppliedParts bounds how many groups an applied index may name.
const maxAppliedParts = 64

// written returns what a write's reply says besides its result.
func written(group cluster.GroupID, index uint64, leaderURL string) Written {
	return Written{Applied: FormatAppliedIndex(group, index), LeaderURL: leaderURL}
}

// FormatAppliedIndex returns a group's applied index as X-Applied-Index has
// it: "d:77" for the directory, "g1:1042" for license group 1.
func FormatAppliedIndex(group cluster.GroupID, index uint64) string {
	var buf [48]byte
	b := append(buf[:0], 'd')
	if group != directoryGroup {
		b[0] = 'g'
		b = strconv.AppendUint(b, uint64(group), 10)
	}
	b = append(b, ':')
	return string(strconv.AppendUint(b, index, 10))
}

// JoinAppliedIndexes joins parts into one X-Applied-Index.
func JoinAppliedIndexes(parts ...string) string { return strings.Join(parts, ",") }

// ParseAppliedIndex returns the index that an X-Applied-Index names for a
// group, the highest where it names several, 0 where it names none. The empty
// text names none.
func ParseAppliedIndex(text string, group cluster.GroupID) (uint64, error) {
	if text == "" {
		return 0, nil
	}
	var found uint64
	for n := 0; ; n++ {
		part, rest, more := strings.Cut(text, ",")
		g, index, ok := parseAppliedPart(part)
		if !ok || n == maxAppliedParts {
			return 0, ErrAppliedIndex
		}
		if g == group {
			found = max(found, index)
		}
		if !more {
			return found, nil
		}
		text = rest
	}
}

func parseAppliedPart(part string) (cluster.GroupID, uint64, bool) {
	name, digits, ok := strings.Cut(part, ":")
	if !ok {
		return 0, 0, false
	}
	index, ok := parseDigits(digits, 64)
	if !ok {
		return 0, 0, false
	}
	if name == "d" {
		return directoryGroup, index, true
	}
	number, found := strings.CutPrefix(name, "g")
	group, ok := parseDigits(number, 32)
	if !found || !ok || group == 0 {
		return 0, 0, false
	}
	return cluster.GroupID(group), index, true
}

// parseDigits parses a canonical decimal number: no sign, no leading zero.
func parseDigits(s string, bits int) (uint64, bool) {
	n, err := strconv.ParseUint(s, 10, bits)
	return n, err == nil && (s[0] != '0' || len(s) == 1)
}
