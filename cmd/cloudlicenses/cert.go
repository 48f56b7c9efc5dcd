package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"
)

const day = 24 * time.Hour

// Default lives of certificates, in days. A node's is renewed by making it
// again and restarting the node.
const (
	caDays   = 3650
	leafDays = 825
)

func newCertCommand() *cobra.Command {
	return newGroup("cert", "Make the certificates and keys of a secured cluster",
		`A secured cluster needs a CA, a certificate for every node, a key for gossip and
a key (KEK) that wraps the cluster's secrets. These commands make them.`,
		newCreateCACommand(), newCreateNodeCommand(), newCreateClientCommand())
}

func newCreateCACommand() *cobra.Command {
	var dir, name string
	var days int
	cmd := &cobra.Command{
		Use:   "create-ca",
		Short: "Make the cluster's CA, gossip key and KEK",
		Long: `Makes ca.crt, ca.key, gossip.key and kek.key in --cert-dir and overwrites nothing.
ca.key stays here: no node needs it. kek.key goes to every node, to a place
outside its data folder and its backups: it opens what they hold.`,
		Example: `  cloudlicenses cert create-ca --cert-dir certs`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkDays(days); err != nil {
				return err
			}
			if err := createCA(dir, name, time.Duration(days)*day, time.Now()); err != nil {
				return err
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), `Made in %s:
  ca.crt      the CA's certificate: goes to every node and client
  ca.key      the CA's key: stays here
  gossip.key  goes to every node
  kek.key     goes to every node, outside its data folder (--kek-file)
Next: cloudlicenses cert create-node --cert-dir %s --node-id n1 --host NAME_OR_ADDRESS
`, dir, dir)
			return err
		},
	}
	addCertDir(cmd, &dir)
	cmd.Flags().StringVar(&name, "name", "cloudlicenses cluster CA", "the CA's common name")
	cmd.Flags().IntVar(&days, "days", caDays, "days the CA is valid")
	return cmd
}

func newCreateNodeCommand() *cobra.Command {
	var dir, out, nodeID, domain string
	var hosts []string
	var days int
	cmd := &cobra.Command{
		Use:   "create-node",
		Short: "Make a node's certificate",
		Long: `Makes node.crt and node.key in --out, signed by the CA in --cert-dir, with copies
of ca.crt and gossip.key: the folder that 'server --cert-dir' wants. Making it
again renews it.`,
		Example: `  cloudlicenses cert create-node --cert-dir certs --node-id n1 --host n1.example.com --host 10.0.0.1 --domain example.com
  cloudlicenses server --node-id n1 --cert-dir certs/n1 --kek-file certs/kek.key …`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !validNodeID(nodeID) {
				return usagef("--node-id %q: want 1–63 letters, digits, '.', '_' and '-'", nodeID)
			}
			if err := checkDays(days); err != nil {
				return err
			}
			ca, err := loadCA(dir)
			if err != nil {
				return err
			}
			out = orElse(out, filepath.Join(dir, nodeID))
			if err := os.MkdirAll(out, modeFolder); err != nil {
				return err
			}
			for _, f := range []string{caCertFile, gossipKeyFile} {
				if err := copyCredential(dir, out, f); err != nil {
					return err
				}
			}
			err = ca.issue(leafNode, nodeID, nodeHosts(hosts, domain), time.Duration(days)*day, time.Now(),
				filepath.Join(out, nodeCertFile), filepath.Join(out, nodeKeyFile))
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "Made the certificate of %s in %s.\nStart it with: cloudlicenses server --node-id %s --cert-dir %s --kek-file %s …\n",
				nodeID, out, nodeID, out, filepath.Join(dir, kekFile))
			return err
		},
	}
	addCertDir(cmd, &dir)
	cmd.Flags().StringVar(&nodeID, "node-id", "", "the node's id (required)")
	cmd.Flags().StringSliceVar(&hosts, "host", nil, "name or address under which clients reach the node; repeat for more")
	cmd.Flags().StringVar(&domain, "domain", "localhost", "domain of the platform: it and its subdomains are added to the names")
	cmd.Flags().StringVar(&out, "out", "", "folder to write to (default: the node's id below --cert-dir)")
	cmd.Flags().IntVar(&days, "days", leafDays, "days the certificate is valid")
	return cmd
}

func newCreateClientCommand() *cobra.Command {
	var dir, out, name string
	var days int
	cmd := &cobra.Command{
		Use:   "create-client",
		Short: "Make a client's certificate",
		Long: `Makes NAME.crt and NAME.key in --out, signed by the CA in --cert-dir, for a
client that proves who it is by certificate. It opens no port between nodes.`,
		Example: `  cloudlicenses cert create-client --cert-dir certs --name davinci-ws-042.mercedes.com
  curl --cacert certs/ca.crt --cert certs/davinci-ws-042.mercedes.com.crt --key certs/davinci-ws-042.mercedes.com.key …`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if name == "" || name != filepath.Base(name) || name[0] == '.' {
				return usagef("--name %q: want the client's name, such as davinci-ws-042.mercedes.com", name)
			}
			if err := checkDays(days); err != nil {
				return err
			}
			ca, err := loadCA(dir)
			if err != nil {
				return err
			}
			out = orElse(out, dir)
			if err := os.MkdirAll(out, modeFolder); err != nil {
				return err
			}
			certPath, keyPath := filepath.Join(out, name+".crt"), filepath.Join(out, name+".key")
			if slices.Contains([]string{caCertFile, nodeCertFile}, name+".crt") {
				return usagef("--name %q would overwrite another certificate", name)
			}
			if err := ca.issue(leafClient, name, nil, time.Duration(days)*day, time.Now(), certPath, keyPath); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "Made %s and %s.\n", certPath, keyPath)
			return err
		},
	}
	addCertDir(cmd, &dir)
	cmd.Flags().StringVar(&name, "name", "", "the client's name, the certificate's CN (required)")
	cmd.Flags().StringVar(&out, "out", "", "folder to write to (default: --cert-dir)")
	cmd.Flags().IntVar(&days, "days", leafDays, "days the certificate is valid")
	return cmd
}

func addCertDir(cmd *cobra.Command, dir *string) {
	cmd.Flags().StringVar(dir, "cert-dir", "certs", "folder of the CA")
}

func checkDays(days int) error {
	if days < 1 || days > 36500 {
		return usagef("--days %d: want 1–36500", days)
	}
	return nil
}

// nodeHosts adds to a node's own names those under which it serves tenants,
// and this machine's.
func nodeHosts(hosts []string, domain string) []string {
	all := slices.Concat(hosts, []string{domain, "*." + domain, "localhost", "*.localhost", "127.0.0.1", "::1"})
	slices.Sort(all)
	return slices.Compact(all)
}

// copyCredential copies a file of the CA's folder into a node's.
func copyCredential(from, to, name string) error {
	data, err := os.ReadFile(filepath.Join(from, name))
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s is missing in %s, the folder of the CA", name, from)
	} else if err != nil {
		return err
	}
	mode := modePublic
	if name == gossipKeyFile {
		mode = modeSecret
	}
	return writeFile(filepath.Join(to, name), data, mode)
}
