package license_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"
	"github.com/tinylib/msgp/msgp"
	"pgregory.net/rapid"

	cl "github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// TestSessions runs every file below testdata/sessions. Each file is one
// group's life: a command line is one entry of its log, what stands below
// ---- is its result and the pools it changed. `go test -run TestSessions
// -rewrite` writes the results down anew; read the difference.
//
// Every file runs three times, and all three must read the same: as it is,
// with restarts, and moved by snapshots to fresh machines. Together the two
// interrupt at every command.
func TestSessions(t *testing.T) {
	for _, mode := range []string{"plain", "moved", "restarted"}[:min(3, atRace(10))] {
		t.Run(mode, func(t *testing.T) {
			datadriven.Walk(t, "testdata/sessions", func(t *testing.T, path string) {
				s := newSession(t)
				datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
					s.r.t, s.steps = t, s.steps+1
					out := s.run(d)
					switch {
					case mode == "restarted" && s.steps%2 == 0:
						s.r.reopen()
					case mode == "moved" && s.steps%2 == 1 && (!raced || s.steps%5 == 0):
						s.r.move(fmt.Sprint("moved-", s.steps))
					}
					return out
				})
				var proof license.AuditProof
				askAt(t, s.r.m, s.tenant, s.epoch, license.QueryVerify, &license.VerifyAudit{}, &proof)
				if s.removed {
					require.Equal(t, cl.StalePlacement, proof.Code)
					return
				}
				require.Equal(t, cl.OK, proof.Code)
				require.True(t, proof.Valid, proof.Detail)
			})
		})
	}
}

// session reads and writes a datadriven file.
type session struct {
	r      *rig
	tenant cl.TenantID
	epoch  uint32
	steps  int
	serial uint64
	// removed: the tenant is no more.
	removed bool
	shown   map[cl.LicenseID]string // the pool line last shown
}

func newSession(t *testing.T) *session {
	return &session{r: newRig(t, fastStore()), tenant: "acme", epoch: 1, shown: map[cl.LicenseID]string{}}
}

// run runs a directive: its own line, then each line below it as one more
// command of the same entry.
func (s *session) run(d *datadriven.TestData) string {
	line := d.Cmd
	args := arguments{t: s.r.t, line: d.Pos, args: d.CmdArgs}
	if show, ok := shows[line]; ok {
		return show(s, args)
	}
	if d.Cmd != "entry" {
		op, body := s.command(d.Cmd, args)
		return s.propose([]fsm.Op{op}, []msgp.Marshaler{body}, args)
	}
	var ops []fsm.Op
	var bodies []msgp.Marshaler
	for _, line := range strings.Split(strings.TrimSpace(d.Input), "\n") {
		name, lineArgs, err := datadriven.ParseLine(line)
		require.NoError(s.r.t, err)
		op, body := s.command(name, arguments{t: s.r.t, line: d.Pos, args: lineArgs})
		ops, bodies = append(ops, op), append(bodies, body)
	}
	return s.propose(ops, bodies, args)
}

// propose applies the commands as one entry and shows what came of them.
func (s *session) propose(ops []fsm.Op, bodies []msgp.Marshaler, a arguments) string {
	commands := make([][]byte, len(ops))
	epoch := uint32(a.number("epoch", int64(s.epoch)))
	tenant := cl.TenantID(a.text("tenant", string(s.tenant)))
	for i := range ops {
		if put, ok := bodies[i].(*license.PutTenant); ok {
			s.epoch = max(s.epoch, put.Epoch)
			epoch = put.Epoch
		}
		to := tenant
		if ops[i] == license.OpLead || ops[i] == license.OpExpire || ops[i] == license.OpOutboxTried {
			to = ""
		}
		commands[i] = encode(ops[i], to, epoch, bodies[i])
	}
	var out strings.Builder
	for i, result := range s.r.apply(commands...) {
		switch ops[i] {
		case license.OpCheckout, license.OpHeartbeat, license.OpReturn, license.OpRelease:
			s.showLease(&out, ops[i], decodeLease(s.r.t, result), a.text("mentions", ""))
		default:
			if isUserOp(ops[i]) {
				s.showUser(&out, decodeUser(s.r.t, result))
				continue
			}
			if isSSOOp(ops[i]) {
				s.showSSO(&out, result)
				continue
			}
			if isKeyOp(ops[i]) {
				s.showKey(&out, decodeKey(s.r.t, result))
				continue
			}
			if isEndpointOp(ops[i]) {
				s.showEndpoint(&out, result)
				continue
			}
			if ops[i] == license.OpPutProduct {
				s.showProduct(&out, result)
				continue
			}
			if s.showLife(&out, ops[i], result) {
				continue
			}
			ack := decodeAck(s.r.t, result)
			s.showCode(&out, ack.Code, ack.Layer, ack.Detail, a.text("mentions", ""))
			s.removed = s.removed || ops[i] == license.OpRemoveTenant && ack.Code == cl.OK
			if ack.Code == cl.PlanLimitExceeded {
				fmt.Fprintf(&out, "%s\n%s\n", useLine(&ack.Use), ack.Detail)
			}
			if ack.LicenseID != "" {
				fmt.Fprintf(&out, "in the way: %s\n", ack.LicenseID)
			}
		}
	}
	s.showPools(&out)
	return out.String()
}

// command builds the body of a command line.
func (s *session) command(name string, a arguments) (fsm.Op, msgp.Marshaler) {
	switch name {
	case "tenant":
		return license.OpTenant, &license.PutTenant{
			Epoch: uint32(a.number("epoch", 1)), URL: "https://acme.localhost", Plan: cl.Plan(a.text("plan", "")), DataKey: []byte(a.text("data-key", "wrapped")),
			CheckoutsPerMinute: a.number("per-minute", 0),
		}
	case "license":
		return license.OpLicenses, &license.PutLicenses{Licenses: []license.License{s.license(a)}}
	case "amend":
		return license.OpAmend, &license.AmendLicense{License: s.license(a)}
	case "status":
		return license.OpStatus, &license.SetLicenseStatus{ID: cl.LicenseID(a.text("id", "lic-1")), Status: cl.LicenseStatus(a.text("to", ""))}
	case "checkout":
		return license.OpCheckout, s.checkout(a)
	case "heartbeat":
		return license.OpHeartbeat, &license.Heartbeat{Caller: s.caller(a), LeaseID: cl.LeaseID(a.number("lease", 0))}
	case "return":
		return license.OpReturn, &license.Return{Caller: s.caller(a), LeaseID: cl.LeaseID(a.number("lease", 0))}
	case "release":
		return license.OpRelease, &license.Release{Actor: a.text("actor", "admin@acme"), LeaseID: cl.LeaseID(a.number("lease", 0))}
	case "lead":
		return license.OpLead, &license.Lead{Node: a.text("node", "n1")}
	case "expire":
		return license.OpExpire, &license.Expire{Limit: a.number("limit", 1000)}
	case "rules":
		return license.OpRules, s.rules(a)
	case "put-signup":
		return license.OpPutSignUp, &license.PutSignUp{
			TokenHash: keyHash(a.text("token", "")), Country: "DE", Email: "admin@acme", Name: "Ann", ExpiresMillis: s.r.now + a.duration("life", hour),
		}
	case "own-signup":
		return license.OpOwnSignUp, &license.OwnSignUp{UserID: "user-9", Token: "t9", ExpiresMillis: s.r.now + hour, Company: "Acme"}
	case "try-signup":
		return license.OpTrySignUp, &license.TrySignUp{TokenHash: tokenHash(a.text("token", ""))}
	}
	if op, body, known := s.webhookCommand(name, a); known {
		return op, body
	}
	if op, body, known := s.provisionCommand(name, a); known {
		return op, body
	}
	if op, body, known := s.ssoCommand(name, a); known {
		return op, body
	}
	if op, body, known := s.userCommand(name, a); known {
		return op, body
	}
	if op, body, known := s.keyCommand(name, a); known {
		return op, body
	}
	if op, body, known := s.lifeCommand(name, a); known {
		return op, body
	}
	if op, body, known := s.vendorCommand(name, a); known {
		return op, body
	}
	s.r.t.Fatalf("%s: unknown command %q", a.line, name)
	return 0, nil
}

func (s *session) license(a arguments) license.License {
	return license.License{
		ID: cl.LicenseID(a.text("id", "lic-1")), VendorID: cl.VendorID(a.text("vendor", "vector")),
		ProductID: cl.ProductID(a.text("product", "cad")), ProductName: "CAD", Constraint: a.text("constraint", ""),
		Total: a.number("total", 20), CommitQty: a.number("commit", 5), MaxOverage: a.number("overage", 15),
		CommitFeeMinor: 500_000, OverageFeeMinor: a.number("fee", 50_000), Currency: cl.Currency(a.text("currency", "EUR")),
		StartMillis: a.time("start", epochStart-240*hour), EndMillis: a.time("end", 0),
		Status: cl.LicenseStatus(a.text("status", string(cl.LicenseProvisioned))),
	}
}

func (s *session) caller(a arguments) license.Caller {
	return license.Caller{
		KeyHash: keyHash(a.text("key", "k1")), Hostname: a.text("host", "ws-1"), Address: a.text("address", "10.0.0.1"),
		Fingerprint: a.text("fingerprint", ""), LibVersion: a.text("lib", ""), CertName: a.text("cert", ""),
	}
}

func (s *session) checkout(a arguments) *license.Checkout {
	s.serial++
	c := &license.Checkout{
		Caller: s.caller(a), Intent: serial(s.serial), VendorID: cl.VendorID(a.text("vendor", "")),
		ProductID: cl.ProductID(a.text("product", "cad")), User: a.text("user", "alice"), Count: a.number("count", 1),
		AppVersion: a.text("version", ""), TTLMillis: a.duration("ttl", cl.DefaultTTL.Milliseconds()), AllowOverage: !a.has("no-overage"),
	}
	c.BodyHash = bodyHash(c)
	if text := a.text("intent", ""); text != "" {
		c.Intent, c.IntentByClient = intentOf(text), true
	} else if text := a.text("request", ""); text != "" {
		c.Intent = intentOf(text)
	}
	return c
}

// rules reads caps as cap=(license:lic-1:uses=3) or cap=(key:k1:minor=5000).
func (s *session) rules(a arguments) *license.SetRules {
	set := &license.SetRules{By: a.by(), Rules: license.Rules{DenyOverage: a.has("deny")}}
	for _, text := range a.list("caps") {
		of, limit, _ := strings.Cut(text, "=")
		parts := strings.Split(of, ":")
		require.Len(s.r.t, parts, 3, text)
		c := license.Cap{MaxUses: -1, MaxMinor: -1}
		if parts[0] == "key" {
			c.KeyID = cl.KeyID(parts[1])
		} else {
			c.LicenseID = cl.LicenseID(parts[1])
		}
		switch parts[2] {
		case "uses":
			c.MaxUses = a.parse(limit)
		case "minor":
			c.MaxMinor = a.parse(limit)
		default: // a currency
			c.MaxMinor, c.Currency = a.parse(limit), cl.Currency(parts[2])
		}
		set.Rules.Caps = append(set.Rules.Caps, c)
	}
	return set
}

// arguments are the key=value pairs of a line.
type arguments struct {
	t    rapid.TB
	line string
	args []datadriven.CmdArg
}

func (a arguments) has(key string) bool {
	return slices.ContainsFunc(a.args, func(c datadriven.CmdArg) bool { return c.Key == key })
}

func (a arguments) list(key string) []string {
	for _, c := range a.args {
		if c.Key == key {
			return c.Vals
		}
	}
	return nil
}

func (a arguments) text(key, otherwise string) string {
	if values := a.list(key); len(values) > 0 {
		return values[0]
	}
	return otherwise
}

func (a arguments) parse(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	require.NoError(a.t, err, a.line)
	return n
}

func (a arguments) number(key string, otherwise int64) int64 {
	if text := a.text(key, ""); text != "" {
		return a.parse(text)
	}
	return otherwise
}

func (a arguments) duration(key string, otherwise int64) int64 {
	if text := a.text(key, ""); text != "" {
		d, err := time.ParseDuration(text)
		require.NoError(a.t, err, a.line)
		return d.Milliseconds()
	}
	return otherwise
}

func (a arguments) time(key string, otherwise int64) int64 {
	if text := a.text(key, ""); text != "" {
		at, err := time.Parse(time.RFC3339, text)
		require.NoError(a.t, err, a.line)
		return at.UnixMilli()
	}
	return otherwise
}
