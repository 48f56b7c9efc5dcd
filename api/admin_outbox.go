package api

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/cluster"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// outboxCounts is a number of deliveries by how they leave.
type outboxCounts struct {
	Mails    int64 `json:"mails"`
	Webhooks int64 `json:"webhooks"`
}

// groupOutbox is what a group has to deliver.
type groupOutbox struct {
	ID       cluster.GroupID `json:"id"`
	Pending  outboxCounts    `json:"pending"`
	Dead     outboxCounts    `json:"dead"`
	OldestAt *string         `json:"oldest_at"`
}

// outbox is GET /v1/outbox.
func (c *adminCall) outbox() error {
	view := struct {
		Groups []groupOutbox `json:"groups"`
	}{Groups: []groupOutbox{}}
	for _, id := range slices.Sorted(maps.Keys(c.server.cfg.Node.Placement())) {
		if id == 0 { // the directory's
			continue
		}
		var state license.OutboxState
		_, err := c.server.shard.ReadGroup(c.r.Context(), id, shard.Command{Op: license.QueryOutboxState, Result: &state}, shard.ReadOptions{
			Linearizable: c.readOptions().Linearizable,
		})
		if err != nil {
			return err
		}
		view.Groups = append(view.Groups, groupOutbox{
			ID: id, Pending: outboxCounts{state.Mails, state.Webhooks}, Dead: outboxCounts{state.DeadMails, state.DeadWebhooks},
			OldestAt: timeText(state.OldestMillis),
		})
	}
	return c.reply(http.StatusOK, view)
}

// deadMail is a mail that failed for good.
type deadMail struct {
	TenantID   cloudlicenses.TenantID `json:"tenant_id"`
	Kind       string                 `json:"kind"`
	UserID     string                 `json:"user_id"`
	Email      string                 `json:"email"`
	Attempts   int64                  `json:"attempts"`
	StatusCode *int64                 `json:"status_code"`
	Error      string                 `json:"error"`
	OccurredAt *string                `json:"occurred_at"`
	FailedAt   *string                `json:"failed_at"`
}

func showDeadMail(o *license.Outgoing) deadMail {
	d := deadMail{
		TenantID: o.TenantID, Kind: o.Kind, Attempts: o.Attempts, Error: o.Error, OccurredAt: timeText(o.AtMillis), FailedAt: timeText(o.TriedMillis),
	}
	if o.Status != 0 {
		d.StatusCode = &o.Status
	}
	var about struct {
		UserID string `json:"user_id"`
		Email  string `json:"email"`
	}
	if json.Unmarshal(o.Payload, &about) == nil {
		d.UserID, d.Email = about.UserID, about.Email
	}
	return d
}

// deadMails is GET /v1/groups/{group}/dead-mails.
func (c *adminCall) deadMails() error {
	id, err := strconv.ParseUint(c.r.PathValue("group"), 10, 32)
	if _, placed := c.server.cfg.Node.Placement()[cluster.GroupID(id)]; err != nil || id == 0 || !placed {
		return &problem{code: cloudlicenses.NotFound, detail: "no such license group"}
	}
	limit, cursor, err := c.listed()
	if err != nil {
		return err
	}
	var list license.DeliveryPage
	query := shard.Command{Op: license.QueryDeadMails, Payload: &license.ListDeadMails{Limit: limit, Cursor: cursor}, Result: &list}
	fresh, err := c.server.shard.ReadGroup(c.r.Context(), cluster.GroupID(id), query, c.readOptions())
	if err != nil {
		return err
	}
	if list.Code != cloudlicenses.OK {
		return decided(list.Code, cloudlicenses.LayerNone, "", inQuery)
	}
	c.fresh(fresh)
	return c.reply(http.StatusOK, newPage(list.Items, list.Next, showDeadMail))
}
