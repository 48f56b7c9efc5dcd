package licenseclient

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strings"
)

// machineIDFiles hold this machine's id on Linux, in order of preference.
var machineIDFiles = []string{"/etc/machine-id", "/var/lib/dbus/machine-id"}

// ExecutableFingerprint returns an application fingerprint for
// Options.Fingerprint: "sha256:" and the hash of the running executable's
// content, its path, the machine's id where there is one, and libVersion. A
// patched or copied application has another. It reads the whole executable;
// call it once.
func ExecutableFingerprint(libVersion string) (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("fingerprint: %w", err)
	}
	machine := ""
	for _, name := range machineIDFiles {
		if id, err := os.ReadFile(name); err == nil { //nolint:gosec // fixed names
			machine = strings.TrimSpace(string(id))
			break
		}
	}
	return fingerprint(path, machine, libVersion)
}

// fingerprint hashes the parts one after the other, each with its length so
// that no two splits of the same bytes are alike.
func fingerprint(path, machine, libVersion string) (string, error) {
	file, err := os.Open(path) //nolint:gosec // the running executable
	if err != nil {
		return "", fmt.Errorf("fingerprint: %w", err)
	}
	defer file.Close()
	content := sha256.New()
	if _, err := io.Copy(content, file); err != nil {
		return "", fmt.Errorf("fingerprint: %w", err)
	}
	all := sha256.New()
	for _, part := range []string{string(content.Sum(nil)), path, machine, libVersion} {
		fmt.Fprintf(all, "%d:%s", len(part), part)
	}
	return "sha256:" + hex.EncodeToString(all.Sum(nil)), nil
}
