package main

import (
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/cloudlicenses/cloudlicenses/bench"
)

func newBenchCommand() *cobra.Command {
	cfg := bench.Config{Product: "p"}
	var output outputFormat
	var rate string
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure a cluster, and what it is held against",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := completeBench(&cfg, rate); err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			report, err := bench.Run(ctx, cfg)
			if report != nil && len(report.Results) > 0 {
				if output == outputJSON {
					err = orError(err, printJSON(cmd.OutOrStdout(), report))
				} else {
					err = orError(err, benchTable(report).print(cmd.OutOrStdout()))
				}
			}
			return err
		},
	}
	fs := cmd.Flags()
	fs.SortFlags = false
	output.addTo(fs)
	fs.StringSliceVar(&cfg.Scenarios, "scenario", []string{bench.Hot, bench.Spread}, "what to measure")
	fs.IntSliceVar(&cfg.Callers, "callers", []int{1, 16, 64, 256}, "numbers of callers that work at the same time")
	fs.IntVar(&cfg.Pools, "pools", 1000, "pools of spread")
	fs.DurationVar(&cfg.Duration, "duration", 10*time.Second, "time of each measurement")
	fs.DurationVar(&cfg.Warmup, "warmup", 2*time.Second, "time before each that does not count")
	fs.StringVar(&rate, "rate", "", "operations per second in an open loop, or 'half' of the best of this run")
	fs.Uint64Var(&cfg.Seed, "seed", 1, "seed of the order of pools")
	fs.IntVar(&cfg.Nodes, "nodes", 3, "nodes of the own cluster")
	fs.IntVar(&cfg.Groups, "groups", 3, "license groups of the own cluster")
	fs.BoolVar(&cfg.TLS, "tls", false, "secure the own cluster, and speak HTTPS to it")
	fs.StringVar(&cfg.Route, "route", bench.RouteLeader, "ask the tenant's leader, or any node")
	fs.IntVar(&cfg.Batch, "batch", 0, "operations per request (1–1000) through the batch endpoint")
	fs.BoolVar(&cfg.Echo, "echo", false, "measure the echo of the HTTP edge, too")
	fs.StringVar(&cfg.URL, "url", "", "measure a running cluster instead of an own one")
	fs.StringVar(&cfg.APIKey, "api-key", "", "its API key")
	fs.StringVar(&cfg.Host, "host", "", "its tenant's host, where the URL does not name it")
	fs.StringVar(&cfg.Dir, "dir", "", "folder on a real disk for the data of what is measured")
	cmd.AddCommand(newEchoServerCommand())
	return cmd
}

func orError(first, second error) error {
	if first != nil {
		return first
	}
	return second
}

// completeBench fills in what flags alone do not say.
func completeBench(cfg *bench.Config, rate string) error {
	var err error
	if cfg.Binary, err = os.Executable(); err != nil {
		return err
	}
	_, cfg.Commit = buildVersion()
	switch rate {
	case "":
	case "half":
		cfg.HalfRate = true
	default:
		if cfg.Rate, err = strconv.ParseFloat(rate, 64); err != nil || cfg.Rate <= 0 {
			return usagef("--rate %q: want operations per second, or half", rate)
		}
	}
	return nil
}

func benchTable(report *bench.Report) *table {
	t := &table{header: []string{"SYSTEM", "SCENARIO", "CALLERS", "OPS/S", "P50 µs", "P99 µs", "P99.9 µs", "FSYNC µs", "CPU s/100k", "CLIENT", "FAILED"}}
	for i := range report.Results {
		r := &report.Results[i]
		t.add(r.System, r.Scenario, strconv.Itoa(r.Callers), fmt.Sprintf("%.0f", r.OpsPerSecond),
			fmt.Sprintf("%.0f", r.Latency.P50), fmt.Sprintf("%.0f", r.Latency.P99), fmt.Sprintf("%.0f", r.Latency.P999),
			fmt.Sprintf("%.0f", r.FsyncMicros), fmt.Sprintf("%.2f", r.ServerCPU), fmt.Sprintf("%.2f", r.ClientCPU), strconv.FormatInt(r.Failed, 10))
	}
	return t
}

// newEchoServerCommand is what `bench --echo` starts.
func newEchoServerCommand() *cobra.Command {
	var addr string
	cmd := &cobra.Command{
		Use:    "echo-server",
		Short:  "Answer as the HTTP edge does, with nothing behind it",
		Hidden: true,
		Args:   noArgs,
		RunE:   func(cmd *cobra.Command, _ []string) error { return bench.ServeEcho(cmd.Context(), addr) },
	}
	cmd.Flags().StringVar(&addr, "http", "127.0.0.1:0", "address to listen on")
	return cmd
}
