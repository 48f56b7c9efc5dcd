package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Names of the files in a certificate folder.
const (
	caCertFile    = "ca.crt"
	caKeyFile     = "ca.key" // stays where the CA is; no node needs it
	nodeCertFile  = "node.crt"
	nodeKeyFile   = "node.key"
	gossipKeyFile = "gossip.key"
	kekFile       = "kek.key"
)

// nodeName is a DNS name that every node's certificate carries and no other
// does. Nodes verify it in both directions, so that a node is known by its
// certificate wherever it runs, and a client's certificate opens no Raft port.
const nodeName = "node.cluster.cloudlicenses.internal"

// secretBytes is the length of gossip key and KEK (AES-256).
const secretBytes = 32

// clockSlack dates certificates back a little, for machines whose clocks
// differ.
const clockSlack = 5 * time.Minute

// authority is a cluster's CA.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// leafKind is what a certificate is good for.
type leafKind int

const (
	leafNode leafKind = iota
	leafClient
)

// createCA makes CA, gossip key and KEK in dir. It never overwrites: a second
// CA would lock every node of the first one out.
func createCA(dir, name string, life time.Duration, now time.Time) error {
	for _, f := range []string{caCertFile, caKeyFile, gossipKeyFile, kekFile} {
		if exists(filepath.Join(dir, f)) {
			return fmt.Errorf("%s exists already, and is kept: every certificate of a cluster comes from one CA; for another cluster name another --cert-dir", filepath.Join(dir, f))
		}
	}
	if err := os.MkdirAll(dir, modeFolder); err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber:          newSerial(),
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             now.Add(-clockSlack),
		NotAfter:              now.Add(life),
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	if err := writeKey(filepath.Join(dir, caKeyFile), key); err != nil {
		return err
	}
	for _, f := range []string{gossipKeyFile, kekFile} {
		if err := writeSecret(filepath.Join(dir, f), newSecret()); err != nil {
			return err
		}
	}
	return writeCert(filepath.Join(dir, caCertFile), der)
}

// loadCA reads the CA that createCA made.
func loadCA(dir string) (*authority, error) {
	cert, err := readCert(filepath.Join(dir, caCertFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("no CA in %s; make one with 'cloudlicenses cert create-ca --cert-dir %s'", dir, dir)
	} else if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(filepath.Join(dir, caKeyFile))
	if err != nil {
		return nil, fmt.Errorf("the CA's key: %w", err)
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, fmt.Errorf("%s holds no PEM key", filepath.Join(dir, caKeyFile))
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, caKeyFile), err)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || !key.PublicKey.Equal(cert.PublicKey) {
		return nil, fmt.Errorf("%s and %s do not belong together", caKeyFile, caCertFile)
	}
	return &authority{cert, key}, nil
}

// issue signs a certificate for commonName and its hosts (names or addresses)
// and writes it with its key.
func (ca *authority) issue(kind leafKind, commonName string, hosts []string, life time.Duration, now time.Time, certPath, keyPath string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	notAfter := now.Add(life)
	if notAfter.After(ca.cert.NotAfter) {
		notAfter = ca.cert.NotAfter
	}
	template := &x509.Certificate{
		SerialNumber:          newSerial(),
		Subject:               pkix.Name{CommonName: commonName},
		NotBefore:             now.Add(-clockSlack),
		NotAfter:              notAfter,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if kind == leafNode {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
		template.DNSNames = []string{nodeName}
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, key.Public(), ca.key)
	if err != nil {
		return err
	}
	if err := writeKey(keyPath, key); err != nil {
		return err
	}
	return writeCert(certPath, der)
}

func newSerial() *big.Int {
	var raw [16]byte
	_, _ = rand.Read(raw[:]) // never fails: crypto/rand ends the process instead
	raw[0] &= 0x7f
	return new(big.Int).SetBytes(raw[:])
}

func newSecret() []byte {
	secret := make([]byte, secretBytes)
	_, _ = rand.Read(secret) // never fails: crypto/rand ends the process instead
	return secret
}

func writeKey(path string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return writeFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), modeSecret)
}

func writeCert(path string, der []byte) error {
	return writeFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), modePublic)
}

// writeSecret writes a key of gossip or secrets: hex and a newline.
func writeSecret(path string, secret []byte) error {
	return writeFile(path, []byte(hex.EncodeToString(secret)+"\n"), modeSecret)
}

func readCert(path string) (*x509.Certificate, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, fmt.Errorf("%s holds no PEM certificate", path)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return cert, nil
}
