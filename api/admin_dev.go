package api

import (
	"net/http"

	"github.com/cloudlicenses/cloudlicenses"
)

// dnsRecord is the body of PUT /v1/dev/dns, and its reply.
type dnsRecord struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Value string `json:"value"`
}

// setDNS is PUT /v1/dev/dns: the records of dev's DNS server.
func (c *adminCall) setDNS() error {
	dns := c.server.cfg.DevDNS
	if dns == nil {
		return &problem{code: cloudlicenses.NotFound, detail: "only dev has a DNS server of its own"}
	}
	var record dnsRecord
	if err := c.decode(&record); err != nil {
		return err
	}
	if record.Type != "TXT" {
		return invalid("/type", "must be TXT")
	}
	values := []string{record.Value}
	if record.Value == "" {
		values = nil
	}
	if err := dns.Set(record.Name, values...); err != nil {
		if len(record.Value) > 4<<10 {
			return invalid("/value", err.Error())
		}
		return invalid("/name", err.Error())
	}
	return c.reply(http.StatusOK, record)
}
