package license

import (
	"slices"

	"github.com/cloudlicenses/cloudlicenses"
)

var (
	_ = register(OpPutEndpoint, operation{name: "put endpoint", needs: needsTenant, apply: (*Machine).applyPutEndpoint})
	_ = register(OpUpdateEndpoint, operation{name: "update endpoint", needs: needsTenant, apply: (*Machine).applyUpdateEndpoint})
	_ = register(OpRemoveEndpoint, operation{name: "remove endpoint", needs: needsTenant, apply: (*Machine).applyRemoveEndpoint})
	_ = register(OpRotateEndpoint, operation{name: "rotate endpoint", needs: needsTenant, apply: (*Machine).applyRotateEndpoint})
)

// Actions of audit records about webhooks; User is the endpoint's id.
const (
	actionHookCreate = "webhook.create"
	actionHookUpdate = "webhook.update"
	actionHookRemove = "webhook.remove"
	actionHookRotate = "webhook.rotate"
	actionHookReplay = "webhook.replay"
)

// endpoint is a webhook endpoint of an account.
type endpoint struct {
	endpointRecord
	number uint32
}

// wants reports whether the endpoint is to be told of events of this kind.
func (e *endpoint) wants(kind cloudlicenses.EventKind) bool {
	return e.Endpoint.Disabled == "" && (len(e.Endpoint.Kinds) == 0 || slices.Contains(e.Endpoint.Kinds, kind))
}

func (t *tenant) nextEndpoint() uint32 {
	if n := len(t.hooks); n > 0 {
		return t.hooks[n-1].number + 1
	}
	return 1
}

// endpoint finds an endpoint: an account has but a few.
func (t *tenant) endpoint(id cloudlicenses.EndpointID) *endpoint {
	if id == InvoiceEndpoint {
		return t.vendor.book.endpoint
	}
	for _, e := range t.hooks {
		if e.Endpoint.ID == id {
			return e
		}
	}
	return nil
}

func (m *Machine) storeEndpoint(t *tenant, e *endpoint) {
	if e.number == 0 {
		m.storeBook(t)
		return
	}
	m.keyBytes = key44(m.keyBytes, prefixEndpoint, t.number, e.number)
	m.put(m.keyBytes, &e.endpointRecord)
}

func (e *endpoint) result() reply { return &EndpointResult{Endpoint: e.Endpoint} }

func refusedEndpoint(code cloudlicenses.Code, detail string) reply {
	return &EndpointResult{Code: code, Detail: detail}
}

func (m *Machine) auditEndpoint(t *tenant, action, actor string, by *By, id cloudlicenses.EndpointID) {
	m.entry = Audit{Action: action, Result: resultSuccess, User: string(id), Actor: actor, Address: by.Address}
	m.recordAudit(t)
}

// applyPutEndpoint creates an endpoint; one that is there already is left as it
// is.
func (m *Machine) applyPutEndpoint(t *tenant, payload []byte) (reply, error) {
	var p PutEndpoint
	if err := decode(&p, payload); err != nil {
		return nil, err
	}
	_, actor, code := m.asker(t, &p.By, cloudlicenses.ActManageSettings)
	same := t.endpoint(p.ID)
	switch {
	case code != cloudlicenses.OK:
		return refusedEndpoint(code, ""), nil
	case same != nil && same.Endpoint.URL == p.URL:
		return same.result(), nil
	case same != nil:
		return refusedEndpoint(cloudlicenses.AlreadyExists, "another endpoint has this id"), nil
	case p.ID == "" || p.Secret == "":
		return refusedEndpoint(cloudlicenses.InvalidField, "id: is missing"), nil
	case p.URL == "":
		return refusedEndpoint(cloudlicenses.InvalidField, "url: is missing"), nil
	case len(t.hooks) >= cloudlicenses.MaxWebhookEndpoints:
		return refusedEndpoint(cloudlicenses.PlanLimitExceeded, "there are as many webhook endpoints as there may be: remove one first"), nil
	}
	e := &endpoint{number: t.nextEndpoint()}
	e.Endpoint = Endpoint{ID: p.ID, URL: p.URL, Kinds: p.Kinds, CreatedMillis: m.state.clock, SecretMillis: m.state.clock}
	e.Secrets = []endpointSecret{{Text: p.Secret}}
	t.hooks = append(t.hooks, e)
	m.auditEndpoint(t, actionHookCreate, actor, &p.By, p.ID)
	m.storeEndpoint(t, e)
	return e.result(), nil
}

// managed finds an endpoint that who asks may change; the reply is its refusal.
func (m *Machine) managed(t *tenant, by *By, id cloudlicenses.EndpointID) (e *endpoint, actor string, refusal reply) {
	_, actor, code := m.asker(t, by, cloudlicenses.ActManageSettings)
	if code != cloudlicenses.OK {
		return nil, "", refusedEndpoint(code, "")
	}
	if e = t.endpoint(id); e == nil || e.number == 0 {
		return nil, "", refusedEndpoint(cloudlicenses.NotFound, "no such webhook endpoint")
	}
	return e, actor, nil
}

// applyUpdateEndpoint changes URL and kinds, enables or disables.
func (m *Machine) applyUpdateEndpoint(t *tenant, payload []byte) (reply, error) {
	var p UpdateEndpoint
	if err := decode(&p, payload); err != nil {
		return nil, err
	}
	e, actor, refusal := m.managed(t, &p.By, p.ID)
	switch {
	case refusal != nil:
		return refusal, nil
	case p.Enable && p.Disable:
		return refusedEndpoint(cloudlicenses.InvalidField, "enabled: is said twice"), nil
	case p.Enable && e.Pending >= cloudlicenses.MaxPendingDeliveries:
		return refusedEndpoint(cloudlicenses.InvalidField, "enabled: too many deliveries still wait; try again in a moment"), nil
	}
	if p.URL != "" && p.URL != e.Endpoint.URL {
		e.Endpoint.URL, e.Endpoint.Failures = p.URL, 0
	}
	if p.SetKinds {
		e.Endpoint.Kinds = p.Kinds
	}
	switch {
	case p.Enable:
		e.Endpoint.Disabled, e.Endpoint.Failures = "", 0
	case p.Disable && e.Endpoint.Disabled == "":
		e.Endpoint.Disabled = cloudlicenses.DisabledByUser
	}
	m.auditEndpoint(t, actionHookUpdate, actor, &p.By, p.ID)
	m.storeEndpoint(t, e)
	return e.result(), nil
}

// applyRemoveEndpoint removes an endpoint and its log. What is pending goes when
// it comes to be delivered.
func (m *Machine) applyRemoveEndpoint(t *tenant, payload []byte) (reply, error) {
	var p RemoveEndpoint
	if err := decode(&p, payload); err != nil {
		return nil, err
	}
	e, actor, refusal := m.managed(t, &p.By, p.ID)
	if refusal != nil {
		return refusal, nil
	}
	for len(e.Settled) > 0 {
		if err := m.forgetOldest(t, e); err != nil {
			return nil, err
		}
	}
	t.hooks = slices.DeleteFunc(t.hooks, func(other *endpoint) bool { return other == e })
	m.store.Delete(key44(nil, prefixEndpoint, t.number, e.number))
	m.auditEndpoint(t, actionHookRemove, actor, &p.By, p.ID)
	return e.result(), nil
}

// applyRotateEndpoint puts a new secret in front of the old ones, which sign
// for a while longer.
func (m *Machine) applyRotateEndpoint(t *tenant, payload []byte) (reply, error) {
	var p RotateEndpoint
	if err := decode(&p, payload); err != nil {
		return nil, err
	}
	e, actor, refusal := m.managed(t, &p.By, p.ID)
	switch {
	case refusal != nil:
		return refusal, nil
	case p.Secret == "" || p.OverlapMillis < 0:
		return refusedEndpoint(cloudlicenses.InvalidField, "secret: is missing"), nil
	case e.Secrets[0].Text == p.Secret: // this command again
		return e.result(), nil
	}
	now := m.state.clock
	e.Secrets[0].UntilMillis = now + p.OverlapMillis
	kept := slices.DeleteFunc(e.Secrets, func(s endpointSecret) bool { return s.UntilMillis <= now })
	kept = append([]endpointSecret{{Text: p.Secret}}, kept...)
	e.Secrets = kept[:min(len(kept), cloudlicenses.MaxWebhookSecrets)]
	e.Endpoint.SecretMillis = now
	m.auditEndpoint(t, actionHookRotate, actor, &p.By, p.ID)
	m.storeEndpoint(t, e)
	return e.result(), nil
}
