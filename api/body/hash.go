package body

// The hash by which a reused Idempotency-Key with another body is told from a
// repeated request. It covers the decoded body: white space, the order of
// members and a default that is written out make no difference.

const (
	fnvOffset = 0xcbf29ce484222325
	fnvPrime  = 0x100000001b3
)

// fnv is a running FNV-1a hash.
type fnv uint64

func (h fnv) bytes(b []byte) fnv {
	h = h.number(uint64(len(b)))
	for _, c := range b {
		h = (h ^ fnv(c)) * fnvPrime
	}
	return h
}

func (h fnv) number(n uint64) fnv {
	for range 8 {
		h = (h ^ fnv(n&0xff)) * fnvPrime
		n >>= 8
	}
	return h
}

func (h fnv) flag(on bool) fnv {
	if on {
		return h.number(1)
	}
	return h.number(0)
}

// Hash hashes a checkout.
func (o *Operation) Hash() uint64 {
	h := fnv(fnvOffset).bytes(o.Product).bytes(o.Vendor).bytes(o.User).bytes(o.Version)
	h = h.number(uint64(o.Count)).number(uint64(o.TTLSeconds)).flag(o.AllowOverage).flag(o.Token)
	h = h.flag(o.Metadata != nil)
	if o.Metadata != nil {
		var r Reader
		r.Reset(o.Metadata)
		h = h.number(uint64(r.hash()))
	}
	return uint64(h)
}

// hash reads a value that is known to be valid. Members are summed, so that
// their order does not count.
func (r *Reader) hash() fnv {
	c := r.peek()
	h := (fnv(fnvOffset) ^ fnv(c)) * fnvPrime
	switch c {
	case '{':
		sum := uint64(0)
		if r.open('{') {
			for first := true; r.more(&first, '}'); {
				member := fnv(fnvOffset).bytes(r.key())
				sum += uint64(member.number(uint64(r.hash())))
			}
		}
		return h.number(sum)
	case '[':
		if r.open('[') {
			for first := true; r.more(&first, ']'); {
				h = h.number(uint64(r.hash()))
			}
		}
		return h
	case '"':
		return h.bytes(r.str())
	case 't', 'f', 'n':
		r.Skip()
		return h
	}
	return fnv(fnvOffset).bytes(r.number())
}
