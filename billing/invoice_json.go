package billing

import "strconv"

// AppendWebhook appends the body that a vendor's billing system is sent: the
// seed's JSON ("Automatic Invoicing Integration"), without blanks. source is
// the platform's domain. A customer without CRM account has crm_account_id
// null, and a tenant_id after it. A credit note is the same with negative
// amounts, and names the invoice that it cancels, and why where that was said. Error: cloudlicenses.ErrCurrency.
func (v *Invoice) AppendWebhook(b []byte, source string) ([]byte, error) {
	b = append(b, '{')
	b = appendTextField(b, "source", source)
	if v.Voids != "" {
		b = appendTextField(b, "voids", v.Voids)
		if v.VoidReason != "" {
			b = appendTextField(b, "void_reason", v.VoidReason)
		}
	}
	b = appendTextField(b, "period", v.Period.String())
	return v.appendBody(b)
}

// AppendJSON appends the invoice as a list of invoices shows it: the body of
// the webhook with id, kind, state and customer.
// Error: cloudlicenses.ErrCurrency.
func (v *Invoice) AppendJSON(b []byte) ([]byte, error) {
	b = append(b, '{')
	b = appendTextField(b, "invoice_id", v.ID)
	b = appendTextField(b, "kind", v.Kind)
	b = appendTextField(b, "state", v.State)
	b = appendOptional(appendName(b, "voids"), v.Voids)
	b = appendOptional(appendName(b, "void_reason"), v.VoidReason)
	b = appendTextField(b, "vendor_id", v.Vendor)
	b = appendTextField(b, "customer_name", v.CustomerName)
	b = appendTextField(b, "period", v.Period.String())
	return v.appendBody(b)
}

// appendBody appends what both have from the customer on, and the closing
// brace.
func (v *Invoice) appendBody(b []byte) ([]byte, error) {
	count, err := v.Currency.Decimals()
	if err != nil {
		return nil, err
	}
	b = appendOptional(appendName(b, "crm_account_id"), v.CRMAccount)
	if v.CRMAccount == "" {
		b = appendTextField(b, "tenant_id", v.Tenant)
	}
	b = append(appendName(b, "line_items"), '[')
	for i, line := range v.Lines {
		b = append(appendNext(b, i), '{')
		b = appendTextField(b, "description", line.Description)
		b = appendMoneyField(b, "amount", line.Amount, count)
		if line.PerUnit {
			b = appendMoneyField(b, "unit_price", line.UnitPrice, count)
		}
		b = strconv.AppendInt(appendName(b, "quantity"), line.Quantity, 10)
		b = append(b, '}')
	}
	b = append(b, ']')
	b = appendMoneyField(b, "total", v.Total, count)
	b = appendTextField(b, "currency", v.Currency)
	return append(b, '}'), nil
}
