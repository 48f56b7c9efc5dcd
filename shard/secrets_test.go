package shard

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses/cluster"
	"github.com/cloudlicenses/cloudlicenses/fsm/directory"
)

func TestSecretsAreWrapped(t *testing.T) {
	kek := bytes.Repeat([]byte{7}, KEKBytes)
	secrets := newSecrets()
	wrapped, err := wrapSecrets(secrets, kek, "c-1")
	require.NoError(t, err)
	require.NotContains(t, string(wrapped), secrets.AdminToken)
	require.NotContains(t, fmt.Sprintf("%v %s", secrets, secrets), secrets.AdminToken)
	got, err := unwrapSecrets(wrapped, kek, "c-1")
	require.NoError(t, err)
	require.Equal(t, *secrets, *got)

	_, err = unwrapSecrets(wrapped, bytes.Repeat([]byte{8}, KEKBytes), "c-1")
	require.ErrorIs(t, err, ErrKEK)
	require.ErrorContains(t, err, "--kek-file")
	_, err = unwrapSecrets(wrapped, kek, "c-2")
	require.ErrorIs(t, err, ErrKEK, "another cluster's record")
	_, err = unwrapSecrets(wrapped, kek[:16], "c-1")
	require.ErrorContains(t, err, "--kek-file has 16 bytes")
	for i := range wrapped {
		bent := bytes.Clone(wrapped)
		bent[i] ^= 1
		_, err = unwrapSecrets(bent, kek, "c-1")
		require.Error(t, err)
		_, err = unwrapSecrets(wrapped[:i], kek, "c-1")
		require.Error(t, err)
	}
}

func TestAdopt(t *testing.T) {
	kek := bytes.Repeat([]byte{7}, KEKBytes)
	wrapped, err := wrapSecrets(newSecrets(), kek, "c-1")
	require.NoError(t, err)
	birth := &directory.Init{ClusterID: "c-1", Secrets: wrapped, JoinTokenHash: hashToken("join")}
	_, s := newScript(t)
	cfg := BootConfig{KEK: kek, DataDir: t.TempDir(), JoinToken: "wrong"}
	require.ErrorIs(t, s.adopt(birth, cfg), ErrJoinToken)
	require.Nil(t, s.Secrets())
	cfg.JoinToken = "join"
	cfg.KEK = make([]byte, KEKBytes)
	require.ErrorIs(t, s.adopt(birth, cfg), ErrKEK)
	require.NoFileExists(t, filepath.Join(cfg.DataDir, clusterIDFile), "a node that can't open the secrets is no member yet")
	cfg.KEK = kek
	require.NoError(t, s.adopt(birth, cfg))
	token, err := os.ReadFile(filepath.Join(cfg.DataDir, adminTokenFile))
	require.NoError(t, err)
	require.Equal(t, s.Secrets().AdminToken+"\n", string(token))
	info, err := os.Stat(filepath.Join(cfg.DataDir, adminTokenFile))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	// A member may change the token it was started with, not its cluster.
	cfg.JoinToken, cfg.AdminTokenFile = "later", filepath.Join(t.TempDir(), "token")
	require.NoError(t, s.adopt(birth, cfg))
	require.FileExists(t, cfg.AdminTokenFile)
	birth.ClusterID = "c-2"
	err = s.adopt(birth, cfg)
	require.ErrorIs(t, err, ErrOtherCluster)
	require.ErrorContains(t, err, "c-1")
	require.ErrorContains(t, err, "c-2")
	left, err := filepath.Glob(filepath.Join(cfg.DataDir, ".*"))
	require.NoError(t, err)
	require.Empty(t, left, "no temporary file is left")
}

func TestBootRefusesAShortKEKAtOnce(t *testing.T) {
	_, s := newScript(t)
	require.ErrorContains(t, s.Boot(context.Background(), BootConfig{KEK: []byte("short")}), "--kek-file has 5 bytes")
}

func TestGroupsOf(t *testing.T) {
	members := []cluster.Member{{ID: "n1", Region: "eu"}, {ID: "n2", Region: "us"}, {ID: "n3", Region: "us"}, {ID: "n4"}}
	got := groupsOf(map[cluster.GroupID][]string{
		0: {"n1"}, 3: {"n4"}, 1: {"n2", "n1", "n3"}, 2: {"n2", "n1"},
	}, members, "home")
	require.Equal(t, []directory.Group{
		{ID: 1, Region: "us", Nodes: []string{"n1", "n2", "n3"}},
		{ID: 2, Region: "eu", Nodes: []string{"n1", "n2"}},
		{ID: 3, Region: "home", Nodes: []string{"n4"}},
	}, got)
}
