package cluster

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the engine's own, registered once per node.
type metrics struct {
	logWriteSeconds prometheus.Histogram
	lateSeconds     prometheus.Histogram
	commands        *prometheus.CounterVec
	entries         *prometheus.CounterVec
	elections       *prometheus.CounterVec
	leads           *prometheus.GaugeVec
	snapshots       *prometheus.HistogramVec
	freeBytes       prometheus.Gauge
	storageFull     prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) *metrics {
	if reg == nil {
		reg = prometheus.NewRegistry()
	}
	group := []string{"group"}
	m := &metrics{
		logWriteSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "cloudlicenses_log_write_seconds", Help: "Time until a write of the Raft log was known to be durable; a leader asks when a quorum has the entry.",
			Buckets: prometheus.ExponentialBuckets(50e-6, 2, 16),
		}),
		lateSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "cloudlicenses_tick_late_seconds", Help: "How late the node's 100 ms tick came: starvation of the processor endangers heartbeats.",
			Buckets: prometheus.ExponentialBuckets(1e-3, 2, 11),
		}),
		commands: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cloudlicenses_commands_total", Help: "Commands proposed by this node as leader.",
		}, group),
		entries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cloudlicenses_log_entries_total", Help: "Log entries proposed by this node as leader; commands divided by entries is the batch size.",
		}, group),
		elections: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cloudlicenses_elections_won_total", Help: "Elections this node won.",
		}, group),
		leads: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "cloudlicenses_leads", Help: "1 where this node leads the group.",
		}, group),
		snapshots: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "cloudlicenses_snapshot_seconds", Help: "Duration of a snapshot, beside the traffic.",
			Buckets: prometheus.ExponentialBuckets(1e-3, 2, 16),
		}, group),
	}
	m.freeBytes = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "cloudlicenses_disk_free_bytes", Help: "Room on the disk of the data folder, as of the last second.",
	})
	m.storageFull = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "cloudlicenses_storage_full", Help: "1 while this node refuses new writes since less than --min-free-disk is free.",
	})
	reg.MustRegister(m.freeBytes, m.storageFull, m.logWriteSeconds, m.lateSeconds, m.commands, m.entries, m.elections, m.leads, m.snapshots)
	return m
}

func (m *metrics) logWrite(d time.Duration) { m.logWriteSeconds.Observe(d.Seconds()) }

func (m *metrics) room(free uint64, low bool) {
	m.freeBytes.Set(float64(free))
	if low {
		m.storageFull.Set(1)
	} else {
		m.storageFull.Set(0)
	}
}

func (m *metrics) late(d time.Duration) { m.lateSeconds.Observe(max(0, d.Seconds())) }

// groupMetrics are a group's, resolved once.
type groupMetrics struct {
	commands, entries, elections prometheus.Counter
	leads                        prometheus.Gauge
	snapshots                    prometheus.Observer
}

func (m *metrics) group(id GroupID) *groupMetrics {
	name := strconv.FormatUint(uint64(id), 10)
	return &groupMetrics{
		commands: m.commands.WithLabelValues(name), entries: m.entries.WithLabelValues(name),
		elections: m.elections.WithLabelValues(name), leads: m.leads.WithLabelValues(name),
		snapshots: m.snapshots.WithLabelValues(name),
	}
}

func (m *groupMetrics) batch(commands int) {
	m.entries.Inc()
	m.commands.Add(float64(commands))
}

func (m *groupMetrics) elected() { m.elections.Inc() }

func (m *groupMetrics) leader(is bool) {
	if is {
		m.leads.Set(1)
	} else {
		m.leads.Set(0)
	}
}

func (m *groupMetrics) snapshot(d time.Duration) { m.snapshots.Observe(d.Seconds()) }
