package peer

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// installTries: mirrors hiccup.
const installTries = 3

// InstallPackages installs Debian packages by steps, in a shell in which `get`
// is an apt-get that asks nothing. It runs as root, or by sudo. The error wraps
// ErrNotInstalled.
func InstallPackages(ctx context.Context, what, steps string) error {
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("%s %w: this is no Debian; install it with your package manager", what, ErrNotInstalled)
	}
	argv := []string{"sh", "-ec", shellHead + steps}
	if os.Geteuid() != 0 {
		if _, err := exec.LookPath("sudo"); err != nil {
			return fmt.Errorf("%s %w: run as root, or install it yourself", what, ErrNotInstalled)
		}
		argv = append([]string{"sudo"}, argv...)
	}
	var said string
	var err error
	for range installTries {
		fmt.Fprintf(os.Stderr, "installing %s\n", what)
		var out []byte
		if out, err = exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput(); err == nil {
			return nil
		}
		said = strings.TrimSpace(string(out[max(0, len(out)-logTail):]))
		if ctx.Err() != nil {
			break
		}
	}
	return fmt.Errorf("%s %w: %w\n%s", what, ErrNotInstalled, err, said)
}

// shellHead waits for another apt instead of failing, and fetches the lists
// first: a new machine has none.
const shellHead = `
export DEBIAN_FRONTEND=noninteractive
get() { apt-get -qq -o DPkg::Lock::Timeout=120 -o Acquire::Retries=3 "$@" </dev/null; }
get update
`
