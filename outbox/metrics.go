package outbox

import (
	"context"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cloudlicenses/cloudlicenses/fsm/license"
	"github.com/cloudlicenses/cloudlicenses/notify"
)

// scrapeTimeout bounds what a scrape waits for.
const scrapeTimeout = 2 * time.Second

// metrics are the drainer's. What waits is told by the node that leads a group,
// so that the sum over nodes is the cluster's.
type metrics struct {
	d        *Drainer
	attempts *prometheus.CounterVec
	waiting  *prometheus.Desc
	dead     *prometheus.Desc
	oldest   *prometheus.Desc
	mail     *prometheus.Desc
}

func newMetrics(registry prometheus.Registerer, d *Drainer) *metrics {
	m := &metrics{
		d: d,
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cloudlicenses_outbox_attempts_total",
			Help: "Attempts to deliver mails and webhooks, by result (delivered, retry, disabled, failed).",
		}, []string{"type", "result"}),
		waiting: prometheus.NewDesc("cloudlicenses_outbox_pending", "Deliveries that have not arrived yet, told by the group's leader.", []string{"group", "type"}, nil),
		dead:    prometheus.NewDesc("cloudlicenses_outbox_dead", "Deliveries that failed for good and are still remembered, told by the group's leader.", []string{"group", "type"}, nil),
		oldest:  prometheus.NewDesc("cloudlicenses_outbox_oldest_seconds", "How long the oldest pending delivery waits, told by the group's leader.", []string{"group"}, nil),
		mail:    prometheus.NewDesc("cloudlicenses_mail_configured", "1 where this node can send mail.", nil, nil),
	}
	for _, of := range []string{"mail", "webhook"} {
		for r := notify.Delivered; r <= notify.Failed; r++ {
			m.attempts.WithLabelValues(of, r.String())
		}
	}
	if registry != nil {
		registry.MustRegister(m.attempts, m)
	}
	return m
}

func (m *metrics) count(o *license.Outgoing, r notify.Result) {
	of := "webhook"
	if o.EndpointID == "" {
		of = "mail"
	}
	m.attempts.WithLabelValues(of, r.String()).Inc()
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(c chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.waiting, m.dead, m.oldest, m.mail} {
		c <- d
	}
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(c chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		c <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	configured := 0.0
	if m.d.cfg.Sender.Mail != nil {
		configured = 1
	}
	gauge(m.mail, configured)
	ctx, cancel := context.WithTimeout(m.d.ctx, scrapeTimeout)
	defer cancel()
	for _, g := range m.d.all() {
		if !g.door.Leads(g.group) {
			continue
		}
		state, err := g.state(ctx)
		if err != nil {
			continue // a scrape shows what can be seen
		}
		of := strconv.FormatUint(uint64(g.group), 10)
		gauge(m.waiting, float64(state.Mails), of, "mail")
		gauge(m.waiting, float64(state.Webhooks), of, "webhook")
		gauge(m.dead, float64(state.DeadMails), of, "mail")
		gauge(m.dead, float64(state.DeadWebhooks), of, "webhook")
		oldest := 0.0
		if state.OldestMillis > 0 {
			oldest = max(0, time.Since(time.UnixMilli(state.OldestMillis)).Seconds())
		}
		gauge(m.oldest, oldest, of)
	}
}

// all returns the groups that were ever led.
func (d *Drainer) all() []*drain {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := make([]*drain, 0, len(d.groups))
	for _, g := range d.groups {
		list = append(list, g)
	}
	return list
}
