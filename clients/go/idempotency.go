package licenseclient

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"time"
)

// NewIdempotencyKey returns a UUID of version 7 (RFC 9562, 5.7): 48 bits of
// milliseconds, 74 random bits. It names one intent.
func NewIdempotencyKey() string {
	var id [16]byte
	rand.Read(id[6:]) // never fails since Go 1.24
	var millis [8]byte
	binary.BigEndian.PutUint64(millis[:], uint64(time.Now().UnixMilli()))
	copy(id[:6], millis[2:])
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80

	var text [36]byte
	hex.Encode(text[:], id[:4])
	hex.Encode(text[9:], id[4:6])
	hex.Encode(text[14:], id[6:8])
	hex.Encode(text[19:], id[8:10])
	hex.Encode(text[24:], id[10:])
	for _, i := range []int{8, 13, 18, 23} {
		text[i] = '-'
	}
	return string(text[:])
}
