package main

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// nodeSecurity is what secures a node; its zero value secures nothing.
type nodeSecurity struct {
	// raftServer and raftClient secure the port between nodes, both ways.
	raftServer, raftClient *tls.Config
	// edge secures the public API, admin the admin address.
	edge, admin *tls.Config
	// gossipKey encrypts gossip.
	gossipKey []byte
}

// loadSecurity reads certificates and gossip key and checks them as the other
// nodes will, so that a fault is found here, at the start, and named.
func loadSecurity(cfg *serverConfig, now time.Time) (nodeSecurity, error) {
	var sec nodeSecurity
	dir := cfg.CertDir
	remake := fmt.Sprintf("make it with 'cloudlicenses cert create-node --node-id %s' from the cluster's CA", cfg.NodeID)

	caPath := filepath.Join(dir, caCertFile)
	ca, err := readCert(caPath)
	if errors.Is(err, os.ErrNotExist) {
		return sec, usagef("certificate missing: %s; copy the cluster's CA there, or make one with 'cloudlicenses cert create-ca'", caPath)
	} else if err != nil {
		return sec, err
	}
	if now.After(ca.NotAfter) {
		return sec, fmt.Errorf("the CA %s expired on %s; make a new one with 'cloudlicenses cert create-ca' and new certificates for every node", caPath, ca.NotAfter.Format(time.DateOnly))
	}
	pool := x509.NewCertPool()
	pool.AddCert(ca)

	node, err := loadPair(filepath.Join(dir, nodeCertFile), filepath.Join(dir, nodeKeyFile), remake)
	if err != nil {
		return sec, err
	}
	if err := checkNodeCert(node.Leaf, pool, cfg.NodeID, now, filepath.Join(dir, nodeCertFile), remake); err != nil {
		return sec, err
	}
	sec.raftServer, sec.raftClient = raftTLS(node, pool)
	sec.admin = adminTLS(node)
	if cfg.HTTPCert != "" {
		public, err := loadPair(cfg.HTTPCert, cfg.HTTPKey, "name the certificate of the public API with --http-cert and --http-key")
		if err != nil {
			return sec, err
		}
		if now.After(public.Leaf.NotAfter) {
			return sec, fmt.Errorf("certificate %s expired on %s; renew it", cfg.HTTPCert, public.Leaf.NotAfter.Format(time.DateOnly))
		}
		node = public
	}
	sec.edge = edgeTLS(node, pool)
	sec.gossipKey, err = readSecret(filepath.Join(dir, gossipKeyFile), "copy it from the folder of the CA: it is the same on every node")
	return sec, err
}

// raftTLS is TLS 1.3 with both ends' certificates, from the cluster's CA and
// with the name that only nodes carry.
func raftTLS(node tls.Certificate, pool *x509.CertPool) (server, client *tls.Config) {
	server = &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{node},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    pool,
		VerifyConnection: func(cs tls.ConnectionState) error {
			return cs.PeerCertificates[0].VerifyHostname(nodeName)
		},
	}
	client = &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{node},
		RootCAs:      pool,
		ServerName:   nodeName,
	}
	return server, client
}

// edgeTLS is the public API's: TLS 1.2 for clients that are older than the
// cluster. A client may prove who it is by a certificate of the cluster's CA;
// whether it has to is its API key's matter.
func edgeTLS(cert tls.Certificate, clientCAs *x509.CertPool) *tls.Config {
	return &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{cert},
		ClientAuth:   tls.VerifyClientCertIfGiven,
		ClientCAs:    clientCAs,
		NextProtos:   []string{"h2", "http/1.1"},
	}
}

// adminTLS is that of the operators' address, whose clients show a token.
func adminTLS(cert tls.Certificate) *tls.Config {
	return &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{cert},
		NextProtos:   []string{"http/1.1"},
	}
}

// loadPair loads a certificate and its key.
func loadPair(certPath, keyPath, remedy string) (tls.Certificate, error) {
	for _, path := range []string{certPath, keyPath} {
		if !exists(path) {
			return tls.Certificate{}, usagef("certificate missing: %s; %s", path, remedy)
		}
	}
	pair, err := tls.LoadX509KeyPair(certPath, keyPath)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("certificate %s with key %s: %w", certPath, keyPath, err)
	}
	return pair, nil
}

// checkNodeCert finds what the other nodes would refuse this one for.
func checkNodeCert(leaf *x509.Certificate, pool *x509.CertPool, nodeID string, now time.Time, path, remake string) error {
	if now.After(leaf.NotAfter) {
		return fmt.Errorf("certificate %s expired on %s; %s", path, leaf.NotAfter.UTC().Format(time.RFC3339), remake)
	}
	if now.Before(leaf.NotBefore) {
		return fmt.Errorf("certificate %s is valid from %s only; is this machine's clock right?", path, leaf.NotBefore.UTC().Format(time.RFC3339))
	}
	_, err := leaf.Verify(x509.VerifyOptions{
		Roots: pool, CurrentTime: now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		return fmt.Errorf("certificate %s is not signed by the CA beside it (%w); %s", path, err, remake)
	}
	if leaf.VerifyHostname(nodeName) != nil {
		return fmt.Errorf("certificate %s is not a node's; %s", path, remake)
	}
	if leaf.Subject.CommonName != nodeID {
		return fmt.Errorf("certificate %s is that of node %q, not of %q; %s", path, leaf.Subject.CommonName, nodeID, remake)
	}
	return nil
}

// readSecret reads a key of 32 bytes in hex.
func readSecret(path, remedy string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, usagef("key missing: %s; %s", path, remedy)
	} else if err != nil {
		return nil, err
	}
	key, err := hex.DecodeString(string(bytes.TrimSpace(data)))
	if err != nil || len(key) != secretBytes {
		return nil, fmt.Errorf("%s is no key: want %d bytes in hex", path, secretBytes)
	}
	return key, nil
}

// developmentKEK is the KEK of `server --insecure` without --kek-file: derived
// from the join token, so that nodes which were given nothing in common but
// that (or not even that) share it. It protects nothing, and is written down
// beside the data so that nobody takes it for a secret.
func developmentKEK(joinToken string) []byte {
	sum := sha256.Sum256([]byte("cloudlicenses development key\x00" + joinToken))
	return sum[:]
}

// loadKEK returns the key that wraps the cluster's secrets, and a remark for
// the log where it protects nothing.
func loadKEK(cfg *serverConfig) (key []byte, remark string, err error) {
	if cfg.KEKFile != "" {
		key, err = readSecret(cfg.KEKFile, "name the cluster's key with --kek-file; 'cloudlicenses cert create-ca' makes one (kek.key)")
		return key, "", err
	}
	path := filepath.Join(cfg.DataDir, kekFile)
	remark = "the cluster's secrets are wrapped by a development key that lies beside them in " + path + " and protects nothing"
	if exists(path) {
		key, err = readSecret(path, "")
		return key, remark, err
	}
	if err := os.MkdirAll(cfg.DataDir, modeFolder); err != nil {
		return nil, "", fmt.Errorf("data folder: %w", err)
	}
	key = developmentKEK(cfg.JoinToken)
	return key, remark, writeSecret(path, key)
}
