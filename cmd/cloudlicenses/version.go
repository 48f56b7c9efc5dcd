package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version and commit are set by the Makefile (-ldflags -X); a plain `go build`
// falls back on what Go itself records. A commit is its first commitDigits, and
// has +dirty behind it where the sources were not the commit's.
var version, commit string

const commitDigits = 12

// buildVersion returns the version and the commit of this binary.
func buildVersion() (v, c string) {
	v, c = version, commit
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return orElse(v, "devel"), orElse(c, "unknown")
	}
	if v == "" && info.Main.Version != "(devel)" {
		v = info.Main.Version
	}
	if c == "" {
		settings := map[string]string{}
		for _, s := range info.Settings {
			settings[s.Key] = s.Value
		}
		c = settings["vcs.revision"]
		c = c[:min(len(c), commitDigits)]
		if settings["vcs.modified"] == "true" {
			c += "+dirty"
		}
	}
	return orElse(v, "devel"), orElse(c, "unknown")
}

// versionLine is what `version` and --version print.
func versionLine() string {
	v, c := buildVersion()
	return fmt.Sprintf("cloudlicenses %s (commit %s, %s)", v, c, runtime.Version())
}

func orElse(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

func newVersionCommand() *cobra.Command {
	var output outputFormat
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print version, commit and Go version",
		Example: `  cloudlicenses version
  cloudlicenses version --output json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output == outputJSON {
				v, c := buildVersion()
				return printJSON(cmd.OutOrStdout(), struct {
					Version string `json:"version"`
					Commit  string `json:"commit"`
					Go      string `json:"go"`
				}{v, c, runtime.Version()})
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), versionLine())
			return err
		},
	}
	output.addTo(cmd.Flags())
	return cmd
}
