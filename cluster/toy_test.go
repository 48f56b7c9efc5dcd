package cluster_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/cloudlicenses/cloudlicenses/cluster"
)

// toy is a small machine: commands "op id amount" add an amount once per id,
// and the result is the sum. It keeps its state in one file.
type toy struct {
	dir string

	mu    sync.Mutex
	state toyState
}

type toyState struct {
	Applied uint64           `json:"applied"`
	Clock   int64            `json:"clock"`
	Sum     int64            `json:"sum"`
	Seen    map[string]int64 `json:"seen"` // id → sum after it
	Leads   int64            `json:"leads"`
}

func openToy(dir string) (*toy, error) {
	t := &toy{dir: dir, state: toyState{Seen: map[string]int64{}}}
	b, err := os.ReadFile(filepath.Join(dir, "state.json"))
	if os.IsNotExist(err) {
		return t, nil
	}
	if err != nil {
		return nil, err
	}
	return t, json.Unmarshal(b, &t.state)
}

func add(id string, amount int64) []byte { return fmt.Appendf(nil, "add %s %d", id, amount) }

func (t *toy) Apply(e cluster.Entry) ([][]byte, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e.Index <= t.state.Applied {
		return nil, fmt.Errorf("entry %d again", e.Index)
	}
	t.state.Applied = e.Index
	t.state.Clock = max(t.state.Clock, e.StampMillis)
	var results [][]byte
	for _, c := range e.Commands {
		var op, id string
		var amount int64
		if string(c) == "lead" {
			t.state.Leads++
			results = append(results, nil)
			continue
		}
		if _, err := fmt.Sscanf(string(c), "%s %s %d", &op, &id, &amount); err != nil || op != "add" {
			return nil, fmt.Errorf("undecodable command %q", c)
		}
		sum, seen := t.state.Seen[id]
		if !seen {
			t.state.Sum += amount
			sum = t.state.Sum
			t.state.Seen[id] = sum
		}
		results = append(results, binary.BigEndian.AppendUint64(nil, uint64(sum)))
	}
	return results, nil
}

func (t *toy) AppliedIndex() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.state.Applied
}

func (t *toy) Admit(_ int64, c []byte) []byte {
	if string(c) == "stranger" {
		return []byte("refused")
	}
	return nil
}

func (t *toy) Small(c []byte) bool { return strings.HasPrefix(string(c), "add small") }

func (t *toy) Lead(string) []byte { return []byte("lead") }

func (t *toy) Due(int64) []byte { return nil }

func (t *toy) Query(q []byte) ([]byte, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if string(q) == "state" {
		return json.Marshal(t.state)
	}
	return binary.BigEndian.AppendUint64(nil, uint64(t.state.Sum)), nil
}

type toySnapshot struct {
	t *toy
	b []byte
}

func (t *toy) Snapshot() (cluster.Snapshot, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	b, err := json.Marshal(t.state)
	return toySnapshot{t, b}, err
}

func (s toySnapshot) Persist(dir string) error {
	if err := os.WriteFile(filepath.Join(dir, "state.json"), s.b, 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.t.dir, "state.json"), s.b, 0o600)
}

func (toySnapshot) Release() {}

func (t *toy) Restore(dir string) error {
	b, err := os.ReadFile(filepath.Join(dir, "state.json"))
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.state = toyState{Seen: map[string]int64{}}
	if err := json.Unmarshal(b, &t.state); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(t.dir, "state.json"), b, 0o600)
}

func (t *toy) Close() error { return nil }
