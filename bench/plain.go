package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"github.com/tinylib/msgp/msgp"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/cluster"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

const (
	// plainNodes are the replicas of the baseline, and plainGroup its only group.
	plainNodes = 3
	plainGroup = 1
	// plainElection is the baseline's election time-out: the engine's.
	plainElection = 200 * time.Millisecond
	// plainApplyTimeout bounds a command's way into Raft's queue.
	plainApplyTimeout = 10 * time.Second
	// plainLogCache is how many entries the usual cache before the log holds.
	plainLogCache = 512
	stampBytes    = 8
)

// usualPlain is what the baseline runs on.
var usualPlain = plan{mode: ModeEngine, nodes: plainNodes, groups: 1, tenants: 1}

// plain is the baseline of the engine: the same machine, replicated as the
// library's own documentation has it. raft-boltdb keeps log, term and vote, each
// command is an entry of its own, everything is at its default but the time-outs.
type plain struct {
	replicas []*plainReplica
	leader   *plainReplica
}

// plainReplica is one replica.
type plainReplica struct {
	raft    *raft.Raft
	store   *raftboltdb.BoltStore
	machine cluster.Machine
}

// startPlain starts the replicas and waits for a leader.
func startPlain(ctx context.Context, dir string, open OpenMachine) (*plain, error) {
	addrs, err := addresses(plainNodes)
	if err != nil {
		return nil, err
	}
	var servers raft.Configuration
	for i, addr := range addrs {
		servers.Servers = append(servers.Servers, raft.Server{ID: raft.ServerID(strconv.Itoa(i)), Address: raft.ServerAddress(addr)})
	}
	p := &plain{}
	for i, addr := range addrs {
		r, err := openPlain(filepath.Join(dir, strconv.Itoa(i)), strconv.Itoa(i), addr, open)
		if err == nil {
			p.replicas = append(p.replicas, r)
			err = r.raft.BootstrapCluster(servers).Error()
		}
		if err != nil {
			return nil, errors.Join(err, p.stop())
		}
	}
	err = await(ctx, "leader of the baseline", readyWithin, func() error {
		for _, r := range p.replicas {
			if r.raft.State() == raft.Leader {
				p.leader = r
				return nil
			}
		}
		return errors.New("no replica leads")
	})
	return p, err
}

// openPlain opens a replica in dir.
func openPlain(dir, id, addr string, open OpenMachine) (*plainReplica, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	r := &plainReplica{}
	var err error
	if r.machine, err = open(plainGroup, filepath.Join(dir, "machine")); err != nil {
		return nil, err
	}
	if r.store, err = raftboltdb.New(raftboltdb.Options{Path: filepath.Join(dir, "raft.db")}); err != nil {
		return nil, err
	}
	logs, err := raft.NewLogCache(plainLogCache, r.store)
	if err != nil {
		return nil, err
	}
	trans, err := raft.NewTCPTransport(addr, nil, plainNodes, plainApplyTimeout, io.Discard)
	if err != nil {
		return nil, err
	}
	cfg := raft.DefaultConfig()
	cfg.LocalID = raft.ServerID(id)
	cfg.HeartbeatTimeout, cfg.ElectionTimeout, cfg.LeaderLeaseTimeout = plainElection, plainElection, plainElection
	cfg.Logger = hclog.NewNullLogger()
	r.raft, err = raft.NewRaft(cfg, plainFSM{r.machine}, logs, r.store, raft.NewDiscardSnapshotStore(), trans)
	return r, err
}

// stop closes all replicas.
func (p *plain) stop() error {
	var errs []error
	for _, r := range p.replicas {
		errs = append(errs, r.raft.Shutdown().Error(), r.store.Close(), r.machine.Close())
	}
	return errors.Join(errs...)
}

// plainFSM hands entries to the machine, one by one. An entry is the leader's
// time in milliseconds (8 bytes, big endian) and a command.
type plainFSM struct{ machine cluster.Machine }

// Apply implements raft.FSM.
func (f plainFSM) Apply(l *raft.Log) any {
	results, err := f.machine.Apply(cluster.Entry{
		Index: l.Index, StampMillis: int64(binary.BigEndian.Uint64(l.Data)), Commands: [][]byte{l.Data[stampBytes:]}, WantResults: true,
	})
	if err != nil {
		return err
	}
	return results[0]
}

var errNoSnapshots = errors.New("a measurement ends before the baseline's first snapshot")

// Snapshot implements raft.FSM.
func (f plainFSM) Snapshot() (raft.FSMSnapshot, error) { return nil, errNoSnapshots }

// Restore implements raft.FSM.
func (f plainFSM) Restore(io.ReadCloser) error { return errNoSnapshots }

// plainEpoch is the placement of the baseline's tenants.
const plainEpoch = 1

// do implements door.
func (p *plain) do(_ context.Context, tenant cloudlicenses.TenantID, cmd shard.Command) error {
	entry := binary.BigEndian.AppendUint64(make([]byte, 0, 256), uint64(time.Now().UnixMilli()))
	entry, err := plainCommand(entry, tenant, cmd)
	if err != nil {
		return err
	}
	future := p.leader.raft.Apply(entry, plainApplyTimeout)
	if err := future.Error(); err != nil {
		return err
	}
	switch answer := future.Response().(type) {
	case []byte:
		_, err := cmd.Result.UnmarshalMsg(answer)
		return err
	case error:
		return answer
	default:
		return fmt.Errorf("%T is no result of a command", answer)
	}
}

func plainCommand(b []byte, tenant cloudlicenses.TenantID, cmd shard.Command) ([]byte, error) {
	b = fsm.Header{Op: cmd.Op, Version: license.Version, Epoch: plainEpoch, Tenant: tenant}.Append(b)
	if cmd.Payload == nil {
		return b, nil
	}
	return cmd.Payload.MarshalMsg(b)
}

// read implements door.
func (p *plain) read(_ context.Context, tenant cloudlicenses.TenantID, query shard.Command) error {
	if err := p.leader.raft.Barrier(plainApplyTimeout).Error(); err != nil {
		return err
	}
	question, err := plainCommand(nil, tenant, query)
	if err != nil {
		return err
	}
	answer, err := p.leader.machine.Query(question)
	if err != nil {
		return err
	}
	_, err = query.Result.UnmarshalMsg(answer)
	return err
}

// target makes a tenant with pools.
func (p *plain) target(ctx context.Context, pools int) (*engineTarget, error) {
	t := newEngineTarget(pools)
	tenant := engineTenant{id: benchTenant, door: p, key: shard.HashAPIKey([]byte("baseline"), echoKey)}
	licenses := license.PutLicenses{}
	for _, product := range t.products {
		licenses.Licenses = append(licenses.Licenses, license.License{
			ID: cloudlicenses.LicenseID("lic-" + product), VendorID: "bench", ProductID: product, Total: seats, CommitQty: seats,
			Currency: "EUR", Status: cloudlicenses.LicenseProvisioned,
		})
	}
	key := license.Key{ID: "key-1", Hash: tenant.key, Scopes: cloudlicenses.ScopeCheckout | cloudlicenses.ScopeReturn}
	for _, step := range []struct {
		op      fsm.Op
		payload msgp.Marshaler
	}{
		{license.OpTenant, &license.PutTenant{Epoch: plainEpoch}},
		{license.OpLicenses, &licenses},
	} {
		var ack license.Ack
		if err := p.do(ctx, tenant.id, shard.Command{Op: step.op, Payload: step.payload, Result: &ack}); err != nil {
			return nil, err
		}
		if ack.Code != cloudlicenses.OK {
			return nil, fmt.Errorf("tenant of the baseline: %s: %s", ack.Code, ack.Detail)
		}
	}
	var made license.KeyResult
	put := &license.PutKey{By: license.By{Platform: true}, Key: key}
	if err := p.do(ctx, tenant.id, shard.Command{Op: license.OpKey, Payload: put, Result: &made}); err != nil {
		return nil, err
	}
	if made.Code != cloudlicenses.OK {
		return nil, fmt.Errorf("key of the baseline: %s: %s", made.Code, made.Detail)
	}
	t.tenants = []engineTenant{tenant}
	return t, nil
}
