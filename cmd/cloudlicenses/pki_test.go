package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func toText(v any) string { return fmt.Sprint(v) }

// runCommand runs a command line inside the test's process.
func runCommand(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = execute(t.Context(), args, nil, &out, &errs)
	return code, out.String(), errs.String()
}

func mustRun(t *testing.T, args ...string) string {
	t.Helper()
	code, out, errs := runCommand(t, args...)
	require.Zero(t, code, errs)
	return out
}

// newCerts makes a CA with two nodes and a client, and returns its folder.
func newCerts(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "certs")
	mustRun(t, "cert", "create-ca", "--cert-dir", dir)
	for _, id := range []string{"n1", "n2"} {
		mustRun(t, "cert", "create-node", "--cert-dir", dir, "--node-id", id, "--host", id+".example.com,10.0.0.1")
	}
	mustRun(t, "cert", "create-client", "--cert-dir", dir, "--name", "ws-042.example.com")
	return dir
}

func securityOf(dir, node string) (nodeSecurity, error) {
	return loadSecurity(&serverConfig{NodeID: node, CertDir: filepath.Join(dir, node)}, time.Now())
}

func TestCertFiles(t *testing.T) {
	dir := newCerts(t)
	for _, secret := range []string{caKeyFile, gossipKeyFile, kekFile, "n1/" + nodeKeyFile, "n1/" + gossipKeyFile, "ws-042.example.com.key"} {
		info, err := os.Stat(filepath.Join(dir, secret))
		require.NoError(t, err)
		require.Equal(t, modeSecret, info.Mode().Perm(), secret)
	}
	require.NoFileExists(t, filepath.Join(dir, "n1", caKeyFile))

	code, _, errs := runCommand(t, "cert", "create-ca", "--cert-dir", dir)
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "exists already")
	code, _, errs = runCommand(t, "cert", "create-node", "--cert-dir", t.TempDir(), "--node-id", "n1")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "cert create-ca")

	leaf, err := readCert(filepath.Join(dir, "n1", nodeCertFile))
	require.NoError(t, err)
	for _, host := range []string{nodeName, "n1.example.com", "10.0.0.1", "mercedes.localhost", "127.0.0.1"} {
		require.NoError(t, leaf.VerifyHostname(host))
	}
}

// TestNodesProveThemselves: nodes of one CA reach each other; a client's
// certificate, one of another CA and none at all are refused.
func TestNodesProveThemselves(t *testing.T) {
	dir, other := newCerts(t), newCerts(t)
	n1, err := securityOf(dir, "n1")
	require.NoError(t, err)
	n2, err := securityOf(dir, "n2")
	require.NoError(t, err)
	stranger, err := securityOf(other, "n2")
	require.NoError(t, err)

	client := n2.raftClient.Clone()
	client.Certificates, err = pairs(filepath.Join(dir, "ws-042.example.com.crt"), filepath.Join(dir, "ws-042.example.com.key"))
	require.NoError(t, err)
	anonymous := n2.raftClient.Clone()
	anonymous.Certificates = nil
	old := n2.raftClient.Clone()
	old.MinVersion, old.MaxVersion = tls.VersionTLS12, tls.VersionTLS12

	require.NoError(t, handshake(t, n1.raftServer, n2.raftClient))
	require.Error(t, handshake(t, n1.raftServer, stranger.raftClient), "another CA")
	require.Error(t, handshake(t, n1.raftServer, client), "a client's certificate")
	require.Error(t, handshake(t, n1.raftServer, anonymous), "no certificate")
	require.Error(t, handshake(t, n1.raftServer, old), "TLS 1.2")

	// The public API takes a client with the CA's certificate or none.
	byName := func(from *tls.Config) *tls.Config {
		from = from.Clone()
		from.ServerName, from.RootCAs = "acme.localhost", n2.raftClient.RootCAs
		return from
	}
	require.NoError(t, handshake(t, n1.edge, byName(client)))
	require.NoError(t, handshake(t, n1.edge, byName(anonymous)))
	require.Error(t, handshake(t, n1.edge, byName(stranger.raftClient)), "a certificate of another CA")
	require.NotEqual(t, n1.gossipKey, stranger.gossipKey)
	require.Equal(t, n1.gossipKey, n2.gossipKey)
}

func pairs(cert, key string) ([]tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(cert, key)
	return []tls.Certificate{pair}, err
}

// handshake connects two ends and returns the first error of either.
func handshake(t *testing.T, server, client *tls.Config) error {
	t.Helper()
	a, b := net.Pipe()
	defer func() { _ = a.Close(); _ = b.Close() }()
	deadline := time.Now().Add(10 * time.Second)
	require.NoError(t, a.SetDeadline(deadline))
	require.NoError(t, b.SetDeadline(deadline))
	accepted := make(chan error, 1)
	go func() {
		conn := tls.Server(a, server)
		err := conn.Handshake()
		_ = conn.Close()
		accepted <- err
	}()
	dialed := tls.Client(b, client).Handshake()
	_ = b.Close()
	if err := <-accepted; err != nil {
		return err
	}
	return dialed
}

func TestCertificateFaultsAreNamed(t *testing.T) {
	dir, other := newCerts(t), newCerts(t)
	node := filepath.Join(dir, "n1")
	ca, err := loadCA(dir)
	require.NoError(t, err)
	reissue := func(name string, kind leafKind, life time.Duration) {
		require.NoError(t, ca.issue(kind, name, nil, life, time.Now(), filepath.Join(node, nodeCertFile), filepath.Join(node, nodeKeyFile)))
	}
	load := func() error { _, err := securityOf(dir, "n1"); return err }
	require.NoError(t, load())

	reissue("n1", leafNode, -time.Second)
	require.ErrorContains(t, load(), "expired on")
	require.ErrorContains(t, load(), "cert create-node --node-id n1")
	reissue("n9", leafNode, time.Hour)
	require.ErrorContains(t, load(), `is that of node "n9"`)
	reissue("n1", leafClient, time.Hour)
	require.ErrorContains(t, load(), "is not a node's")
	reissue("n1", leafNode, time.Hour)
	require.NoError(t, load())

	_, err = loadSecurity(&serverConfig{NodeID: "n1", CertDir: node}, time.Now().AddDate(20, 0, 0))
	require.ErrorContains(t, err, "the CA")

	foreign, err := os.ReadFile(filepath.Join(other, caCertFile))
	require.NoError(t, err)
	own, err := os.ReadFile(filepath.Join(node, caCertFile))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(node, caCertFile), foreign, modePublic))
	require.ErrorContains(t, load(), "not signed by the CA")
	require.NoError(t, os.WriteFile(filepath.Join(node, caCertFile), own, modePublic))

	require.NoError(t, os.WriteFile(filepath.Join(node, gossipKeyFile), []byte("short"), modeSecret))
	require.ErrorContains(t, load(), "is no key")
	require.NoError(t, os.Remove(filepath.Join(node, nodeKeyFile)))
	require.ErrorContains(t, load(), "certificate missing")
}

func TestCertificateWithoutCA(t *testing.T) {
	_, err := loadSecurity(&serverConfig{NodeID: "n1", CertDir: t.TempDir()}, time.Now())
	require.ErrorContains(t, err, "certificate missing")
	require.ErrorContains(t, err, "cert create-ca")
}

func TestDevelopmentKEK(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "n1")
	cfg := &serverConfig{DataDir: dir, JoinToken: "t"}
	made, remark, err := loadKEK(cfg)
	require.NoError(t, err)
	require.Contains(t, remark, "protects nothing")
	require.Len(t, made, secretBytes)
	require.Equal(t, developmentKEK("t"), made, "nodes that share the token share the key")
	require.NotEqual(t, developmentKEK(""), made)

	cfg.JoinToken = "other"
	again, _, err := loadKEK(cfg)
	require.NoError(t, err)
	require.Equal(t, made, again, "the folder's key is kept")
}

// TestAnyChainNeedsTheNodeName: a certificate that the CA signed for something
// else is no node's.
func TestAnyChainNeedsTheNodeName(t *testing.T) {
	dir := newCerts(t)
	cert, err := readCert(filepath.Join(dir, "ws-042.example.com.crt"))
	require.NoError(t, err)
	require.Equal(t, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, cert.ExtKeyUsage)
	require.Error(t, cert.VerifyHostname(nodeName))
}
