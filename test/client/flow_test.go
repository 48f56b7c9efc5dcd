package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	licenseclient "github.com/cloudlicenses/cloudlicenses/clients/go"
)

const (
	product     = "davinci-configurator-se"
	license     = "lic-vector-mercedes-2025-001"
	workstation = "dev-ws-042.mercedes.com"
	// workstationAddress is where that host calls from.
	workstationAddress = "10.0.1.42"

	adminEmail    = "admin@mercedes.com"
	adminPassword = "a password of Mercedes"
	invoiceToken  = "vector-internal-key"
	invoicePath   = "/api/billing/invoices"
)

// flow is the story of a vendor, a customer and its application, from the sign-up
// to the bill: what one step leaves for the next.
type flow struct {
	*platform
	billing *receiver // Vector's billing system

	vendorKey string
	session   string // of the administrator of Mercedes
	restrict  string // URL of the restrictions of the workstation's key
	snippet   map[string]string
	app       *licenseclient.Client
	alice     *licenseclient.Lease
	bmwKey    string
	month     time.Time // its first day
}

// TestFlow is a vendor's first customer, from the sign-up to the bill, over HTTPS
// at three processes behind a load balancer, with DNS and mail servers that are
// real: Vector sells DaVinci to Mercedes, whose developers use it. Each step stands
// on those before it.
func TestFlow(t *testing.T) {
	f := &flow{billing: startReceiver(t)}
	f.platform = startPlatform(t)
	f.month = time.Date(f.today().Year(), f.today().Month(), 1, 0, 0, 0, 0, time.UTC)
	f.vectorSignsUp(t)
	f.bmwIsThere(t)
	for i, step := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"Mercedes signs up and gets its tenant", f.signUp},
		{"Vector closes the deal in its CRM", f.deal},
		{"the CRM calls the platform", f.crmCalls},
		{"the license is generated and provisioned", f.provisioned},
		{"the administrator is told by mail", f.told},
		{"the administrator logs in", f.logsIn},
		{"and sees 20 licenses, 5 commit and 15 overage", f.seesLicenses},
		{"generates a key for the workstation", f.generatesKey},
		{"configures the application", f.configures},
		{"Alice launches it", f.launches},
		{"it checks out with key, hostname, address and fingerprint", f.checksOut},
		{"every layer of security is checked", f.layers},
		{"licenses are granted as commit, then overage", f.grants},
		{"Alice uses it", f.uses},
		{"Alice closes it and the license is returned", f.returns},
		{"usage is logged for billing", f.logged},
		{"at the month's end Vector bills and Mercedes sees its costs", f.bills},
	} {
		if !t.Run(fmt.Sprintf("%02d %s", i+1, step.name), step.run) {
			t.FailNow()
		}
	}
}

// signUpOf registers an account, proves its domain by DNS and returns the welcome
// mail's link.
func (f *flow) signUpOf(t *testing.T, site, id, domain, email, body, subject, registered, verified string) *url.URL {
	t.Helper()
	reply := f.post(t, site+"/register", "", body, 201)
	like(t, registered, reply.raw)
	var r struct {
		Verification struct {
			Record struct{ Name, Value string } `json:"dns_record"`
		}
	}
	if err := json.Unmarshal(reply.raw, &r); err != nil {
		t.Fatal(err)
	}
	if r.Verification.Record.Name != "_cloudlicenses."+domain {
		t.Errorf("the record's name is %q", r.Verification.Record.Name)
	}
	_, token, _ := strings.Cut(r.Verification.Record.Value, "=")
	verify := fmt.Sprintf(`{%q:%q,"verification_token":%q}`, id, strings.Split(registered, `"`)[3], token)
	f.post(t, site+"/verify", "", verify, 409).refused(t, "verification_pending") // no record yet
	if err := f.dns.Set(r.Verification.Record.Name, r.Verification.Record.Value); err != nil {
		t.Fatal(err)
	}
	like(t, verified, f.post(t, site+"/verify", "", verify, 200).raw)
	return linkOf(t, f.mailTo(t, email, subject))
}

// vectorSignsUp makes the vendor, the key of its CRM, and says where invoices go.
func (f *flow) vectorSignsUp(t *testing.T) {
	link := f.signUpOf(t, vendorsURL+"/api/v1/vendors", "vendor_id", "vector.com", "licensing@vector.com", `{
		"company": {"name": "Vector Informatik GmbH", "domain": "vector.com", "country": "DE"},
		"vendor": {"id": "vector-de", "region": "eu-central", "license_prefix": "vector"},
		"admin": {"email": "licensing@vector.com", "name": "Vendor Administrator"}}`, "Your vendor account",
		`{"vendor_id":"vector-de","license_prefix":"vector","vendor_url":"https://vendors.cloudlicenses.com","status":"pending_verification",
			"verification":{"method":"dns","dns_record":{"type":"TXT","name":"_cloudlicenses.vector.com","value":"cloudlicenses-verify=…"}},
			"next_steps":["Add DNS TXT record to vector.com","Wait for verification (usually < 5 minutes)","Receive admin credentials via email"]}`,
		`{"vendor_id":"vector-de","status":"verified","vendor_url":"https://vendors.cloudlicenses.com",
			"admin_login":"https://vendors.cloudlicenses.com/login","created_at":"…Z"}`)
	session := f.logIn(t, link, "licensing@vector.com", "a password of Vector")
	f.vendorKey = f.post(t, vendorsURL+"/api/v1/keys", session, `{"app_name":"Salesforce"}`, 201).text(t, "api_key")
	f.do(t, http.MethodPatch, vendorsURL+"/api/v1/settings", f.vendorKey,
		fmt.Sprintf(`{"invoice_webhook":{"url":%q,"bearer_token":%q}}`, f.billing.URL+invoicePath, invoiceToken), 200)
}

// bmwIsThere has an operator make the vendor's other customer.
func (f *flow) bmwIsThere(t *testing.T) {
	out := run(t, []string{"CLOUDLICENSES_ADMIN_TOKEN=" + f.ready[0].AdminToken}, "tenant", "create", "--ca-file", f.ca,
		"--admin", f.ready[0].Nodes[0].Admin, "--id", "bmw", "--company", "BMW AG", "--output", "json")
	f.bmwKey = (&answer{raw: out}).text(t, "api_key")
}

// signUp is step 1, with the requests and replies of the seed's B1.
func (f *flow) signUp(t *testing.T) {
	link := f.signUpOf(t, platformURL+"/api/v1/tenants", "tenant_id", "mercedes.com", adminEmail, `{
		"company": {"name": "Mercedes-Benz AG", "domain": "mercedes.com", "country": "DE", "tax_id": "DE123456789"},
		"tenant": {"id": "mercedes", "region": "eu-central", "plan": "enterprise"},
		"admin": {"email": "admin@mercedes.com", "name": "License Administrator"}}`, "Your license server mercedes.cloudlicenses.com is ready",
		`{"tenant_id": "mercedes", "tenant_url": "https://mercedes.cloudlicenses.com", "status": "pending_verification",
			"verification": {"method": "dns", "dns_record": {"type": "TXT", "name": "_cloudlicenses.mercedes.com", "value": "cloudlicenses-verify=…"}},
			"next_steps": ["Add DNS TXT record to mercedes.com", "Wait for verification (usually < 5 minutes)", "Receive admin credentials via email"]}`,
		`{"tenant_id": "mercedes", "status": "verified", "tenant_url": "https://mercedes.cloudlicenses.com",
			"admin_login": "https://mercedes.cloudlicenses.com/login", "crm_id": "CUST-…", "created_at": "…Z"}`)
	if link.Scheme+"://"+link.Host+link.Path != tenantURL+"/welcome" {
		t.Errorf("the mail's link is %s", link.Redacted())
	}
	f.session = f.logIn(t, link, adminEmail, adminPassword)
}

// deal is step 2: the account is known to Vector's CRM alone.
func (f *flow) deal(t *testing.T) {
	like(t, `{"found": false}`, f.get(t, vendorsURL+"/api/v1/customers/search?crm_account_id=ACC-98765", f.vendorKey).raw)
	like(t, `{"items": [], "next_cursor": null}`, f.get(t, tenantURL+"/api/v1/licenses?consistency=linearizable", f.session).raw)
}

// recorded is what Salesforce sent at "Closed Won": the seed's A1, to the letter.
func recorded(t *testing.T) (body string, headers []string, reply string) {
	t.Helper()
	text, err := os.ReadFile("../../api/testdata/crm/salesforce.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Exchanges []struct {
			Request struct {
				Method, Path, Body string
				Headers            map[string]string
			}
			Reply struct{ Body json.RawMessage }
		}
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	first := file.Exchanges[0]
	if first.Request.Method != http.MethodPost || first.Request.Path != "/api/v1/licenses/generate" {
		t.Fatalf("the first exchange is %s %s", first.Request.Method, first.Request.Path)
	}
	for name, value := range first.Request.Headers {
		headers = append(headers, name, value)
	}
	return first.Request.Body, headers, string(first.Reply.Body)
}

// crmCalls is step 3: the trigger fires twice, and there is one license. BMW's has
// the dates of this year.
func (f *flow) crmCalls(t *testing.T) {
	body, headers, want := recorded(t)
	generate := vendorsURL + "/api/v1/licenses/generate"
	first := f.post(t, generate, f.vendorKey, body, 201, headers...)
	like(t, strings.Replace(want, "2025-11-04T10:00:00Z", "…Z", 1), first.raw)
	again := f.post(t, generate, f.vendorKey, body, 200, headers...)
	if string(again.raw) != string(first.raw) {
		t.Errorf("first %s, then %s", first.raw, again.raw)
	}
	year := f.today().Format("2006")
	bmw := strings.NewReplacer("SF-00123456", "SF-00123457", "ACC-98765", "ACC-54321", "Mercedes-Benz AG", "BMW AG",
		`"mercedes"`, `"bmw"`, "licenses@mercedes.com", "licenses@bmw.com", "2025-", year+"-").Replace(body)
	theirs := f.post(t, generate, f.vendorKey, bmw, 201, headers...)
	if id := theirs.text(t, "license_id"); id != "lic-vector-bmw-"+year+"-001" {
		t.Errorf("BMW's license is %s", id)
	}
}

// provisioned is step 4: both sides have it, and the vendor finds its customer (B3).
func (f *flow) provisioned(t *testing.T) {
	found := f.get(t, vendorsURL+"/api/v1/customers/search?crm_account_id=ACC-98765&consistency=linearizable", f.vendorKey)
	like(t, `{"found": true, "customer": {"crm_account_id": "ACC-98765", "platform_customer_id": "CUST-…", "tenant_id": "mercedes",
		"tenant_url": "https://mercedes.cloudlicenses.com", "company_name": "Mercedes-Benz AG", "status": "active", "registered_at": "…Z"}}`, found.raw)
	shown := f.get(t, vendorsURL+"/api/v1/licenses/"+license+"?consistency=linearizable", f.vendorKey)
	if status := shown.text(t, "status"); status != "provisioned" {
		t.Errorf("the license is %s", status)
	}
	pack := f.get(t, vendorsURL+"/packages/"+license, f.vendorKey)
	if parts := strings.Split(strings.TrimSpace(string(pack.raw)), "."); len(parts) != 3 {
		t.Errorf("the package is no compact JWS: %s", pack.raw)
	}
	// B3: provisioned again by hand, it is told by the vendor's words.
	like(t, `{"status": "provisioned", "tenant_url": "https://mercedes.cloudlicenses.com", "provisioned_at": "…Z", "customer_notified": true}`,
		f.post(t, vendorsURL+"/api/v1/licenses/provision", f.vendorKey, `{"license_id": "lic-vector-mercedes-2025-001",
			"customer": {"crm_account_id": "ACC-98765"},
			"notification": {"email": "licenses@mercedes.com", "message": "Your DaVinci Configurator SE licenses are ready!"}}`, 200).raw)
}

// told is step 5.
func (f *flow) told(t *testing.T) {
	const subject = "A new license is available from Vector Informatik GmbH"
	for _, address := range []string{"licenses@mercedes.com", adminEmail, "licenses@bmw.com"} {
		text := wordsOf(t, f.mailTo(t, address, subject))
		if !strings.Contains(text, "DaVinci Configurator SE: 20 seats, 5 committed and up to 15 as overage") {
			t.Errorf("the mail to %s does not say what there is:\n%s", address, text)
		}
	}
	waitFor(t, 30*time.Second, "the vendor's own words", func() bool {
		for _, m := range f.mails.To("licenses@mercedes.com") {
			if strings.Contains(wordsOf(t, m.Data), "Your DaVinci Configurator SE licenses are ready!") {
				return true
			}
		}
		return false
	})
	f.mailTo(t, adminEmail, "Vector Informatik GmbH is now linked to mercedes.cloudlicenses.com")
}

// logsIn is step 6.
func (f *flow) logsIn(t *testing.T) {
	login := tenantURL + "/api/v1/login"
	f.post(t, login, "", fmt.Sprintf(`{"email":%q,"password":"not the password"}`, adminEmail), 401).refused(t, "unauthenticated")
	f.session = f.post(t, login, "", fmt.Sprintf(`{"email":%q,"password":%q}`, adminEmail, adminPassword), 200).text(t, "token")
	me := f.get(t, tenantURL+"/api/v1/me", f.session)
	if !strings.Contains(string(me.raw), `"role":"owner"`) || me.text(t, "tenant_id") != "mercedes" {
		t.Errorf("logged in as %s", me.raw)
	}
}

// seesLicenses is step 7: 20 seats. The seed's contract, of 2025, is renewed by its
// own terms up to now, which the tenant hears of shortly.
func (f *flow) seesLicenses(t *testing.T) {
	end := fmt.Sprintf(`"end_date":"%d-12-31"`, f.today().Year())
	waitFor(t, 30*time.Second, "the renewal", func() bool {
		list := f.get(t, tenantURL+"/api/v1/licenses?consistency=linearizable", f.session)
		return strings.Contains(string(list.raw), end)
	})
	f.inUse(t, 0, 0)
}

// inUse demands what the administrator sees: so many seats in use of each kind.
func (f *flow) inUse(t *testing.T, commit, overage int) {
	t.Helper()
	like(t, fmt.Sprintf(`{"items": [{"license_id": "lic-vector-mercedes-2025-001", "vendor_id": "vector-de", "product_id": "davinci-configurator-se",
		"product_name": "DaVinci Configurator SE", "version": ">=8.0.0", "status": "provisioned",
		"total_licenses": 20, "commit_qty": 5, "max_overage": 15, "in_use": %d, "commit_in_use": %d, "overage_in_use": %d, "available": %d,
		"start_date": "2025-01-01", "end_date": "%d-12-31"}], "next_cursor": null}`,
		commit+overage, commit, overage, 20-commit-overage, f.today().Year()),
		f.get(t, tenantURL+"/api/v1/licenses?consistency=linearizable", f.session).raw)
}

// generatesKey is step 8: B5's request, with D2's hostname, and the address by D3.
func (f *flow) generatesKey(t *testing.T) {
	made := f.post(t, tenantURL+"/api/v1/keys/generate", f.session, `{
		"app_name": "DaVinci Configurator Workstation 042", "app_type": "desktop",
		"scopes": ["license:checkout", "license:return"], "expires_in_days": 365,
		"metadata": {"hostname": "dev-ws-042.mercedes.com", "department": "Powertrain Engineering", "contact": "alice@mercedes.com"},
		"allowed_hostnames": ["dev-ws-042.mercedes.com"]}`, 201)
	key := made.text(t, "api_key")
	if !strings.HasPrefix(key, "clsk_mercedes_") {
		t.Errorf("the key is %s", key)
	}
	like(t, strings.ReplaceAll(`{"key_id": "key-…", "api_key": "THE KEY", "tenant_url": "https://mercedes.cloudlicenses.com",
		"scopes": ["license:checkout", "license:return"], "expires_at": "…Z", "created_at": "…Z",
		"integration_snippet": {
			"environment_variables": {"LICENSE_SERVER_URL": "https://mercedes.cloudlicenses.com", "LICENSE_API_KEY": "THE KEY"},
			"config_file": {"license_server": {"url": "https://mercedes.cloudlicenses.com", "api_key": "THE KEY"}}}}`, "THE KEY", key), made.raw)
	f.restrict = tenantURL + "/api/v1/keys/" + made.text(t, "key_id") + "/restrictions"
	f.restrictTo(t, workstationAddress)
	var r struct {
		Snippet struct {
			Environment map[string]string `json:"environment_variables"`
		} `json:"integration_snippet"`
	}
	if err := json.Unmarshal(made.raw, &r); err != nil {
		t.Fatal(err)
	}
	f.snippet = r.Snippet.Environment
}

func (f *flow) restrictTo(t *testing.T, network string) {
	t.Helper()
	set := f.post(t, f.restrict, f.session, fmt.Sprintf(`{"allowed_ip_ranges":[%q]}`, network), 200)
	if !strings.Contains(string(set.raw), `"allowed_hostnames":["dev-ws-042.mercedes.com"],"allowed_ip_ranges":["`+network+`/32"]`) {
		t.Errorf("restricted to %s", set.raw)
	}
}

// application is the vendor's library on a host that calls from an address,
// configured by nothing but the snippet's two variables.
func (f *flow) application(t *testing.T, host, address string) *licenseclient.Client {
	t.Helper()
	return connect(t, licenseclient.Options{
		ServerURL: f.snippet[licenseclient.EnvServerURL], APIKey: f.snippet[licenseclient.EnvAPIKey], Hostname: host,
		Fingerprint: "sha256:abc123", LibVersion: "1.2.3", HTTPClient: &http.Client{Transport: f.balancer(address)},
	})
}

// configures is step 9.
func (f *flow) configures(t *testing.T) {
	if f.snippet[licenseclient.EnvServerURL] != tenantURL || len(f.snippet) != 2 {
		t.Errorf("the snippet's variables are %v", f.snippet)
	}
	f.app = f.application(t, workstation, workstationAddress)
}

// launches is step 10: before anything is taken the application sees its license.
func (f *flow) launches(t *testing.T) {
	count := 0
	for l, err := range f.app.Licenses(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if count++; l.LicenseID != license || l.Available != 20 {
			t.Errorf("%+v", l)
		}
	}
	if count != 1 {
		t.Errorf("%d licenses", count)
	}
}

// checksOut is step 11.
func (f *flow) checksOut(t *testing.T) {
	f.alice = checkout(t, f.app, seat(product))
	if f.alice.Type != licenseclient.Commit || f.alice.LicenseID != license {
		t.Errorf("%+v", f.alice)
	}
	audit := f.get(t, tenantURL+"/api/v1/audit?user=alice@mercedes.com&consistency=linearizable", f.session)
	like(t, fmt.Sprintf(`{"items": [{"sequence": %s, "timestamp": "…Z", "tenant_id": "mercedes", "action": "checkout", "result": "success",
		"api_key_id": "key-…", "license_id": "lic-vector-mercedes-2025-001", "product": "davinci-configurator-se", "lease_id": %q,
		"user": "alice@mercedes.com", "hostname": "dev-ws-042.mercedes.com", "ip_address": "10.0.1.42", "fingerprint": "sha256:abc123",
		"lib_version": "1.2.3", "count": 1, "overage_count": 0, "actor": ""}], "next_cursor": null}`, sequence(t, audit.raw), f.alice.ID), audit.raw)
}

// sequence is the number of the only record of a page.
func sequence(t *testing.T, page []byte) string {
	t.Helper()
	var list struct {
		Items []struct{ Sequence json.Number }
	}
	if err := json.Unmarshal(page, &list); err != nil || len(list.Items) != 1 {
		t.Fatalf("%v: %s", err, page)
	}
	return list.Items[0].Sequence.String()
}

// layers is step 12: the stolen key is of no use.
func (f *flow) layers(t *testing.T) {
	for _, c := range []struct {
		about string
		app   *licenseclient.Client
		code  licenseclient.Code
		layer string
	}{
		{"from another host", f.application(t, "thief.example", workstationAddress), licenseclient.ErrHostnameNotAllowed, "hostname"},
		{"from another network", f.application(t, workstation, "203.0.113.9"), licenseclient.ErrIPNotAllowed, "address"},
	} {
		_, err := c.app.Checkout(t.Context(), seat(product))
		var refusal *licenseclient.Error
		if !errors.Is(err, c.code) || !errors.As(err, &refusal) || refusal.Layer != c.layer {
			t.Errorf("%s: %v", c.about, err)
		}
	}
	key, body := f.snippet[licenseclient.EnvAPIKey], fmt.Sprintf(`{"product_id":%q,"user":"mallory"}`, product)
	f.post(t, "https://bmw.cloudlicenses.com/api/v1/licenses/checkout", key, body, 403).refused(t, "wrong_tenant")
	f.post(t, tenantURL+"/api/v1/licenses/checkout", f.bmwKey, body, 403).refused(t, "wrong_tenant")
	f.post(t, tenantURL+"/api/v1/licenses/checkout", "", body, 401).refused(t, "unauthenticated")
	f.post(t, tenantURL+"/api/v1/licenses/checkout", key[:len(key)-1]+"!", body, 401).refused(t, "unauthenticated")
	f.inUse(t, 1, 0)
	// A restriction is in force at every node once it is answered.
	f.restrictTo(t, "10.0.1.43")
	for range nodes {
		if _, err := f.app.Checkout(t.Context(), seat(product)); !errors.Is(err, licenseclient.ErrIPNotAllowed) {
			t.Errorf("from the old address: %v", err)
		}
	}
	f.restrictTo(t, workstationAddress)
	// Who was refused is in the log.
	refused := f.get(t, tenantURL+"/api/v1/audit?result=hostname_not_allowed&consistency=linearizable", f.session)
	if !strings.Contains(string(refused.raw), `"hostname":"thief.example"`) {
		t.Errorf("the refusal is not in the audit log: %s", refused.raw)
	}
}

// grants is step 13: colleagues take what there is. Overage is used 44 times in
// three waves; in the second the leader is killed.
func (f *flow) grants(t *testing.T) {
	for range 4 {
		if lease := checkout(t, f.app, seat(product)); lease.Type != licenseclient.Commit {
			t.Errorf("within the commitment: %+v", lease)
		}
	}
	f.inUse(t, 5, 0)
	for wave, uses := range []int{15, 15, 14} {
		var taken []*licenseclient.Lease
		for i := range uses {
			if wave == 1 && i == 7 {
				f.loseLeader(t, func() { taken = append(taken, checkout(t, f.app, seat(product))) })
				continue
			}
			taken = append(taken, checkout(t, f.app, seat(product)))
		}
		f.inUse(t, 5, uses)
		if uses == 15 {
			if _, err := f.app.Checkout(t.Context(), seat(product)); !errors.Is(err, licenseclient.ErrOverageMaxExceeded) {
				t.Errorf("the 21st: %v", err)
			}
		}
		for _, lease := range taken {
			if lease.Type != licenseclient.Overage {
				t.Errorf("past the commitment: %+v", lease)
			}
			if err := lease.Return(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	bmw := connect(t, licenseclient.Options{
		ServerURL: "https://bmw.cloudlicenses.com", APIKey: f.bmwKey, HTTPClient: &http.Client{Transport: f.balancer("198.51.100.1")},
	})
	all := seat(product)
	all.Count = 17 // 5 committed and 12 of overage
	if lease := checkout(t, bmw, all); lease.OverageCount != 12 {
		t.Errorf("%+v", lease)
	} else if err := lease.Return(t.Context()); err != nil {
		t.Error(err)
	}
}

// loseLeader kills the leader of the tenant's group, calls, and has it come back.
func (f *flow) loseLeader(t *testing.T, call func()) {
	t.Helper()
	leader := f.leader(t, "mercedes")
	f.processes[leader].kill()
	call()
	f.start(leader)
	f.ready[leader] = f.processes[leader].await()
}

// uses is step 14: Alice's license is kept alive by its library.
func (f *flow) uses(t *testing.T) {
	before := f.alice.ExpiresAt()
	if err := f.alice.Heartbeat(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !f.alice.ExpiresAt().After(before) {
		t.Errorf("a heartbeat left the end at %v", before)
	}
	f.inUse(t, 5, 0)
}

// returns is step 15: everybody goes home.
func (f *flow) returns(t *testing.T) {
	if err := f.alice.Return(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := f.alice.Heartbeat(t.Context()); !errors.Is(err, licenseclient.ErrLeaseReleased) {
		t.Errorf("a returned license lives on: %v", err)
	}
	for lease, err := range f.app.Leases(t.Context(), licenseclient.LeaseFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.app.Return(t.Context(), lease.LeaseID); err != nil {
			t.Error(err)
		}
	}
	f.inUse(t, 0, 0)
}

// logged is step 16: each use is in the audit log, whose chain holds.
func (f *flow) logged(t *testing.T) {
	overage, cursor := 0, ""
	for more := true; more; {
		page := f.get(t, tenantURL+"/api/v1/audit?limit=100&result=success&user=alice@mercedes.com&consistency=linearizable&cursor="+url.QueryEscape(cursor), f.session)
		var list struct {
			Items []struct {
				Action       string `json:"action"`
				OverageCount int    `json:"overage_count"`
			} `json:"items"`
			Next string `json:"next_cursor"`
		}
		if err := json.Unmarshal(page.raw, &list); err != nil {
			t.Fatal(err)
		}
		for _, r := range list.Items {
			if r.Action == "checkout" {
				overage += r.OverageCount
			}
		}
		cursor, more = list.Next, list.Next != ""
	}
	if overage != 44 {
		t.Errorf("%d overage uses in the audit log, want 44", overage)
	}
	chain := f.get(t, tenantURL+"/api/v1/audit/verify?consistency=linearizable", f.session)
	if !strings.Contains(string(chain.raw), `"valid":true`) {
		t.Errorf("the audit chain: %s", chain.raw)
	}
}
