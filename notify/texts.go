package notify

// Every sentence of every mail stands in this file, once: both parts of a mail
// are made of it. A text is in the language of text/template; what it may name is
// what letters.go hands it, cleaned to one line. A paragraph that comes out empty is
// left out.

// language of the texts, as BCP 47 has it.
const language = "en"

// dateFormat is how a time is shown, in UTC.
const dateFormat = "2006-01-02 15:04 UTC"

// footer ends every mail.
const footer = "This mail was sent by the license server of {{.Site}}. Answers to it are not read."

// text is one kind of mail, from top to bottom.
type text struct {
	subject string
	before  []string // paragraphs
	item    string   // of a list, for each of what there are several
	more    string   // the list's last item; may come out empty
	link    string   // what the link says
	after   []string // paragraphs
}

var welcomeText = text{
	subject: "Your license server {{.Site}} is ready",
	before: []string{
		"Welcome{{with .Company}}, {{.}}{{end}}.",
		"The domain is verified and your tenant {{.Site}} has been created. Set the password of its administrator to sign in.",
	},
	link: "Set your password",
	after: []string{
		"The link works once, until {{.Expires}}.",
		"Vendors can provision licenses to the tenant from now on; create API keys for your applications.",
	},
}

var vendorWelcomeText = text{
	subject: "Your vendor account at {{.Site}} is ready",
	before: []string{
		"Welcome{{with .Company}}, {{.}}{{end}}.",
		"The domain is verified and your vendor account at {{.Site}} has been created. Set the password of its administrator to sign in.",
	},
	link: "Set your password",
	after: []string{
		"The link works once, until {{.Expires}}.",
		"Create an API key for your CRM, and generate the first license.",
	},
}

var invitationText = text{
	subject: "You are invited to {{.Site}}",
	before: []string{
		"Hello{{with .Name}} {{.}}{{end}},",
		"{{with .InvitedBy}}{{.}} has{{else}}An administrator has{{end}} invited you to the license server of {{.Site}}{{with .Role}}, as {{.}}{{end}}. Set a password to sign in.",
	},
	link:  "Set your password",
	after: []string{"The link works once, until {{.Expires}}. If you do not expect this invitation, ignore it."},
}

var resetText = text{
	subject: "Set a new password for {{.Site}}",
	before:  []string{"A new password was asked for, for your account at {{.Site}}."},
	link:    "Set a new password",
	after: []string{
		"The link works once, until {{.Expires}}.",
		"If it was not you who asked, ignore this mail: your password stays as it is.",
	},
}

var provisionedText = text{
	subject: "{{if eq .Count 1}}A new license is{{else}}{{.Count}} new licenses are{{end}} available{{with .Vendor}} from {{.}}{{end}}",
	before: []string{
		"{{with .Vendor}}{{.}} has provisioned{{else}}There {{if eq .Count 1}}is{{else}}are{{end}}{{end}} {{if eq .Count 1}}a new license{{else}}{{.Count}} new licenses{{end}} for {{.Site}}.",
		`{{with .Message.String}}{{or $.Vendor "The vendor"}} writes: {{.}}{{end}}`,
	},
	item:  "{{or .Product .ID}}{{with .Seats}}: {{.}} seats, {{$.Commit}} committed and up to {{$.MaxOverage}} as overage{{end}}{{if .Product}} ({{.ID}}){{end}}",
	more:  "{{with .More}}and {{.}} more{{end}}",
	link:  "Show the licenses",
	after: []string{"Applications can check them out with an API key of your tenant."},
}

var overageText = text{
	subject: "{{if ge .Percent 100}}No overage is left{{else}}{{.Percent}} % of the overage is used{{end}}: {{.Product}}",
	before: []string{
		"{{.Product}} ({{.License}}): {{.Used}} of {{.Limit}} {{.Meter}}, which is {{.Percent}} % or more.",
		"{{if ge .Percent 100}}Checkouts past the commitment are refused until there is room again.{{else}}Checkouts past the commitment are charged per use, and refused once the limit is reached.{{end}}",
	},
	link:  "Show the usage",
	after: []string{"You can change who may use overage, and how much, in the settings of the tenant."},
}

// meterTexts name what an overage warning is about.
var meterTexts = map[Meter]string{
	OverageSeats:  "overage seats are in use",
	MonthlyUses:   "overage uses of this month are spent",
	MonthlyAmount: "for overage this month are spent",
}

var vendorText = text{
	subject: "{{.Vendor}} is now linked to {{.Site}}",
	before: []string{
		"The vendor {{.Vendor}} ({{.VendorID}}) has linked its customer record to your tenant {{.Site}}, and can provision licenses to it.",
	},
	link:  "Show your vendors",
	after: []string{"If you do not know this vendor, block it there: it will then not be able to provision anything."},
}
