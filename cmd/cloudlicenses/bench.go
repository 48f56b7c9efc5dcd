package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cloudlicenses/cloudlicenses/bench"
	"github.com/cloudlicenses/cloudlicenses/bench/load"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// Files of --out.
const benchReportFile = "bench.json"

// benchFlags are those of `bench` that are no field of its configuration.
type benchFlags struct {
	rate   string
	out    string
	full   bool
	output outputFormat
}

func newBenchCommand() *cobra.Command {
	cfg := bench.Config{Sizes: bench.DefaultSizes}
	var flags benchFlags
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure a cluster, and what it is held against",
		Long: `Puts a cluster under load and says how fast it was, how long callers waited and
what it cost. Unless --url names a running cluster, three server processes are
started on loopback, with their data in a new folder of --dir, which must be on
a real disk; they are stopped and the folder is removed at the end.

Callers check a seat out and return it, in turn; each is an operation. In a
closed loop a caller asks again as soon as it was answered. With --rate, an open
loop, operations become due at that rate whatever the ones before take, and a
latency counts from when one was due. After each measurement the cluster's
counters, its leases and what the callers hold are compared; that they agree is
part of the result.

What can be measured (--scenario):
` + benchScenarios() + `
Every result tells machine and commit of this program, the cluster's settings, the
median of an append + fdatasync just before it where the disk is here, and CPU seconds
of servers and client per 100,000 operations: where the servers run in this process,
the client's are both. The
client takes its share of the same processors: hold figures against those of the
same run, such as --echo and --peers, not against another machine's.`,
		Example: `  # Hot and spread, with 1 to 256 callers, and the echo of the HTTP edge beside them:
  cloudlicenses bench --echo

  # Latencies at half of the highest rate, in an open loop:
  cloudlicenses bench --scenario spread --callers 256 --rate half

  # Where the leader's time goes:
  cloudlicenses bench --scenario hot --callers 256 --profile cpu --out profiles
  go tool pprof -http :6060 profiles/*.cpu.pprof
  # (of allocs: -sample_index=alloc_space)

  # The engine without HTTP, with more and more groups, and plain raft-boltdb:
  cloudlicenses bench --mode engine --callers 256 --groups 1,2,4,8,16 --engine-baseline

  # A cluster that runs already, through a tenant made for it:
  cloudlicenses tenant create --id load --license cad --commit 1000 --max-overage 0 --count 10
  cloudlicenses bench --url http://127.0.0.1:8080 --host load.localhost --api-key clsk_load_… --product cad --pools 10

  # Did a change make it faster? Keep both reports and compare:
  cloudlicenses bench --out before
  cloudlicenses bench --out after
  cloudlicenses bench compare before/bench.json after/bench.json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkBenchFlags(cmd.Flags(), cfg.Scenarios); err != nil {
				return err
			}
			if err := completeBench(&cfg, &flags); err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			return runBench(ctx, cfg, &flags, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().SortFlags = false
	addBenchFlags(cmd.Flags(), &cfg, &flags)
	cmd.AddCommand(newBenchCompareCommand(), newEchoServerCommand())
	return cmd
}

// benchScenarios is the list of the help text.
func benchScenarios() string {
	var b strings.Builder
	for i, name := range bench.ScenarioNames() {
		fmt.Fprintf(&b, "  %-11s %s\n", name, bench.ScenarioTexts()[i])
	}
	return b.String()
}

func addBenchFlags(fs *pflag.FlagSet, cfg *bench.Config, flags *benchFlags) {
	fs.StringSliceVar(&cfg.Scenarios, "scenario", []string{bench.Hot, bench.Spread}, "what to measure, see above")
	fs.IntSliceVar(&cfg.Callers, "callers", []int{1, 16, 64, 256}, "numbers of callers that work at the same time, each on a connection")
	fs.DurationVar(&cfg.Duration, "duration", 10*time.Second, "time of each measurement")
	fs.DurationVar(&cfg.Warmup, "warmup", 2*time.Second, "time before each that does not count")
	fs.StringVar(&flags.rate, "rate", "", "open loop: operations per second, or 'half' of the highest rate that a scenario reaches in this run (default: closed loop)")
	fs.IntVar(&cfg.Pools, "pools", 1000, "pools of spread")
	fs.IntVar(&cfg.Tenants, "tenants", 1, "tenants that share the load")
	fs.IntVar(&cfg.Batch, "batch", 0, "operations in each request, through the batch endpoint (1–1000)")
	fs.StringVar(&cfg.Route, "route", bench.RouteLeader, "whom to ask: the leader of the tenant's group, or any node, which forwards")
	fs.BoolVar(&cfg.TLS, "tls", false, "secure the cluster with certificates, and speak HTTPS")
	fs.IntVar(&cfg.Nodes, "nodes", 3, "nodes of the cluster")
	fs.IntSliceVar(&cfg.Groups, "groups", []int{3}, "numbers of license groups, each measured on a cluster of its own")
	fs.StringVar(&cfg.Mode, "mode", bench.ModeHTTP, "http, or engine: three nodes in this process, without HTTP")
	fs.BoolVar(&cfg.Echo, "echo", false, "measure the echo, too: the same HTTP server with nothing behind it")
	fs.BoolVar(&cfg.EngineBaseline, "engine-baseline", false, "measure the same machine on plain raft-boltdb, too, a command per entry")
	fs.StringSliceVar(&cfg.Peers, "peers", nil, "measure other systems, too: "+strings.Join(bench.PeerNames, ", ")+" (needs bench-peers beside this program)")
	fs.StringVar(&cfg.Profile, "profile", "", "profile of the leader (with --mode engine: of this process) during each measurement, into --out: "+strings.Join(bench.Profiles, ", "))
	fs.BoolVar(&flags.full, "full", false, "measure the whole performance table, which has its own scenarios, and judge it by its goals")
	fs.StringVar(&cfg.URL, "url", "", "measure a running cluster: URL of a node")
	fs.StringVar(&cfg.Host, "host", "", "host of the tenant, where --url does not name it (with --url)")
	fs.StringVar(&cfg.APIKey, "api-key", "", "API key of the tenant (with --url; default: LICENSE_API_KEY)")
	fs.StringVar(&cfg.CAFile, "ca-file", "", "CA of a secured cluster: ca.crt of 'cert create-ca' (with --url)")
	fs.StringVar(&cfg.Product, "product", "p", "its licenses are of products PRODUCT-0000, PRODUCT-0001, … (with --url)")
	fs.StringVar(&cfg.Dir, "dir", "", "folder on a real disk for the data of what is measured (default: the system's for temporary files)")
	fs.StringVar(&flags.out, "out", "", "folder for "+benchReportFile+", plots and profiles, made when missing")
	fs.Uint64Var(&cfg.Seed, "seed", 1, "seed of the order of pools")
	fs.IntVar(&cfg.Sizes.BilledTenants, "billed-tenants", cfg.Sizes.BilledTenants, "customers of scenario billing")
	fs.IntVar(&cfg.Sizes.BilledRecords, "billed-records", cfg.Sizes.BilledRecords, "overage records of scenario billing, in all")
	fs.IntVar(&cfg.Sizes.Dashboards, "dashboards", cfg.Sizes.Dashboards, "open streams of events of scenario dashboards")
	fs.IntVar(&cfg.Sizes.Leases, "leases", cfg.Sizes.Leases, "live leases of scenario million")
	fs.IntVar(&cfg.Sizes.Kills, "kills", cfg.Sizes.Kills, "kills of scenario kills")
	fs.DurationVar(&cfg.Sizes.Idle, "idle", cfg.Sizes.Idle, "time of scenario idle")
	fs.DurationVar(&cfg.Sizes.Elections, "elections", cfg.Sizes.Elections, "time of scenario elections")
	flags.output.addTo(fs)
}

// benchSizes are flags of one scenario each.
var benchSizes = map[string]string{
	"leases": "million", "billed-tenants": "billing", "billed-records": "billing", "dashboards": "dashboards",
	"kills": "kills", "idle": "idle", "elections": "elections",
}

// checkBenchFlags finds flags of which nothing would come.
func checkBenchFlags(fs *pflag.FlagSet, scenarios []string) error {
	url, full := fs.Changed("url"), fs.Changed("full")
	for _, rule := range []struct {
		broken bool
		flags  []string
		why    string
	}{
		{url, []string{"full", "nodes", "groups", "tenants"}, "is of a cluster that is started here: without --url"},
		{!url, []string{"host", "api-key", "ca-file", "product"}, "is of a running cluster: name it with --url"},
		{full, []string{"scenario", "rate", "batch", "mode", "route", "tls", "nodes", "groups", "tenants", "echo", "engine-baseline", "peers", "profile"}, "is settled by --full, which measures all there is"},
	} {
		for _, name := range rule.flags {
			if rule.broken && fs.Changed(name) {
				return usagef("--%s %s", name, rule.why)
			}
		}
	}
	if full {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(benchSizes)) {
		if scenario := benchSizes[name]; fs.Changed(name) && !slices.Contains(scenarios, scenario) {
			return usagef("--%s is of scenario %s: name that with --scenario", name, scenario)
		}
	}
	own := func(scenario string) bool { return !bench.SettledCallers(scenario) }
	if fs.Changed("callers") && len(scenarios) > 0 && !slices.ContainsFunc(scenarios, own) {
		return usagef("--callers: scenario %s has as many as it needs", scenarios[0])
	}
	return nil
}

// completeBench fills in what flags alone do not say.
func completeBench(cfg *bench.Config, flags *benchFlags) error {
	var err error
	if cfg.Binary, err = os.Executable(); err != nil {
		return err
	}
	if peers := filepath.Join(filepath.Dir(cfg.Binary), "bench-peers"); exists(peers) {
		cfg.PeersBinary = peers
	}
	_, cfg.Commit = buildVersion()
	cfg.Out = flags.out
	keys, err := shard.NewKeys(make([]byte, shard.KEKBytes)) // as the engine of this process boots
	if err != nil {
		return err
	}
	cfg.OpenMachine = machineOpener(fsm.Options{}, keys, nil, slog.New(slog.NewTextHandler(io.Discard, nil)))
	for _, name := range cfg.Peers {
		if !slices.Contains(bench.PeerNames, name) {
			return usagef("--peers %q: there are %s", name, strings.Join(bench.PeerNames, ", "))
		}
	}
	switch flags.rate {
	case "":
	case "half":
		cfg.HalfRate = true
	default:
		if cfg.Rate, err = strconv.ParseFloat(flags.rate, 64); err != nil || cfg.Rate <= 0 { // too much is found with the rest
			return usagef("--rate %q: want operations per second, or half", flags.rate)
		}
	}
	if cfg.URL != "" {
		if cfg.APIKey = orElse(cfg.APIKey, os.Getenv("LICENSE_API_KEY")); cfg.APIKey == "" {
			return usagef("no API key: name the tenant's with --api-key or LICENSE_API_KEY")
		}
	}
	return nil
}

// runBench measures, and prints and keeps what was measured, also where
// something failed.
func runBench(ctx context.Context, cfg bench.Config, flags *benchFlags, stdout, stderr io.Writer) error {
	progress := newBenchProgress(ctx, stderr)
	cfg.Progress = progress
	measure := bench.Run
	if flags.full {
		measure = bench.Full
	}
	report, err := measure(ctx, cfg)
	progress.close()
	if report == nil {
		return usageError{err}
	}
	if flags.out != "" && len(report.Results) > 0 {
		err = errors.Join(err, report.Write(filepath.Join(flags.out, benchReportFile)))
		_, plotErr := report.Plot(flags.out)
		err = errors.Join(err, plotErr)
	}
	switch {
	case err != nil && len(report.Results)+len(report.Missing) == 0:
		return err
	case flags.output == outputJSON:
		return errors.Join(err, printJSON(stdout, report))
	}
	return errors.Join(err, printBench(stdout, report))
}

// printBench prints a report for people.
func printBench(w io.Writer, report *bench.Report) error {
	loads := &table{header: []string{"SYSTEM", "SCHEME", "SCENARIO", "CALLERS", "OPS/S", "P50 µs", "P99 µs", "P99.9 µs", "MAX µs", "FSYNC µs", "SERVERS s/100k", "CLIENT s/100k", "OTHERS cores", "REFUSED", "FAILED"}}
	figures := &table{header: []string{"SCENARIO", "SCHEME", "FIGURE", "VALUE"}}
	costs := &table{header: []string{"COST OF AN OPERATION", "ALLOCATIONS", "ALLOCATED bytes", "DISK bytes", "LOOPBACK bytes", "COMMANDS per entry"}}
	for i := range report.Results {
		r := &report.Results[i]
		if r.Operations > 0 {
			loads.add(benchRow(r)...)
			if r.Figures["allocations_per_operation"] > 0 {
				costs.add(benchCosts(r)...)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(r.Figures)) {
			if r.Operations == 0 || !slices.Contains(benchCostNames, name) {
				figures.add(r.Scenario, r.Scheme, name, strconv.FormatFloat(math.Round(r.Figures[name]*100)/100, 'f', -1, 64))
			}
		}
	}
	goals := &table{header: []string{"MEASURE", "GOAL", "FIGURE", "VERDICT"}}
	for _, g := range report.Goals {
		goals.add(g.Measure, g.Goal, g.Figure, g.Verdict)
	}
	var err error
	for _, t := range []*table{loads, costs, figures, goals} {
		if len(t.rows) > 0 {
			err = errors.Join(err, t.print(w))
			_, blank := fmt.Fprintln(w)
			err = errors.Join(err, blank)
		}
	}
	for _, m := range report.Missing {
		_, missing := fmt.Fprintln(w, "missing:", m)
		err = errors.Join(err, missing)
	}
	_, last := fmt.Fprintf(w, "Measured by %s, %s, commit %s\n", report.Machine, report.Go, report.Commit)
	return errors.Join(err, last)
}

func benchRow(r *load.Result) []string {
	whole := func(v float64) string { return strconv.FormatFloat(v, 'f', 0, 64) }
	scenario := r.Scenario
	if r.RateAsked > 0 {
		scenario += " at " + whole(r.RateAsked) + "/s"
	}
	servers, fsync := "", "" // of another machine's, or of servers in the client's process
	if r.ServerCPU > 0 {
		servers = fmt.Sprintf("%.2f", r.ServerCPU)
	}
	if r.FsyncMicros > 0 {
		fsync = whole(r.FsyncMicros)
	}
	return []string{
		r.System, r.Scheme, scenario, strconv.Itoa(r.Callers), whole(r.OpsPerSecond),
		whole(r.Latency.P50), whole(r.Latency.P99), whole(r.Latency.P999), whole(r.Latency.Max), fsync,
		servers, fmt.Sprintf("%.2f", r.ClientCPU), fmt.Sprintf("%.1f", r.OthersCPU), strconv.FormatInt(r.Refused, 10), strconv.FormatInt(r.Failed, 10),
	}
}

// benchCostNames are the figures of a load that have a table of their own.
var benchCostNames = []string{"allocations_per_operation", "allocated_bytes_per_operation", "disk_bytes_per_operation", "wire_bytes_per_operation", "commands_per_log_entry"}

func benchCosts(r *load.Result) []string {
	row := []string{r.Name()}
	for _, name := range benchCostNames {
		row = append(row, strconv.FormatFloat(r.Figures[name], 'f', 1, 64))
	}
	return row
}

func newBenchCompareCommand() *cobra.Command {
	var output outputFormat
	cmd := &cobra.Command{
		Use:   "compare OLD.json NEW.json",
		Short: "Say whether a change between two reports is real",
		Long: `Compares the closed loops that two reports have in common: the operations of each
second of the one against those of the other, by a two-sided Mann-Whitney U test.
A change counts as real where p < 0.05. Each report needs four seconds of a load
at least; those of loads that were measured several times are joined. What is not
compared is named: loads with other pools than before, open loops, whose
rate was given, and what only one report has. Batches, groups and whatever else is
unusual are a part of a load's name.

The seconds of one run have much in common, such as what else the machine did:
compare runs of a quiet machine, and repeat what is surprising.`,
		Example: `  cloudlicenses bench compare before/bench.json after/bench.json`,
		Args:    exactArgs(2, "the old report and the new one"),
		RunE: func(cmd *cobra.Command, args []string) error {
			before, err := bench.ReadReport(args[0])
			if err != nil {
				return err
			}
			after, err := bench.ReadReport(args[1])
			if err != nil {
				return err
			}
			compared := bench.Compare(before, after)
			if len(compared.Changes) == 0 {
				return fmt.Errorf("the reports have nothing to compare: %s", strings.Join(compared.LeftOut, "; "))
			}
			if output == outputJSON {
				return printJSON(cmd.OutOrStdout(), compared)
			}
			if compared.OtherMachine != "" {
				if _, err := fmt.Fprintf(cmd.OutOrStdout(), "Not of one machine: %s. What differs may be the machine.\n\n", compared.OtherMachine); err != nil {
					return err
				}
			}
			t := table{header: []string{"MEASUREMENT", "OLD OPS/S", "NEW OPS/S", "OLD P50 µs", "NEW P50 µs", "CHANGE"}}
			for _, c := range compared.Changes {
				t.add(c.Name, fmt.Sprintf("%.0f", c.Old), fmt.Sprintf("%.0f", c.New), fmt.Sprintf("%.0f", c.OldP50), fmt.Sprintf("%.0f", c.NewP50), c.Verdict())
			}
			if err := t.print(cmd.OutOrStdout()); err != nil {
				return err
			}
			for _, what := range compared.LeftOut {
				if _, err := fmt.Fprintln(cmd.OutOrStdout(), "not compared:", what); err != nil {
					return err
				}
			}
			return nil
		},
	}
	output.addTo(cmd.Flags())
	return cmd
}

// newEchoServerCommand is what `bench --echo` starts.
func newEchoServerCommand() *cobra.Command {
	var addr string
	cmd := &cobra.Command{
		Use:    "echo-server",
		Short:  "Answer as the HTTP edge does, with nothing behind it",
		Hidden: true,
		Long: `Answers every checkout as granted and every return as done, through the HTTP
server, decoder and encoder of a node, until it is stopped.`,
		Example: `  cloudlicenses bench echo-server --http 127.0.0.1:9000`,
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return bench.ServeEcho(cmd.Context(), addr) },
	}
	cmd.Flags().StringVar(&addr, "http", "127.0.0.1:0", "address to listen on")
	return cmd
}
