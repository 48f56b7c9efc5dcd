package license

import (
	"net/netip"

	"github.com/tinylib/msgp/msgp"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/internal/plant"
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
	refuse func(a asking) cloudlicenses.Code
}

// accessChain is asked in order; the first refusal is the answer. Host and
// tenant are decided before a request gets here, and "key known" by the
// look-up that finds asking.key. The fingerprint's link follows the
// certificate's. The rate is last, and not among these: being asked counts
// (rate.go).
var accessChain = []link{
	{cloudlicenses.LayerKey, refuseExpiredKey},
	{cloudlicenses.LayerKey, refuseRevokedKey},
	{cloudlicenses.LayerScope, refuseScope},
	{cloudlicenses.LayerHostname, refuseHostname},
	{cloudlicenses.LayerAddress, refuseAddress},
	{cloudlicenses.LayerCertificate, refuseCertificate},
}

// refuseExpiredKey refuses a key, or a rotated secret of one, whose time is
// over.
func refuseExpiredKey(a asking) cloudlicenses.Code {
	if a.key.ExpiresMillis != 0 && a.now >= a.key.ExpiresMillis || a.now >= a.key.secretUntil(&a.caller.KeyHash) {
		return cloudlicenses.KeyExpired
	}
	return cloudlicenses.OK
}

// lateMillis is the moment of the planted bug, as of a cache's life.
const lateMillis = 200

func refuseRevokedKey(a asking) cloudlicenses.Code {
	if plant.On(plant.LateRevocation) && a.now < a.key.RevokedMillis+lateMillis {
		return cloudlicenses.OK
	}
	if a.key.RevokedMillis != 0 {
		return cloudlicenses.KeyRevoked
	}
	return cloudlicenses.OK
}

func refuseScope(a asking) cloudlicenses.Code {
	if !a.key.Scopes.Has(a.scope) {
		return cloudlicenses.MissingScope
	}
	return cloudlicenses.OK
}

// refuseHostname asks for exactly one of the key's hostnames, in any case.
func refuseHostname(a asking) cloudlicenses.Code {
	allowed := a.key.Restrictions.Hostnames
	for i := range allowed {
		if equalLower(a.caller.Hostname, allowed[i]) {
			return cloudlicenses.OK
		}
	}
	if len(allowed) > 0 {
		return cloudlicenses.HostnameNotAllowed
	}
	return cloudlicenses.OK
}

// equalLower reports whether text, its ASCII letters in lower case, is lower.
// Other letters have no other case: "K" is no Kelvin sign.
func equalLower(text, lower string) bool {
	if len(text) != len(lower) {
		return false
	}
	for i := range len(text) {
		c := text[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// refuseAddress asks for an address within one of the key's networks. An IPv4
// address is the same in its IPv6 form.
func refuseAddress(a asking) cloudlicenses.Code {
	if len(a.key.networks) == 0 {
		return cloudlicenses.OK
	}
	address, err := netip.ParseAddr(a.caller.Address)
	if err != nil {
		return cloudlicenses.IPNotAllowed
	}
	address = address.Unmap().WithZone("")
	for _, network := range a.key.networks {
		if network.Contains(address) {
			return cloudlicenses.OK
		}
	}
	return cloudlicenses.IPNotAllowed
}

// refuseCertificate asks for a client certificate that TLS has verified, of the
// key's common name where it has one.
func refuseCertificate(a asking) cloudlicenses.Code {
	r := &a.key.Restrictions
	switch {
	case !r.CertRequired:
		return cloudlicenses.OK
	case a.caller.CertName == "":
		return cloudlicenses.ClientCertificateRequired
	case r.CertName != "" && a.caller.CertName != r.CertName:
		return cloudlicenses.ClientCertificateMismatch
	}
	return cloudlicenses.OK
}

// admitted finds the caller's key and asks the chain. The key is nil where it
// is not known: such a refusal leaves no trace in the tenant's records.
func (t *tenant) admitted(c *Caller, scope cloudlicenses.Scope, now int64) (*key, cloudlicenses.Layer, cloudlicenses.Code) {
	k := t.keyByHash[c.KeyHash]
	if k == nil {
		return nil, cloudlicenses.LayerKey, cloudlicenses.Unauthenticated
	}
	a := asking{key: k, caller: c, scope: scope, now: now}
	for i := range accessChain {
		if code := accessChain[i].refuse(a); code != cloudlicenses.OK {
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
	if o.body != nil {
		if err := decode(o.body(), payload); err != nil {
			return encodeReply(&InvoiceResult{Code: cloudlicenses.Internal, Detail: o.name + ": " + err.Error()})
		}
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

// Small reports whether a command makes nothing new (cluster.Machine).
func (m *Machine) Small(command []byte) bool {
	h, _, _, err := fsm.SplitHeader(command)
	return err == nil && operations[h.Op] != nil && operations[h.Op].small
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
