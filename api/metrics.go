package api

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cloudlicenses/cloudlicenses"
)

// okIndex stands behind meanings: a reply that is no problem.
const okIndex = len(meanings)

// layers that refusals are counted by.
var layers = [...]cloudlicenses.Layer{
	cloudlicenses.LayerHost, cloudlicenses.LayerKey, cloudlicenses.LayerScope, cloudlicenses.LayerHostname, cloudlicenses.LayerAddress,
	cloudlicenses.LayerCertificate, cloudlicenses.LayerFingerprint, cloudlicenses.LayerRate,
}

// metrics are the edge's. Every child that a request may touch is resolved
// once, so that counting costs no look-up by label.
type metrics struct {
	inFlight atomic.Int64
	requests *prometheus.CounterVec
	unrouted int // counts requests without a route: the last place
	names    []string
	children [][okIndex + 1]atomic.Pointer[prometheus.Counter]
	latency  []prometheus.Observer
	layers   map[cloudlicenses.Layer]prometheus.Counter
}

// newMetrics has a place for every route of the table, one for the portal,
// which follows them, and one for what has no route.
func newMetrics(registry prometheus.Registerer, table []route, portal *route) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cloudlicenses_http_requests_total",
			Help: "Requests of the public address by route and code (ok, or the code of the problem).",
		}, []string{"route", "code"}),
		unrouted: portal.index + 1,
		children: make([][okIndex + 1]atomic.Pointer[prometheus.Counter], portal.index+2),
		latency:  make([]prometheus.Observer, portal.index+2),
		layers:   make(map[cloudlicenses.Layer]prometheus.Counter, len(layers)),
	}
	for i := range table {
		m.names = append(m.names, table[i].name)
	}
	m.names = append(m.names, portal.name, "none")
	latency := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "cloudlicenses_http_request_seconds",
		Help:    "Time from a request's last byte read to its answer, by route.",
		Buckets: []float64{.00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
	}, []string{"route"})
	refused := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "cloudlicenses_http_access_refused_total",
		Help: "Requests that the access chain refused, by its layer.",
	}, []string{"layer"})
	for i := range m.latency {
		m.latency[i] = latency.WithLabelValues(m.names[i])
	}
	for _, layer := range layers {
		m.layers[layer] = refused.WithLabelValues(string(layer))
	}
	inFlight := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "cloudlicenses_http_in_flight",
		Help: "Requests of the public address being answered.",
	}, func() float64 { return float64(m.inFlight.Load()) })
	registry.MustRegister(m.requests, latency, refused, inFlight)
	return m
}

// streams shows the streams of events.
func (m *metrics) streams(registry prometheus.Registerer, h *hub) {
	registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "cloudlicenses_event_streams",
		Help: "Streams of events that are open.",
	}, h.streams), prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "cloudlicenses_event_streams_slow_total",
		Help: "Streams of events that were ended because their client did not keep up.",
	}, h.tooSlow))
}

func meaningIndexOrOK(code cloudlicenses.Code) int {
	if code == cloudlicenses.OK {
		return okIndex
	}
	return meaningOf(code)
}

// count counts one reply.
func (m *metrics) count(route, code int) {
	slot := &m.children[route][code]
	child := slot.Load()
	if child == nil {
		label := "ok"
		if code != okIndex {
			label = string(meanings[code].code)
		}
		made := m.requests.WithLabelValues(m.names[route], label)
		child = &made
		slot.Store(child)
	}
	(*child).Inc()
}

// observe counts one reply and the time it took.
func (m *metrics) observe(route, code int, took time.Duration) {
	m.count(route, code)
	m.latency[route].Observe(took.Seconds())
}

// refused counts a refusal of the access chain.
func (m *metrics) refused(layer cloudlicenses.Layer) {
	if c := m.layers[layer]; c != nil {
		c.Inc()
	}
}
