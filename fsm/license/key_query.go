package license

import (
	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
)

//go:generate go run github.com/tinylib/msgp@v1.6.5 -file=key_query.go -o=key_query_gen.go -io=false -tests=false
//msgp:limit arrays:65536 maps:0
//msgp:shim cloudlicenses.Code as:string using:string/cloudlicenses.Code mode:cast
//msgp:shim cloudlicenses.Layer as:string using:string/cloudlicenses.Layer mode:cast

// QueryKey asks who calls by an API key.
const QueryKey fsm.Op = 50 // FindKey → KeyFacts

// FindKey asks the access chain for a caller whose request is no command of
// its own, such as those of a vendor.
//
//msgp:tuple FindKey
type FindKey struct {
	Caller    Caller
	NowMillis int64 // of who asks: the machine's clock stands still where nothing is written
}

// KeyFacts is the caller's key, or why it does not get in.
//
//msgp:tuple KeyFacts
type KeyFacts struct {
	Code  cloudlicenses.Code
	Layer cloudlicenses.Layer
	Key   KeyState
	// Detail says more of a refusal where there is more to say.
	Detail string
}

// key answers QueryKey.
func (q *question) key() (reply, error) {
	var ask FindKey
	if err := q.decode(&ask); err != nil {
		return nil, err
	}
	facts := &KeyFacts{}
	code, err := q.read(func(v view) error {
		var k *key
		now := max(v.state.clock, ask.NowMillis)
		if k, facts.Layer, facts.Code = v.tenant.admitted(&ask.Caller, 0, now); facts.Code == cloudlicenses.OK {
			facts.Key = k.state()
		}
		facts.Detail = k.refusal(facts.Code, &ask.Caller, now)
		return nil
	})
	if code != cloudlicenses.OK {
		facts.Code = code
	}
	return facts, err
}
