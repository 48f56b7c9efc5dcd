package cluster

import (
	"encoding/binary"
	"errors"
)

var (
	errShortFrame    = errors.New("frame is cut short")
	errUnknownMethod = errors.New("peer asks for a method this version does not know")
	errEntry         = errors.New("log entry is damaged or of a newer version")
)

// A reply between nodes: applied index (u64), staleness in ms (i64), value.
func appendReply(b []byte, r Reply) []byte {
	b = binary.BigEndian.AppendUint64(b, r.Index)
	b = binary.BigEndian.AppendUint64(b, uint64(r.StalenessMillis))
	return append(b, r.Value...)
}

func splitReply(b []byte) (Reply, error) {
	if len(b) < 16 {
		return Reply{}, errShortFrame
	}
	return Reply{
		Index:           binary.BigEndian.Uint64(b),
		StalenessMillis: int64(binary.BigEndian.Uint64(b[8:])),
		Value:           b[16:],
	}, nil
}

// Frames in a row: length (u32), bytes.
func appendFrame(b, frame []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(frame)))
	return append(b, frame...)
}

func splitFrames(b []byte) ([][]byte, error) {
	var frames [][]byte
	for len(b) > 0 {
		if len(b) < 4 {
			return nil, errShortFrame
		}
		n := uint64(binary.BigEndian.Uint32(b))
		if uint64(len(b)-4) < n {
			return nil, errShortFrame
		}
		frames = append(frames, b[4:4+n:4+n])
		b = b[4+n:]
	}
	return frames, nil
}

// A log entry's data:
//
//	+---------+--------------+----------------+-----------+---------------------+
//	| version | origin (u64) | stamp (i64,    | n (u32)   | n × length u32,     |
//	| (1)     |              | Unix ms)       | commands  | command             |
//	+---------+--------------+----------------+-----------+---------------------+
//
// big endian. origin is the proposing group instance's own random number: it
// alone needs the results.
const (
	entryVersion = 1
	entryHeader  = 1 + 8 + 8 + 4
)

func appendEntry(b []byte, origin uint64, stampMillis int64, commands [][]byte) []byte {
	b = append(b, entryVersion)
	b = binary.BigEndian.AppendUint64(b, origin)
	b = binary.BigEndian.AppendUint64(b, uint64(stampMillis))
	b = binary.BigEndian.AppendUint32(b, uint32(len(commands)))
	for _, c := range commands {
		b = appendFrame(b, c)
	}
	return b
}

func splitEntry(b []byte) (origin uint64, e Entry, err error) {
	if len(b) < entryHeader || b[0] != entryVersion {
		return 0, Entry{}, errEntry
	}
	origin = binary.BigEndian.Uint64(b[1:])
	e.StampMillis = int64(binary.BigEndian.Uint64(b[9:]))
	n := binary.BigEndian.Uint32(b[17:])
	rest := b[entryHeader:]
	if uint64(n)*4 > uint64(len(rest)) {
		return 0, Entry{}, errEntry
	}
	e.Commands = make([][]byte, 0, n)
	for range n {
		if len(rest) < 4 {
			return 0, Entry{}, errEntry
		}
		size := uint64(binary.BigEndian.Uint32(rest))
		if uint64(len(rest)-4) < size {
			return 0, Entry{}, errEntry
		}
		e.Commands = append(e.Commands, rest[4:4+size:4+size])
		rest = rest[4+size:]
	}
	if len(rest) > 0 {
		return 0, Entry{}, errEntry
	}
	return origin, e, nil
}
