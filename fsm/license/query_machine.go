package license

import (
	"errors"
	"fmt"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
)

// A query holds the lock only for stretches of this many records, so that the
// apply never waits for a long list.
const stretch = 2048

// maxScanned bounds how many records one page of a filtered list looks at; the
// page then ends early and its cursor goes on.
const maxScanned = 200_000

// maxPage bounds a page, whatever was asked.
const maxPage = 10_000

func pageSize(limit int64) int {
	if limit <= 0 {
		return cloudlicenses.DefaultListLimit
	}
	return int(min(limit, maxPage))
}

// errQuery is returned for queries that nobody could decode.
var errQuery = errors.New("undecodable query")

// Query answers a read from the local state (cluster.Machine). An error is
// an undecodable query or a failed read.
func (m *Machine) Query(query []byte) ([]byte, error) {
	h, name, payload, err := fsm.SplitHeader(query)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errQuery, err)
	}
	if h.Version != Version {
		return nil, fmt.Errorf("%w: %w %d", errQuery, errVersion, h.Version)
	}
	q := question{m: m, name: cloudlicenses.TenantID(name), epoch: h.Epoch, payload: payload}
	r, err := q.ask(h.Op)
	if err != nil {
		return nil, fmt.Errorf("query %d: %w", h.Op, err)
	}
	return r.MarshalMsg(nil)
}

// question is one query being answered.
type question struct {
	m       *Machine
	name    cloudlicenses.TenantID
	epoch   uint32
	payload []byte
}

func (q *question) ask(op fsm.Op) (reply, error) {
	switch op {
	case QueryLicenses:
		return q.licenses()
	case QueryLeases:
		return q.leases()
	case QueryKeys:
		return q.keys()
	case QueryUsage:
		return q.usage()
	case QueryOverage:
		return q.overage()
	case QueryAudit:
		return q.audit()
	case QueryVerify:
		return q.verify()
	case QueryOutbox:
		return q.outbox()
	case QueryUsers:
		return q.users()
	case QueryLogin:
		return q.login()
	case QuerySession:
		return q.session()
	case QuerySSO:
		return q.sso()
	case QueryToken:
		return q.token()
	case QueryEndpoints:
		return q.endpoints()
	case QueryDeliveries:
		return q.deliveries()
	case QueryDue:
		return q.due()
	case QueryDelivery:
		return q.delivery()
	case QueryOutboxState:
		return q.outboxState()
	case QueryDeadMails:
		return q.deadMails()
	case QueryKey:
		return q.key()
	case QueryNotice:
		return q.notice()
	case QueryInvoiceHook:
		return q.invoiceHook()
	case QueryProducts:
		return q.products()
	case QuerySeries:
		return q.series()
	case QueryTail:
		return q.tail()
	case QueryHeatmap:
		return q.heatmap()
	case QueryTerms:
		return q.terms()
	case QueryHash:
		return q.m.queryHash(), nil
	}
	return q.askBilling(op)
}

// askBilling answers what is asked about what is billed.
func (q *question) askBilling(op fsm.Op) (reply, error) {
	switch op {
	case QueryOverageSums:
		return q.overageSums()
	case QueryOverageDays:
		return q.overageDays()
	case QueryBilled:
		return q.billed()
	case QueryKept:
		return q.kept()
	case QueryInvoices:
		return q.invoices()
	case QueryInvoiced:
		return q.invoiced()
	case QueryRules:
		return q.rules()
	}
	return nil, fmt.Errorf("%w: unknown number", errQuery)
}

func (q *question) decode(into interface{ UnmarshalMsg([]byte) ([]byte, error) }) error {
	if err := decode(into, q.payload); err != nil {
		return fmt.Errorf("%w: %w", errQuery, err)
	}
	return nil
}

// view is what one stretch under the lock sees.
type view struct {
	state  *state
	tenant *tenant
	store  *fsm.Store
}

// read runs look under the read lock. It returns a code where the tenant is
// not here, or not under the epoch that the query carries.
func (q *question) read(look func(v view) error) (cloudlicenses.Code, error) {
	m := q.m
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.closed {
		return "", fsm.ErrClosed
	}
	t := m.state.tenants[q.name]
	if t == nil || t.epoch != q.epoch {
		return cloudlicenses.StalePlacement, nil
	}
	return cloudlicenses.OK, look(view{m.state, t, m.store})
}

// asker asks the access chain for a query. The key is nil where the platform
// itself asks.
func (v view) asker(a *Access) (*key, cloudlicenses.Layer, cloudlicenses.Code) {
	if !a.ByKey {
		return nil, cloudlicenses.LayerNone, cloudlicenses.OK
	}
	return v.tenant.admitted(&a.Caller, cloudlicenses.ScopeCheckout, max(v.state.clock, a.NowMillis))
}

// refusal says more of a refusal by asker.
func (v view) refusal(k *key, code cloudlicenses.Code, a *Access) string {
	return k.refusal(code, &a.Caller, max(v.state.clock, a.NowMillis))
}

// counted is asker for a list that counts against the key's rate.
func (v view) counted(a *Access) (*key, Rate, cloudlicenses.Layer, cloudlicenses.Code) {
	k, layer, code := v.asker(a)
	if k == nil || code != cloudlicenses.OK || a.Uncounted {
		return k, Rate{}, layer, code
	}
	if rate, refused := v.countRead(k, max(v.state.clock, a.NowMillis)); refused {
		return k, rate, cloudlicenses.LayerRate, cloudlicenses.RateLimited
	}
	return k, Rate{}, layer, code
}
