package client

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestWrongKeyIsNotTakenIn starts a second node with a key that does not open
// the cluster's secrets: it ends before any group has it as a member.
func TestWrongKeyIsNotTakenIn(t *testing.T) {
	folder := t.TempDir()
	port := freePorts(t, 2*portsOfNode)
	node := func(i int) []string {
		at := func(service int) string { return "127.0.0.1:" + strconv.Itoa(port+i*portsOfNode+service) }
		kek := filepath.Join(folder, "kek"+strconv.Itoa(i))
		if err := os.WriteFile(kek, []byte(strings.Repeat(strconv.Itoa(i), 64)+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return []string{
			"server", "--node-id", "n" + strconv.Itoa(i+1), "--data-dir", filepath.Join(folder, strconv.Itoa(i)), "--insecure",
			"--http", at(0), "--admin", at(1), "--raft", at(2), "--gossip", at(3), "--kek-file", kek,
		}
	}
	first := start(t, append(node(0), "--bootstrap-expect", "1")...).await()
	second := start(t, append(node(1), "--join", "127.0.0.1:"+strconv.Itoa(port+3))...)
	select {
	case <-second.ended:
	case <-t.Context().Done():
		t.Fatal("the second node has not ended")
	}
	if second.err == nil || !strings.Contains(second.output.String(), "does not open the cluster's secrets") {
		t.Errorf("%v: %s", second.err, second.output.Bytes())
	}
	if strings.Contains(second.output.String(), `"msg":"ready"`) {
		t.Error("the second node said that it is ready")
	}
	var status struct {
		Groups []struct {
			Replicas []struct {
				Node string `json:"node"`
			} `json:"replicas"`
		} `json:"groups"`
	}
	out := run(t, []string{"CLOUDLICENSES_ADMIN_TOKEN=" + first.AdminToken}, "cluster", "status", "--admin", first.Nodes[0].Admin, "--output", "json")
	if err := json.Unmarshal(out, &status); err != nil || len(status.Groups) == 0 {
		t.Fatalf("%s: %v", out, err)
	}
	for _, group := range status.Groups {
		if len(group.Replicas) != 1 || group.Replicas[0].Node != "n1" {
			t.Errorf("replicas %+v", group.Replicas)
		}
	}
}
