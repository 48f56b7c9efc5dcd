package directory

import (
	"fmt"

	"github.com/tinylib/msgp/msgp"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
)

// change is a decoded command, ready to be applied; it returns its result.
type change func(s *state) msgp.Marshaler

// operation decodes a payload.
type operation func(payload []byte) (change, error)

// operations is the table of commands, indexed by op.
var operations [256]operation

func init() {
	register(OpLead, (*state).lead)
	register(OpInit, (*state).initCluster)
	register(OpVendor, (*state).putVendor)
	register(OpTenant, (*state).createTenant)
	register(OpTenantUp, (*state).setTenantStatus)
	register(OpReserve, (*state).reserveLicenses)
	register(OpVendorStatus, (*state).setVendorStatus)
}

// unmarshaler is a *T that decodes itself.
type unmarshaler[T any] interface {
	*T
	msgp.Unmarshaler
}

// register adds an operation; a number used twice is a programming error.
func register[T any, P unmarshaler[T]](op fsm.Op, apply func(*state, P) msgp.Marshaler) {
	if operations[op] != nil {
		panic(fmt.Sprintf("directory: op %d is registered twice", op))
	}
	operations[op] = func(payload []byte) (change, error) {
		command := new(T)
		if err := decode(payload, P(command)); err != nil {
			return nil, err
		}
		return func(s *state) msgp.Marshaler { return apply(s, command) }, nil
	}
}

// decodeCommand decodes a command, header and payload.
func decodeCommand(command []byte) (change, error) {
	h, _, payload, err := fsm.SplitHeader(command)
	if err != nil {
		return nil, err
	}
	operation := operations[h.Op]
	if operation == nil || h.Version != Version {
		return nil, fmt.Errorf("op %d version %d: unknown to this release", h.Op, h.Version)
	}
	c, err := operation(payload)
	if err != nil {
		return nil, fmt.Errorf("op %d: %w", h.Op, err)
	}
	return c, nil
}

// lead opens a leader's term; the directory remembers nothing of it.
func (s *state) lead(*Lead) msgp.Marshaler { return Ack{} }

// initCluster keeps the first birth record that comes.
func (s *state) initCluster(c *Init) msgp.Marshaler {
	if s.cluster != nil {
		if s.cluster.ClusterID == c.ClusterID {
			return Ack{}
		}
		return Ack{Code: cloudlicenses.AlreadyExists, Detail: "the cluster has its birth record: " + s.cluster.ClusterID}
	}
	if c.ClusterID == "" || len(c.Groups) == 0 {
		return Ack{Code: cloudlicenses.InvalidField, Detail: "a cluster needs an id and a license group"}
	}
	for i, g := range c.Groups {
		if g.ID == 0 || (i > 0 && c.Groups[i-1].ID >= g.ID) {
			return Ack{Code: cloudlicenses.InvalidField, Detail: "license groups are numbered from 1 and listed in order"}
		}
	}
	s.cluster = c
	s.put([]byte{kindCluster}, c)
	return Ack{}
}
