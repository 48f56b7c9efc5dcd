package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBenchUsage(t *testing.T) {
	t.Setenv("LICENSE_API_KEY", "")
	for want, args := range map[string][]string{
		"there are hot, spread, batch":     {"--scenario", "warm"},
		"--rate \"fast\"":                  {"--rate", "fast"},
		"--peers \"oracle\"":               {"--peers", "oracle"},
		"without --url":                    {"--url", "http://127.0.0.1:1", "--nodes", "5"},
		"--host is of a running cluster":   {"--host", "load.localhost"},
		"--rate is settled by --full":      {"--full", "--rate", "5"},
		"--profile is settled by --full":   {"--full", "--profile", "cpu"},
		"a CA is of a secured cluster":     {"--url", "http://127.0.0.1:1", "--host", "a.localhost", "--api-key", "k", "--ca-file", "none"},
		"--leases is of scenario million":  {"--leases", "1000"},
		"kills has as many as it needs":    {"--scenario", "kills", "--callers", "16"},
		"no profile \"heap\"":              {"--profile", "heap"},
		"0 callers":                        {"--callers", "0"},
		"no route":                         {"--route", "detour"},
		"no mode":                          {"--mode", "telnet"},
		"knows no URL, TLS":                {"--mode", "engine", "--tls"},
		"a batch of 5000":                  {"--batch", "5000"},
		"no API key":                       {"--url", "http://127.0.0.1:1"},
		"wants the old report and the new": {"compare", "one.json"},
	} {
		code, out, errs := runCommand(t, append([]string{"bench"}, args...)...)
		require.Equal(t, exitUsage, code, "%v: %s", args, errs)
		require.Contains(t, errs, want, "%v", args)
		require.Empty(t, out, "%v", args)
	}
}

func TestBenchCompare(t *testing.T) {
	write := func(name, perSecond string) string {
		path := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(path, []byte(`{"results":[{"system":"cloudlicenses","scenario":"hot","callers":16,"operations":1,"per_second":[`+perSecond+`]}]}`), 0o600))
		return path
	}
	before, after := write("before.json", "100,101,102,103,104,105"), write("after.json", "110,111,112,113,114,115")
	code, out, errs := runCommand(t, "bench", "compare", before, after)
	require.Equal(t, exitOK, code, errs)
	require.Contains(t, out, "cloudlicenses hot, 16 callers")
	require.Contains(t, out, "faster by 9.8 % (p=0.002, n=6+6)")
	code, out, errs = runCommand(t, "bench", "compare", before, before)
	require.Equal(t, exitOK, code, errs)
	require.Contains(t, out, "no real change")
	code, _, errs = runCommand(t, "bench", "compare", before, filepath.Join(t.TempDir(), "none.json"))
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "none.json")
}
