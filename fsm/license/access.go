package license

import (
	"github.com/tinylib/msgp/msgp"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
)

// asking is one request before the access chain.
type asking struct {
	key    *key
	caller *Caller
	scope  cloudlicenses.Scope // what the request needs
	now    int64
}

// link is one step of the access chain; it refuses with a code.
type link struct {
	layer  cloudlicenses.Layer
	refuse func(a *asking) cloudlicenses.Code
}

// accessChain is asked in order; the first refusal is the answer. Host and
// tenant are decided before a request gets here, and "key known" by the
// look-up that finds asking.key. Links of the remaining layers (hostname,
// address, certificate, fingerprint, rate) follow the scope, in that order.
var accessChain = []link{
	{cloudlicenses.LayerKey, refuseExpiredKey},
	{cloudlicenses.LayerKey, refuseRevokedKey},
	{cloudlicenses.LayerScope, refuseScope},
}

func refuseExpiredKey(a *asking) cloudlicenses.Code {
	if a.key.ExpiresMillis != 0 && a.now >= a.key.ExpiresMillis {
		return cloudlicenses.KeyExpired
	}
	return cloudlicenses.OK
}

func refuseRevokedKey(a *asking) cloudlicenses.Code {
	if a.key.RevokedMillis != 0 {
		return cloudlicenses.KeyRevoked
	}
	return cloudlicenses.OK
}

func refuseScope(a *asking) cloudlicenses.Code {
	if !a.key.Scopes.Has(a.scope) {
		return cloudlicenses.MissingScope
	}
	return cloudlicenses.OK
}

// admitted finds the caller's key and asks the chain. The key is nil where it
// is not known: such a refusal leaves no trace in the tenant's records.
func (s *state) admitted(t *tenant, c *Caller, scope cloudlicenses.Scope) (*key, cloudlicenses.Layer, cloudlicenses.Code) {
	k := t.keyByHash[c.KeyHash]
	if k == nil {
		return nil, cloudlicenses.LayerKey, cloudlicenses.Unauthenticated
	}
	a := asking{key: k, caller: c, scope: scope, now: s.clock}
	for i := range accessChain {
		if code := accessChain[i].refuse(&a); code != cloudlicenses.OK {
			return k, accessChain[i].layer, code
		}
	}
	return k, cloudlicenses.LayerNone, cloudlicenses.OK
}

// Admit refuses, before it is proposed, what must not fill the log: commands
// of strangers, of tenants that are not here, and what nobody could decode.
// Refusals of a known key are left to the apply, which records them.
func (m *Machine) Admit(_ int64, command []byte) []byte {
	h, name, payload, err := fsm.SplitHeader(command)
	if err != nil {
		return encodeReply(&Ack{Code: cloudlicenses.Internal, Detail: err.Error()})
	}
	o := operations[h.Op]
	if o == nil || h.Version != Version {
		return encodeReply(&Ack{Code: cloudlicenses.Internal, Detail: errUnknownOp.Error()})
	}
	if !o.byKey {
		return nil
	}
	hash, err := callerHash(payload)
	if err != nil {
		return encodeReply(&LeaseResult{Code: cloudlicenses.Internal, Detail: err.Error()})
	}
	m.admission.RLock()
	t := m.state.tenants[cloudlicenses.TenantID(name)]
	here := t != nil && t.epoch == h.Epoch
	known := here && t.keyByHash[hash] != nil
	m.admission.RUnlock()
	switch {
	case !here:
		return encodeReply(&LeaseResult{Code: cloudlicenses.StalePlacement})
	case !known:
		return encodeReply(&LeaseResult{Code: cloudlicenses.Unauthenticated, Layer: cloudlicenses.LayerKey})
	}
	return nil
}

// callerHash reads the key hash of a payload whose first field is a Caller.
func callerHash(payload []byte) (hash [32]byte, err error) {
	_, rest, err := msgp.ReadArrayHeaderBytes(payload)
	if err == nil {
		_, rest, err = msgp.ReadArrayHeaderBytes(rest)
	}
	if err == nil {
		_, err = msgp.ReadExactBytes(rest, hash[:])
	}
	return hash, err
}

func encodeReply(r reply) []byte {
	b, err := r.MarshalMsg(nil)
	if err != nil {
		panic("encode a reply: " + err.Error()) // strings and numbers always encode
	}
	return b
}
